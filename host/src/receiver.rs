//! OTLP server: from a listener to the [`Relay`]. HTTP/1.1 and HTTP/2, OTLP/HTTP and OTLP/gRPC on any port.

mod activity;
mod auth;
mod body;
mod coding;
mod connection;
mod cors;
mod discard;
mod door;
mod grpc;
mod health;
mod proxy;
mod refusal;
mod response;
mod service;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use podstamp_core::config::Compression;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admission::Admission;
use crate::drain::Draining;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::readiness::Readiness;
use crate::relay::Relay;
use crate::settings::{Limits, Listener, Settings};
use coding::Undoing;
pub(crate) use door::Door;
use health::Health;

/// What all connections of all listeners share.
pub(crate) struct Shared {
    relay: Arc<Relay>,
    admission: Arc<Admission>,
    limits: Limits,
    paths: [String; 2],
    headers: Vec<HeaderName>,
    undoing: Undoing,
    places: Arc<Semaphore>,
    health: Health,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Shared {
    pub(crate) fn new(
        settings: &Settings,
        relay: Arc<Relay>,
        admission: Arc<Admission>,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Self {
        // A name that is no header's cannot be sent either.
        let headers = relay.request_headers().iter().filter_map(|name| name.parse().ok()).collect();
        let paths = [settings.traces_path.clone(), podstamp_core::config::AGENT_PATH.to_owned()];
        let limits = settings.limits.clone();
        // Without compression nobody sends on what came.
        let undoing = Undoing::new(limits.large_calls, settings.upstream.compression != Compression::None);
        let places = Arc::new(Semaphore::new(limits.connections.unwrap_or(Semaphore::MAX_PERMITS)));
        let health = Health::default();
        Self { relay, admission, limits, paths, headers, undoing, places, health, metrics, notices }
    }

    /// Tells gRPC's health service what is ready, for ever.
    pub(crate) async fn report_health(self: Arc<Self>, readiness: Arc<Readiness>) {
        readiness.follow(|ready| self.health.set(ready)).await;
    }
}

/// One listener.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    listener: Listener,
    door: Door,
}

impl Receiver {
    pub(crate) fn new(shared: Arc<Shared>, listener: Listener, door: Door) -> Self {
        let door = door.follow(&shared.metrics);
        Self { shared, listener, door }
    }

    /// Accepts connections until it is told to stop.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, draining: Draining) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = draining.stopping() => return,
                accepted = accept(&listener, &self.shared.places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let connection = connection::open(Arc::clone(&self), stream, draining.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) if is_of_the_connection(&error) => {
                    tracing::debug!(%error, "a client gave up connecting")
                }
                Err(error) => {
                    self.shared.notices.warn("accept", || format!("cannot accept connections: {error}"));
                    // Out of descriptors or memory: the next try would fail as well, at full speed.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let (stream, _) = listener.accept().await?;
    // Not ahead of it: an idle listener would keep a place from the others.
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    Ok((stream, place))
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
