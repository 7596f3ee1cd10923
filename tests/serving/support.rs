//! A server under test, and who stands on either side of it.

mod fake;
mod names;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podstamp::network::Network;
use podstamp::server::{Instruments, Server};
use podstamp::settings::{Limits, Listener, Settings};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, Http2};

pub(crate) use fake::{Fake, answer, forward, outbound};
pub(crate) use names::{Here, Names, free_addresses, upstreams};

/// A server on a free port.
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) instruments: Instruments,
}

impl Setup {
    pub(crate) async fn new(fake: Fake) -> Self {
        Self::with(fake, |_| ()).await
    }

    pub(crate) async fn with(fake: Fake, change: impl FnOnce(&mut Settings)) -> Self {
        Self::within(&Network::default(), fake, change).await
    }

    /// A server in a network of the test's.
    pub(crate) async fn within(network: &Network, fake: Fake, change: impl FnOnce(&mut Settings)) -> Self {
        Self::reporting(Instruments::default(), network, fake, change).await
    }

    /// A server that reports to the test's instruments.
    pub(crate) async fn reporting(
        instruments: Instruments,
        network: &Network,
        fake: Fake,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings {
            listeners: vec![Listener::http("127.0.0.1:0"), Listener::grpc("127.0.0.1:0")],
            limits: Limits { body: 1 << 20, ..Limits::default() },
            drain_delay: Duration::ZERO,
            drain_timeout: PATIENCE,
            ..Settings::default()
        };
        change(&mut settings);
        let server = Server::bind_in(&settings, Arc::new(fake), &instruments, network).await.unwrap();
        Self { server, instruments }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// Where OTLP/HTTP is taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.http_address().unwrap()
    }

    /// A client over HTTP/2, to where OTLP/gRPC is taken.
    pub(crate) async fn grpc(&self) -> Http2 {
        Http2::connect(self.server.grpc_address().unwrap()).await
    }

    /// Whether a line stands in the metrics, now or soon.
    pub(crate) async fn shows(&self, line: &str) {
        shows(&self.instruments, line).await;
    }
}

/// Whether a line stands in the metrics of a server that is on its way out, now or soon.
pub(crate) async fn shows(instruments: &Instruments, line: &str) {
    let shown = || instruments.metrics.encode().unwrap();
    let until = Instant::now() + PATIENCE;
    while !shown().lines().any(|shown| shown == line) {
        assert!(Instant::now() < until, "{line} is not in\n{}", shown());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
