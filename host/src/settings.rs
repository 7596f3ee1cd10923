//! What a server needs to know. Code sets it; the configuration document compiles to it.

pub(crate) mod descriptors;

use std::time::Duration;

use ipnet::IpNet;
use podstamp_core::config::Rules;
use podstamp_core::config::{
    self, ClientAuth, ClientTls, Compression, SendingQueue, ServerAuth, ServerTls, Sizer,
};
use podstamp_core::interface::Signal;

/// The settings of a server: where it listens, where it sends, and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The addresses that take requests.
    pub listeners: Vec<Listener>,
    /// Path that takes traces over HTTP besides deepflow-agent's own.
    pub traces_path: String,
    /// Proxies whose forwarding headers are believed: their requests count for the peers that these name.
    pub trusted_proxies: Vec<IpNet>,
    /// The admin listener; `None` without one.
    pub admin: Option<Admin>,
    /// What one request, and all of them together, may take.
    pub limits: Limits,
    /// The upstream of traces.
    pub upstream: Upstream,
    /// The further exporters of traces, in the order in which the filter names them.
    pub copies: Vec<CopyTarget>,
    /// The route of metrics; `None`: they are refused.
    pub metrics: Option<Route>,
    /// The route of logs; `None`: they are refused.
    pub logs: Option<Route>,
    /// The memory of the process from which requests are refused; `None`: they never are for that.
    pub memory_limiter: Option<MemoryLimiter>,
    /// Whether clients are told to come again until the pod directory has its first table.
    pub waits_for_pods: bool,
    /// How long requests are still taken after the order to stop: endpoints and balancers lag behind.
    pub drain_delay: Duration,
    /// How long requests in flight may go on after the order to stop, the delay included.
    pub drain_timeout: Duration,
}

/// The admin listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// `host:port`. Port 0 takes a free one.
    pub address: String,
    /// The page for people, and what it asks; `None` without it.
    pub console: Option<Console>,
    /// The authenticator of all but probes.
    pub auth: Option<ServerAuth>,
    /// Names by which the listener may be asked for, in lower case, besides those that only a cluster or this machine has.
    pub hosts: Vec<String>,
}

/// The page for people on the admin listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// Whether attributes and status messages of spans are kept and shown.
    pub payloads: bool,
    /// The URL of a trace elsewhere, with `{trace_id}` in it.
    pub trace_link: Option<String>,
}

/// Where a signal besides traces is taken, and where it goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Path that takes the signal over HTTP.
    pub path: String,
    /// The signal's upstream.
    pub upstream: Upstream,
    /// The signal's further exporters, in the order in which the filter names them.
    pub copies: Vec<CopyTarget>,
}

/// A further exporter, which gets a copy of every batch of its signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyTarget {
    /// The exporter's name in metrics.
    pub name: String,
    /// Where the copies go.
    pub upstream: Upstream,
}

/// How to send to an upstream. Its URL comes from the filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// TLS for https URLs; `None` where there are none.
    pub tls: Option<ClientTls>,
    /// The credentials that are sent along.
    pub auth: Option<ClientAuth>,
    /// Content coding of what is sent.
    pub compression: Compression,
    /// Connections at a time to each address, each with one request at a time; what waits meanwhile goes together. `None`: any
    /// number.
    pub connections: Option<usize>,
    /// How long a client waits for its answer, whatever the upstream does. An upstream that nobody reached for that long
    /// counts as away.
    pub patience: Duration,
    /// How old a connection may grow, give or take a tenth, before it is replaced between two requests; `None`: any age.
    pub max_connection_age: Option<Duration>,
    /// Whether the address on this node goes ahead of the others.
    pub prefer_local_node: bool,
    /// Where requests wait that the upstream does not take; `None`: with their clients.
    pub queue: Option<Queue>,
    /// How small requests are put together; `None`: each leaves by itself, unless it has to wait for a connection.
    pub batch: Option<Batch>,
    /// Spans that one request of several clients may have; 0: any number.
    pub spans_per_request: u32,
    /// Bytes that such a request may take in deepflow-agent's memory; 0: any number.
    pub agent_memory: u32,
}

impl Default for Upstream {
    /// The settings for a deepflow-agent, whose process a second connection may end.
    fn default() -> Self {
        let Rules { spans_per_request, agent_memory, .. } = Rules::AGENT;
        Self {
            tls: None,
            auth: None,
            compression: Compression::None,
            connections: Some(1),
            patience: milliseconds(config::DEFAULT_PATIENCE),
            max_connection_age: Some(MAX_CONNECTION_AGE),
            prefer_local_node: false,
            queue: None,
            batch: None,
            spans_per_request,
            agent_memory,
        }
    }
}

/// From how much memory on requests are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimiter {
    /// The section that says so, for example `processors.memory_limiter`.
    pub path: String,
    /// The bytes that the process is to stay under.
    pub limit: u64,
    /// The bytes over which requests are refused: the limit, less what may come before somebody looks again.
    pub refused_from: u64,
    /// How often memory is looked at.
    pub check_interval: Duration,
}

/// The queue of an exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// How it is kept and emptied.
    pub sending: SendingQueue,
    /// The most bytes of bodies that it has in memory, whatever its own size. One on disk has none there.
    pub memory: u64,
    /// How long the upstream has for its answer before a request is queued and its client gets 200.
    pub patience: Duration,
    /// What is queued goes where this says, with its headers, and is tried again as this says.
    pub exporter: config::Exporter,
}

/// How small requests of several clients are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How long a request waits for others.
    pub timeout: Duration,
    /// The items from which a batch leaves at once; 0: any number.
    pub size: u32,
    /// The most items of one batch; 0: any number.
    pub max_size: u32,
}

impl Upstream {
    /// The queue, where requests are to be sent later: not where each is tried once, nor where clients wait for the outcome.
    pub(crate) fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref().filter(|queue| queue.exporter.retry.enabled && !queue.sending.wait_for_result)
    }
}

impl Admin {
    /// A listener without console and credentials.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::default() }
    }
}

impl From<config::Admin> for Admin {
    fn from(admin: config::Admin) -> Self {
        let config::Admin { endpoint, console, auth, hosts } = admin;
        let console =
            console.map(|config::Console { payloads, trace_link }| Console { payloads, trace_link });
        Self { address: endpoint, console, auth, hosts }
    }
}

impl Settings {
    /// The path that takes a signal over HTTP; `None` where the signal is refused.
    pub(crate) fn path(&self, signal: Signal) -> Option<&str> {
        match signal {
            Signal::Traces => Some(&self.traces_path),
            Signal::Metrics => self.metrics.as_ref().map(|route| route.path.as_str()),
            Signal::Logs => self.logs.as_ref().map(|route| route.path.as_str()),
        }
    }

    /// The upstream of a signal and its further exporters; `None` where the signal is refused.
    pub(crate) fn upstreams(&self, signal: Signal) -> Option<(&Upstream, &[CopyTarget])> {
        let route = match signal {
            Signal::Traces => return Some((&self.upstream, &self.copies)),
            Signal::Metrics => self.metrics.as_ref()?,
            Signal::Logs => self.logs.as_ref()?,
        };
        Some((&route.upstream, &route.copies))
    }

    /// The queues of all signals, those of further exporters included.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (Signal, &Queue)> + Clone {
        let all = Signal::ALL.into_iter().filter_map(|signal| Some((signal, self.upstreams(signal)?)));
        all.flat_map(|(signal, (upstream, copies))| {
            let upstreams = std::iter::once(upstream).chain(copies.iter().map(|copy| &copy.upstream));
            upstreams.filter_map(move |upstream| Some((signal, upstream.queue()?)))
        })
    }

    /// Gives each queue in memory whose size is not in bytes as many of them.
    pub(crate) fn bound_queues(&mut self, bytes: u64) {
        let further = [&mut self.metrics, &mut self.logs].into_iter().flatten();
        let further = further.flat_map(|route| {
            std::iter::once(&mut route.upstream).chain(route.copies.iter_mut().map(|copy| &mut copy.upstream))
        });
        let traces =
            std::iter::once(&mut self.upstream).chain(self.copies.iter_mut().map(|copy| &mut copy.upstream));
        for queue in traces.chain(further).filter_map(|upstream| upstream.queue.as_mut()) {
            if queue.sending.storage.is_none() && queue.sending.sizer != Sizer::Bytes {
                queue.memory = bytes;
            }
        }
    }

    /// The upstreams of all signals, further exporters included.
    pub(crate) fn all_upstreams(&self) -> impl Iterator<Item = &Upstream> {
        let all = Signal::ALL.into_iter().filter_map(|signal| self.upstreams(signal));
        all.flat_map(|(upstream, copies)| {
            std::iter::once(upstream).chain(copies.iter().map(|copy| &copy.upstream))
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listeners: vec![
                Listener::http(config::DEFAULT_ENDPOINT),
                Listener::grpc(config::DEFAULT_GRPC_ENDPOINT),
            ],
            traces_path: config::DEFAULT_PATH.to_owned(),
            trusted_proxies: Vec::new(),
            admin: None,
            limits: Limits::default(),
            upstream: Upstream::default(),
            copies: Vec::new(),
            metrics: None,
            logs: None,
            memory_limiter: None,
            waits_for_pods: false,
            drain_delay: milliseconds(config::DEFAULT_DRAIN_DELAY),
            drain_timeout: milliseconds(config::Limits::default().drain_timeout),
        }
    }
}

/// An address to listen on. One address may take both protocols, which content types tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `host:port`. Port 0 takes a free one.
    pub address: String,
    /// Whether and how OTLP/HTTP is taken, over HTTP/1.1 and HTTP/2.
    pub http: Option<Http>,
    /// Whether and how OTLP/gRPC is taken.
    pub grpc: Option<Grpc>,
    /// Peers whose connections begin with a PROXY header.
    pub proxies: Vec<IpNet>,
    /// TLS of connections; `None`: they are in the clear.
    pub tls: Option<ServerTls>,
    /// Whether a protocol that is `None` above is refused. Otherwise it is taken on the other one's terms.
    pub strict: bool,
}

/// The terms on which a listener takes a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms<'a> {
    /// The protocol's own limit of a body, bytes.
    pub(crate) body: Option<usize>,
    /// The authenticator of clients.
    pub(crate) auth: Option<&'a ServerAuth>,
}

impl Listener {
    /// The terms for OTLP/HTTP; `None` where the listener refuses it.
    pub(crate) fn over_http(&self) -> Option<Terms<'_>> {
        self.http_terms().or_else(|| self.grpc_terms().filter(|_| !self.strict))
    }

    /// The terms for OTLP/gRPC; `None` where the listener refuses it.
    pub(crate) fn over_grpc(&self) -> Option<Terms<'_>> {
        self.grpc_terms().or_else(|| self.http_terms().filter(|_| !self.strict))
    }

    fn http_terms(&self) -> Option<Terms<'_>> {
        self.http.as_ref().map(|http| Terms { body: http.body, auth: http.auth.as_ref() })
    }

    fn grpc_terms(&self) -> Option<Terms<'_>> {
        self.grpc.as_ref().map(|grpc| Terms { body: grpc.message, auth: grpc.auth.as_ref() })
    }

    /// A listener for OTLP/HTTP.
    pub fn http(address: &str) -> Self {
        let http = Some(Http::default());
        Self { address: address.to_owned(), http, grpc: None, proxies: Vec::new(), tls: None, strict: false }
    }

    /// A listener for OTLP/gRPC.
    pub fn grpc(address: &str) -> Self {
        let grpc = Some(Grpc::default());
        Self { address: address.to_owned(), http: None, grpc, proxies: Vec::new(), tls: None, strict: false }
    }
}

/// OTLP/HTTP on a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Bytes of a body, where they are fewer than [`Limits::body`].
    pub body: Option<usize>,
    /// The authenticator of clients.
    pub auth: Option<ServerAuth>,
    /// The origins whose scripts may send here.
    pub cors: Option<config::Cors>,
}

/// OTLP/gRPC on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// Bytes of a message, where they are fewer than [`Limits::body`].
    pub message: Option<usize>,
    /// The authenticator of clients.
    pub auth: Option<ServerAuth>,
    /// Requests at a time on one connection.
    pub concurrent_streams: u32,
    /// How long a connection may stay without a request; `None`: [`Limits::idle_timeout`].
    pub idle: Option<Duration>,
    /// How old a connection may grow, give or take a tenth, before it is ended, so that clients spread over new pods.
    pub age: Option<Duration>,
    /// How long requests may go on after that.
    pub age_grace: Duration,
    /// When to ping a client that says nothing.
    pub ping_interval: Duration,
    /// How long it may take to answer that.
    pub ping_timeout: Duration,
}

impl Grpc {
    /// OTLP/gRPC without a limit and an authenticator of its own.
    pub(crate) fn new(concurrent_streams: u32, keepalive: config::Keepalive) -> Self {
        Self {
            message: None,
            auth: None,
            concurrent_streams,
            idle: keepalive.max_connection_idle.map(milliseconds),
            age: keepalive.max_connection_age.map(milliseconds),
            age_grace: milliseconds(keepalive.max_connection_age_grace),
            ping_interval: milliseconds(keepalive.time),
            ping_timeout: milliseconds(keepalive.timeout),
        }
    }
}

impl Default for Grpc {
    /// The settings of a document that names the protocol and nothing else.
    fn default() -> Self {
        Self::new(config::DEFAULT_STREAMS, config::Keepalive::default())
    }
}

/// What one request, and all together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body, as it comes and after it is decoded.
    pub body: usize,
    /// Requests at a time; one more gets 503.
    pub in_flight: usize,
    /// Bytes of all bodies at a time; what does not fit gets 503.
    pub in_flight_bytes: usize,
    /// One peer's share, in thousandths, of the two limits above, of `connections` and of bodies on their way.
    pub per_peer: u32,
    /// Connections at a time; more wait in the listener's queue. Bodies on their way may be as many.
    pub connections: Option<usize>,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub read_timeout: Duration,
    /// The least rate of a body, bytes a second; 0: any.
    pub body_rate: usize,
    /// How long a body may take before that rate counts.
    pub body_grace: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// Costly bodies that are worked on at a time, away from the async workers: one CPU is left for everything else.
    pub large_calls: usize,
}

impl From<&config::Limits> for Limits {
    fn from(limits: &config::Limits) -> Self {
        Self {
            body: limits.body as usize,
            in_flight: limits.in_flight as usize,
            in_flight_bytes: limits.in_flight_bytes as usize,
            per_peer: limits.per_peer,
            connections: match limits.connections {
                0 => descriptors::connections(),
                connections => Some(connections as usize),
            },
            header_timeout: milliseconds(limits.header_timeout),
            read_timeout: milliseconds(limits.read_timeout),
            body_rate: limits.body_rate as usize,
            body_grace: milliseconds(limits.body_grace),
            idle_timeout: milliseconds(limits.idle_timeout),
            large_calls: workers().saturating_sub(1).max(1),
        }
    }
}

impl Default for Limits {
    /// The limits of a document that states none.
    fn default() -> Self {
        Self::from(&config::Limits::default())
    }
}

/// How old a connection upstream may grow by default.
pub(crate) const MAX_CONNECTION_AGE: Duration = Duration::from_secs(300);

/// A time that the document's limits give in milliseconds.
pub(crate) fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

/// How many threads work at a time.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
