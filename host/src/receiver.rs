//! OTLP server: from a listener to the [`Relay`]. HTTP/1.1 and HTTP/2, OTLP/HTTP and OTLP/gRPC on any port.

mod access;
pub(crate) mod admission;
mod astray;
pub(crate) mod auth;
mod body;
mod client;
mod coding;
mod connection;
mod connections;
mod cors;
mod discard;
mod encoding;
mod grpc;
mod health;
mod idle;
mod opening;
mod origin;
pub(crate) mod pressure;
mod proxy;
mod refusal;
mod response;
mod service;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use podstamp_core::config::{AGENT_PATHS, Compression};
use podstamp_core::interface::Signal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::lifecycle::{Draining, Readiness};
use crate::observe::{Metrics, Notices};
use crate::relay::Relay;
use crate::settings::{Limits, Listener, Settings};
pub(crate) use access::ListenerAccess;
use admission::Admission;
use coding::Decoder;
use connections::Connections;
use health::Health;
use pressure::Pressure;
use refusal::Refusal;

/// What all connections of all listeners share.
pub(crate) struct Shared {
    relay: Arc<Relay>,
    admission: Arc<Admission>,
    limits: Limits,
    /// Paths over HTTP by signal; `None` where the signal is refused.
    paths: [Option<String>; 3],
    headers: Vec<HeaderName>,
    decoder: Decoder,
    connections: Arc<Connections>,
    proxies: Vec<IpNet>,
    health: Health,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
    /// Whether memory is over its limit, where there is one.
    pressure: Option<Arc<Pressure>>,
    /// Tells whether the pods are there, where clients have to wait for them.
    awaited: Option<Arc<Readiness>>,
}

impl Shared {
    pub(crate) fn new(
        settings: &Settings,
        relay: Arc<Relay>,
        admission: Arc<Admission>,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
        readiness: &Arc<Readiness>,
        pressure: Option<Arc<Pressure>>,
    ) -> Self {
        // A name that cannot be a header's cannot be sent either.
        let headers = relay.request_headers().iter().filter_map(|name| name.parse().ok()).collect();
        let paths = Signal::ALL.map(|signal| settings.path(signal).map(str::to_owned));
        let limits = settings.limits.clone();
        // A gzip member as it came is only sent on where an upstream takes compressed bodies.
        let decoder = Decoder::new(
            relay.decoding(),
            settings.all_upstreams().any(|upstream| upstream.compression != Compression::None),
        );
        let connections = Arc::new(Connections::new(limits.connections, Arc::clone(&metrics)));
        let open = Arc::clone(&connections);
        metrics.watch("connections", "Connections of clients at this moment", move || open.count() as u64);
        let (proxies, health) = (settings.trusted_proxies.clone(), Health::default());
        Self {
            relay,
            admission,
            limits,
            paths,
            headers,
            decoder,
            connections,
            proxies,
            health,
            metrics,
            notices,
            pressure,
            awaited: settings.waits_for_pods.then(|| Arc::clone(readiness)),
        }
    }

    /// Whether clients have to come again, since the pods are not there yet.
    fn lacks_pods(&self) -> bool {
        self.awaited.as_ref().is_some_and(|readiness| !readiness.has_pods())
    }

    /// Whether requests are refused for the memory of the process.
    fn lacks_memory(&self) -> bool {
        self.pressure.as_ref().is_some_and(|pressure| pressure.is_over())
    }

    /// Whether a signal is taken.
    fn takes(&self, signal: Signal) -> bool {
        self.paths.get(signal as usize).is_some_and(Option::is_some)
    }

    /// The signal that a path takes over HTTP.
    fn signal_at(&self, path: &str) -> Option<Signal> {
        let is_at = |signal: &Signal| {
            self.paths.get(*signal as usize).and_then(Option::as_deref).is_some_and(|known| known == path)
        };
        let known = Signal::ALL.into_iter().find(is_at);
        known.or_else(|| AGENT_PATHS.contains(&path).then_some(Signal::Traces))
    }

    /// The refusal of a signal that is not carried.
    fn not_carried(&self, signal: Signal) -> Refusal {
        Refusal::NotCarried { signal, others: self.paths.iter().flatten().count() > 1 }
    }

    /// Keeps gRPC's health service up to date, for ever.
    pub(crate) async fn report_health(self: Arc<Self>, readiness: Arc<Readiness>) {
        readiness.report_changes(|ready| self.health.set(ready)).await;
    }
}

/// One listener.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    listener: Listener,
    access: ListenerAccess,
}

impl Receiver {
    pub(crate) fn new(shared: Arc<Shared>, listener: Listener, access: ListenerAccess) -> Self {
        let access = access.watch_files(&shared.metrics);
        Self { shared, listener, access }
    }

    /// Accepts connections until the server stops, and then those that had come by then.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, draining: Draining) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = draining.stopping() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                // The place is taken after accepting: an idle listener would keep one from the others.
                Ok((stream, _)) => {
                    let place = tokio::select! {
                        biased;
                        place = self.shared.connections.place() => place,
                        // A connection that waits for a place is drained with the others.
                        () = draining.stopping() => None,
                    };
                    self.open(stream, place, &draining);
                }
                Err(error) if is_of_the_connection(&error) => {
                    tracing::debug!(%error, "a client gave up connecting")
                }
                Err(error) => {
                    self.shared.notices.warn("accept", || format!("cannot accept connections: {error}"));
                    // Out of descriptors or memory: the next try would fail as well, at full speed.
                    self.shared.connections.make_room();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if let Err(error) = self.take_rest(listener, &draining) {
            tracing::debug!(%error, "cannot accept the last connections");
        }
    }

    /// Takes what is in the listener's queue: closing it would reset connections whose clients have sent a request.
    fn take_rest(self: &Arc<Self>, listener: TcpListener, draining: &Draining) -> io::Result<()> {
        // Without the runtime, which would have to poll first whether there is anything.
        let listener = listener.into_std()?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.open(TcpStream::from_std(stream)?, None, draining);
                }
                Err(error) if is_of_the_connection(&error) => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn open(self: &Arc<Self>, stream: TcpStream, place: Option<OwnedSemaphorePermit>, draining: &Draining) {
        let connection = connection::open(Arc::clone(self), stream, draining.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
