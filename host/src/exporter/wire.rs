//! One HTTP/1.1 connection upstream, which has no task of its own: its holder drives it.

mod heard;

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use http::{HeaderMap, Method, Request};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::attempt::{Broken, read_response};
use super::body::OutboundBody;
use super::sending::Sending;
use crate::observe::Observed;
use crate::sandbox::Ended;
use crate::tls::Stream;
use heard::Heard;

/// A connection and its state.
pub(super) struct Wire {
    sender: SendRequest<OutboundBody>,
    /// `None` once the connection has ended.
    connection: Option<Running>,
    heard: Heard,
    /// Whether a request has had its response here already.
    used: bool,
    kind: Option<u32>,
    /// When the connection is too old for another request; `None`: never.
    ages: Option<Instant>,
}

type Running = Connection<TokioIo<Observed<Stream, Heard>>, OutboundBody>;

impl Wire {
    /// Connects to `address` as `sending` asks for. `age`: how old the connection may grow, give or take a tenth.
    pub(super) async fn open(
        sending: &Sending,
        address: SocketAddr,
        age: Option<Duration>,
    ) -> Result<Self, Broken> {
        let connecting = sending.way.connector.connect(address, &sending.uri);
        let stream = connecting.await.map_err(Broken::Connect)?;
        let heard = Heard::default();
        let stream = TokioIo::new(Observed::new(stream, heard.clone()));
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| Broken::Connect(error.into()))?;
        let ages = age.map(|age| Instant::now() + age.mul_f64(0.9 + fastrand::f64() / 5.0));
        let connection = Some(connection);
        Ok(Self { sender, connection, heard, used: false, kind: sending.kind(), ages })
    }

    /// Whether `sending` may go by this connection: exporters share plain ones, but each has a TLS of its own.
    pub(super) fn fits(&self, sending: &Sending) -> bool {
        self.kind == sending.kind()
    }

    /// When the connection is too old for another request; `None`: never.
    pub(super) fn ages(&self) -> Option<Instant> {
        self.ages
    }

    /// Drives the connection until it has ended.
    pub(super) async fn ended(&mut self) {
        if let Some(connection) = &mut self.connection {
            // The reason does not matter, since no request is under way.
            drop(connection.await);
            self.connection = None;
        }
    }

    /// Whether the connection is ready for a request.
    pub(super) async fn is_ready(&mut self) -> bool {
        let Self { sender, connection, .. } = self;
        drive(connection, sender.ready()).await.is_ok() && connection.is_some()
    }

    /// Whether a request has gone by this connection, so that the other side may have closed it for being idle since.
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Whether any byte came since the latest request was sent.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.is_set()
    }

    /// Sends a request and reads its response, until `deadline`.
    pub(super) async fn exchange(
        &mut self,
        sending: &Sending,
        body: OutboundBody,
        deadline: Instant,
    ) -> Result<Ended, Broken> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&sending.target);
        *request.headers_mut() = HeaderMap::clone(&sending.headers);
        let Self { sender, connection, heard, .. } = self;
        heard.forget();
        let begun = Instant::now();
        let response = sender.send_request(request);
        let exchange = async { read_response(response.await.map_err(Broken::Send)?).await };
        let exchanged = timeout_at(deadline, drive(connection, exchange)).await;
        self.used = true;
        match exchanged {
            Ok(Err(broken)) if broken.is_oversized() => Ok(Ended::Oversized),
            Ok(exchanged) => exchanged,
            Err(_) => Err(Broken::Late(deadline - begun)),
        }
    }

    /// Ends the connection while the upstream may still work on a request, and returns once the upstream has ended it too:
    /// then it has stopped that work. An upstream that does not end it in time is left to itself.
    pub(super) async fn close(self) {
        let Some(connection) = self.connection else { return };
        let mut stream = connection.into_parts().io.into_inner();
        let ending = async {
            stream.shutdown().await?;
            let mut rest = [0; 4096];
            while stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        if timeout(LINGER, ending).await.is_err() {
            tracing::debug!("an upstream keeps a connection that was closed");
        }
    }
}

/// Polls `work`, and the connection meanwhile.
async fn drive<T>(connection: &mut Option<Running>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Some(running) = connection
            && Pin::new(running).poll(context).is_ready()
        {
            // Whoever waits for the response gets the error.
            *connection = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// How long the upstream may take to end a connection. deepflow-agent needs under a second for the largest requests that it
/// gets; one that takes longer is stuck.
const LINGER: Duration = Duration::from_secs(10);
