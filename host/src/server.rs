//! Binds the listeners, serves them, drains them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podstamp_core::config::Fault;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::task::JoinHandle;

use crate::admin::{Access, Admin, Sources};
use crate::console::{self, Console};
use crate::lifecycle::{Drain, Readiness};
use crate::memory::Memory;
use crate::network::Network;
use crate::observe::{LostPeers, Metrics, Notices};
use crate::receiver::admission::Admission;
use crate::receiver::pressure::Pressure;
use crate::receiver::{ListenerAccess, Receiver, Shared};
use crate::relay::{Observers, Relay};
use crate::sandbox::FilterRunner;
use crate::settings::{self, Settings};

pub use crate::admin::{Configuration, Listings, SourceState};

/// A server that is running, until [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    listening: Vec<Listening>,
    admin_address: Option<SocketAddr>,
    readiness: Arc<Readiness>,
    receiving: Drain,
    copying: Drain,
    queueing: Drain,
    administrating: Drain,
    drain_delay: Duration,
    drain_timeout: Duration,
    companions: Vec<JoinHandle<()>>,
}

/// A listener that is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The bound address.
    pub address: SocketAddr,
    /// Whether the listener is for OTLP/HTTP.
    pub http: bool,
    /// Whether the listener is for OTLP/gRPC.
    pub grpc: bool,
}

/// What a server reports to, so that others can report to the same.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    /// Counters, gauges, histograms.
    pub metrics: Arc<Metrics>,
    /// What the operator should see.
    pub notices: Arc<Notices>,
    /// Whether traffic may come. The server reports when it listens; whoever loads the pods reports when they are loaded.
    pub readiness: Arc<Readiness>,
    /// The pods, for filters elsewhere. Whoever loads the pods sets their source.
    pub listings: Arc<Listings>,
    /// Peers whose resources led to no pod.
    pub lost_peers: Arc<LostPeers>,
    /// The memory that [`Settings::memory_limiter`] is about.
    pub memory: Memory,
    /// The configuration, for people. Whoever reads it sets it.
    pub configuration: Arc<Configuration>,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A listener cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address from the settings.
        address: String,
        /// The reason.
        source: io::Error,
    },
    /// A file with certificates, tokens or passwords is unusable.
    #[error(transparent)]
    Credentials(#[from] Fault),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl Server {
    /// Binds the listeners and starts serving.
    pub async fn bind(
        settings: &Settings,
        filter: Arc<dyn FilterRunner>,
        instruments: &Instruments,
    ) -> Result<Self, BindError> {
        Self::bind_in(settings, filter, instruments, &Network::default()).await
    }

    /// The same in a network of the caller's own.
    pub async fn bind_in(
        settings: &Settings,
        filter: Arc<dyn FilterRunner>,
        instruments: &Instruments,
        network: &Network,
    ) -> Result<Self, BindError> {
        let mut bound = Vec::new();
        for listener in &settings.listeners {
            let access = ListenerAccess::new(listener, settings.limits.header_timeout)
                .map_err(BindError::Credentials)?;
            bound.push((listener.clone(), access, bind(&listener.address).await?));
        }
        let admin = match &settings.admin {
            Some(admin) => {
                let access = Access::new(admin).map_err(BindError::Credentials)?;
                Some((bind(&admin.address).await?, access))
            }
            None => None,
        };
        let Instruments { metrics, notices, readiness, listings, lost_peers, memory, configuration } =
            instruments.clone();
        let admission = Arc::new(Admission::new(&settings.limits));
        watch(&metrics, &admission);

        let console = settings.admin.as_ref().and_then(|admin| admin.console.clone());
        let console = console.map(|console| start_console(console, &filter, instruments)).transpose()?;
        let observers = Observers {
            metrics: Arc::clone(&metrics),
            notices: Arc::clone(&notices),
            lost_peers: Arc::clone(&lost_peers),
            console: console.clone(),
        };
        let (relay, [copying, queueing]) = Relay::new(filter, settings, network, observers)?;
        let agents = Box::new(relay.tell_agents());
        let pressure =
            settings.memory_limiter.as_ref().map(|limiter| Pressure::new(limiter, &memory, &metrics));
        let looking = pressure.as_ref().map(|pressure| {
            let (admission, notices) = (Arc::clone(&admission), Arc::clone(&notices));
            tokio::spawn(Arc::clone(pressure).watch(admission, notices))
        });
        let shared = Arc::new(Shared::new(
            settings,
            Arc::new(relay),
            admission,
            Arc::clone(&metrics),
            Arc::clone(&notices),
            &readiness,
            pressure,
        ));
        let health = tokio::spawn(Arc::clone(&shared).report_health(Arc::clone(&readiness)));
        let (receiving, draining) = Drain::new();
        let mut listening = Vec::new();
        for (listener, access, (socket, address)) in bound {
            listening.push(Listening {
                address,
                http: listener.http.is_some(),
                grpc: listener.grpc.is_some(),
            });
            let receiver = Arc::new(Receiver::new(Arc::clone(&shared), listener, access));
            tokio::spawn(receiver.serve(socket, draining.clone()));
        }
        drop(draining);

        let (administrating, draining) = Drain::new();
        let admin_address = admin.as_ref().map(|((_, address), _)| *address);
        if let Some(((listener, address), access)) = admin {
            let followed = Arc::clone(&listings);
            metrics.watch("pods_followers", "Questions that wait for changes of pods", move || {
                followed.followers() as u64
            });
            let access = access.watch_files(&metrics);
            let readiness = Arc::clone(&readiness);
            let sources = Sources {
                metrics,
                readiness,
                listings,
                lost_peers,
                notices,
                memory,
                configuration,
                agents,
                console,
            };
            let admin = Admin::new(sources, access);
            admin
                .start(listener, draining)
                .map_err(|source| BindError::Listen { address: address.to_string(), source })?;
        }
        readiness.listening();
        let Settings { drain_delay, drain_timeout, .. } = *settings;
        let companions = std::iter::once(health).chain(looking).collect();
        Ok(Self {
            listening,
            admin_address,
            readiness,
            receiving,
            administrating,
            drain_delay,
            drain_timeout,
            companions,
            copying,
            queueing,
        })
    }

    /// The bound listeners.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The address of the first listener for OTLP/HTTP.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.listening.iter().find(|listening| listening.http).map(|listening| listening.address)
    }

    /// The address of the first listener for OTLP/gRPC.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.listening.iter().find(|listening| listening.grpc).map(|listening| listening.address)
    }

    /// The address of the admin listener.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Adds a task that ends with the server.
    pub fn accompany(&mut self, task: JoinHandle<()>) {
        self.companions.push(task);
    }

    /// Lets [`Server::shutdown`] stop accepting at once: no balancer has to learn of it first.
    pub fn without_delay(self) -> Self {
        Self { drain_delay: Duration::ZERO, ..self }
    }

    /// Reports that the server is not ready any more, and serves on for the drain delay; then stops accepting and finishes
    /// what is in flight. True if no request had to be broken off.
    pub async fn shutdown(self) -> bool {
        self.readiness.draining();
        let begun = Instant::now();
        tokio::time::sleep(self.drain_delay.min(self.drain_timeout)).await;
        let left = self.drain_timeout.saturating_sub(begun.elapsed());
        let finished = self.receiving.finish(left).await;
        if !self.copying.finish(self.drain_timeout.saturating_sub(begun.elapsed())).await {
            tracing::warn!("copies were lost that did not leave within podstamp.limits.drain_timeout");
        }
        // What is left in queues says so itself.
        self.queueing.finish(self.drain_timeout.saturating_sub(begun.elapsed())).await;
        self.administrating.finish(ADMIN_DRAIN).await;
        self.companions.iter().for_each(JoinHandle::abort);
        finished
    }
}

async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), BindError> {
    let bound = async {
        let mut why = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in lookup_host(address).await? {
            match listen(address) {
                Ok(listener) => return Ok((listener.local_addr()?, listener)),
                Err(error) => why = error,
            }
        }
        Err(why)
    };
    let (local, listener) =
        bound.await.map_err(|source| BindError::Listen { address: address.to_owned(), source })?;
    Ok((listener, local))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise a restart would wait for the last connections to end. On Windows the option means something else.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that may wait to be accepted, as far as the system allows: all clients of a node that come again at once.
const BACKLOG: u32 = 1_024;

fn start_console(
    settings: settings::Console,
    filter: &Arc<dyn FilterRunner>,
    instruments: &Instruments,
) -> Result<Arc<Console>, BindError> {
    let Instruments { listings, lost_peers, .. } = instruments.clone();
    let known = Arc::clone(&listings);
    let pods = console::Pods {
        explain: Box::new(move |address| listings.explain(&address.to_string(), &lost_peers)),
        find: Box::new(move |address| known.find(address)),
    };
    let console = Console::new(settings, Arc::clone(filter), pods).map_err(BindError::Thread)?;
    Ok(Arc::new(console))
}

fn watch(metrics: &Metrics, admission: &Arc<Admission>) {
    let requests = Arc::clone(admission);
    metrics.watch("requests_in_flight", "Requests at this moment", move || requests.requests() as u64);
    let bytes = Arc::clone(admission);
    metrics.watch("in_flight_bytes", "Bytes of their bodies", move || bytes.bytes() as u64);
    let bodies = Arc::clone(admission);
    metrics
        .watch("bodies_on_their_way", "Requests whose body is not there yet", move || bodies.bodies() as u64);
    let peers = Arc::clone(admission);
    metrics.watch("peers", "Addresses that are connected or spoken for", move || peers.peers() as u64);
}

/// How long scrapes may go on: they take less.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody accepts here: the system takes as many as the backlog holds, and leaves the others without an answer.
    #[tokio::test]
    async fn the_clients_of_a_node_may_all_come_at_once() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
        let most = most.and_then(|text| text.trim().parse().ok()).unwrap_or(128);
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        for _ in 0..400.min(most) {
            clients.push(tokio::net::TcpStream::connect(address).await.unwrap());
        }
    }
}
