//! Connections: taking them, serving them, ending them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent_hyper::server::conn::Http;
use agent_hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time;
use tracing::{debug, warn};

use crate::http::{Connection, Shared};
use crate::import::Sender;

/// Serves until told to stop, then lets requests in hand finish.
///
/// The connections belong to this future: dropping it closes them.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, Arc::clone(&shared), stop.clone()));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => if let Err(error) = ended {
                warn!(%error, "a connection's task ended early");
            },
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let drained =
        time::timeout(DRAIN_LIMIT, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        warn!(open = connections.len(), "cutting connections off");
    }
}

/// One connection, with hyper's defaults as in deepflow-agent: HTTP/1, and HTTP/2 with prior knowledge. Only heads may be
/// larger: by default it depends on the sizes of reads whether one of 500 KB is taken, and deepflow-agent has taken it.
async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, mut stop: watch::Receiver<()>) {
    let doomed = Arc::new(Notify::new());
    let handler = Connection { shared, sender: Arc::new(Sender::new(peer)), doomed: Arc::clone(&doomed) };
    let service = service_fn(move |request| handler.clone().handle(request));
    let mut connection = Http::new().max_buf_size(LARGEST_HEAD).serve_connection(stream, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    debug!(%peer, %error, "closed without an answer");
                }
                return;
            }
            () = doomed.notified() => {
                // hyper does not give the socket of HTTP/2 back: that connection is closed rather than reset.
                if let Some(parts) = connection.try_into_parts()
                    && let Err(error) = parts.io.set_zero_linger()
                {
                    debug!(%peer, %error, "closing a connection instead of resetting it");
                }
                return;
            }
            _ = stop.changed(), if !stopping => stopping = true,
        }
        Pin::new(&mut connection).graceful_shutdown();
    }
}

/// How long to wait after accepting failed, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of the largest head that deepflow-agent was seen to take.
const LARGEST_HEAD: usize = 1 << 20;

/// How long requests in hand may take at the end: a test does not wait longer for a client that keeps one open.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
