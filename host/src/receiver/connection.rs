//! One connection of a client.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::Receiver;
use super::activity::{Activity, Advice, Noting};
use super::service;
use crate::drain::{Draining, Phase};

/// Serves a connection to its end.
pub(super) async fn serve(receiver: Arc<Receiver>, stream: TcpStream, mut draining: Draining) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let peer = stream.peer_addr().ok().map(|address| address.ip());
    let activity = Arc::new(Activity::new());
    let limits = &receiver.limits;
    let service = service_fn(|request| {
        activity.request_begins();
        let handled = service::handle(Arc::clone(&receiver), peer, request);
        let activity = Arc::clone(&activity);
        async move {
            let response = handled.await;
            activity.request_ends();
            Ok::<_, Infallible>(response)
        }
    });
    let stream = TokioIo::new(Noting::new(stream, Arc::clone(&activity)));
    let mut connection =
        pin!(http1::Builder::new().header_read_timeout(None).serve_connection(stream, service));
    let mut watchdog = pin!(sleep(limits.header_timeout));
    loop {
        tokio::select! {
            biased;
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(?peer, %error, "a connection broke");
                }
                return;
            }
            phase = draining.changed() => match phase {
                Phase::Running => (),
                Phase::Draining => connection.as_mut().graceful_shutdown(),
                Phase::Abandoned => return,
            },
            () = watchdog.as_mut() => match activity.advice(limits) {
                Advice::Wait(wait) => watchdog.as_mut().reset(Instant::now() + wait),
                Advice::Idle | Advice::SlowHead => return,
            },
        }
    }
}
