//! OTLP/HTTP server: from a listener to the [`Relay`].

mod activity;
mod body;
mod coding;
mod connection;
mod discard;
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
use crate::relay::Relay;
use crate::settings::{Limits, Settings};
use coding::Undoing;

/// What all connections of a listener share.
pub(crate) struct Receiver {
    relay: Arc<Relay>,
    admission: Arc<Admission>,
    limits: Limits,
    paths: [String; 2],
    headers: Vec<HeaderName>,
    undoing: Undoing,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Receiver {
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
        let undoing = Undoing::new(limits.large_calls, settings.compression != Compression::None);
        Self { relay, admission, limits, paths, headers, undoing, metrics, notices }
    }

    /// Accepts connections until it is told to stop.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, mut draining: Draining) {
        let places = Arc::new(Semaphore::new(self.limits.connections.unwrap_or(Semaphore::MAX_PERMITS)));
        loop {
            let accepted = tokio::select! {
                biased;
                _ = draining.changed() => return,
                accepted = accept(&listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let connection = connection::serve(Arc::clone(&self), stream, draining.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) if is_of_the_connection(&error) => {
                    tracing::debug!(%error, "a client gave up connecting")
                }
                Err(error) => {
                    self.notices.warn("accept", || format!("cannot accept connections: {error}"));
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
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
