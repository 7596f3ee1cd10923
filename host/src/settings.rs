//! What the serving half needs to know. Set by code; the configuration document compiles to it.

use std::time::Duration;

use ipnet::IpNet;
use podstamp_core::config::{self, ClientAuth, ClientTls, Compression, ServerAuth, ServerTls};

/// Where to listen, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where requests are taken.
    pub listeners: Vec<Listener>,
    /// Path that takes traces over HTTP besides deepflow-agent's own.
    pub traces_path: String,
    /// Address of the admin listener; none: no such listener.
    pub admin: Option<String>,
    /// What one request, and all together, may take.
    pub limits: Limits,
    /// How to meet the upstream.
    pub upstream: Upstream,
    /// Who gets copies, in the order in which the filter names them.
    pub copies: Vec<Copy>,
    /// How long requests in flight may go on after the order to stop.
    pub drain_timeout: Duration,
}

/// Somebody who gets a copy of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// What it is called in metrics.
    pub name: String,
    /// How to meet it.
    pub upstream: Upstream,
}

/// How to meet the upstream. Where it is, the filter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// How to use TLS for https URLs; none: there are none.
    pub tls: Option<ClientTls>,
    /// What to show to it.
    pub auth: Option<ClientAuth>,
    /// Content coding of what goes there.
    pub compression: Compression,
}

impl Default for Upstream {
    fn default() -> Self {
        Self { tls: None, auth: None, compression: Compression::None }
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
            admin: None,
            limits: Limits::default(),
            upstream: Upstream::default(),
            copies: Vec::new(),
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
        }
    }
}

/// One address to listen on. It may take both protocols: they are told apart by their content type.
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
    /// None: connections are in the clear.
    pub tls: Option<ServerTls>,
}

impl Listener {
    /// One for OTLP/HTTP.
    pub fn http(address: &str) -> Self {
        let http = Some(Http::default());
        Self { address: address.to_owned(), http, grpc: None, proxies: Vec::new(), tls: None }
    }

    /// One for OTLP/gRPC.
    pub fn grpc(address: &str) -> Self {
        let grpc = Some(Grpc::default());
        Self { address: address.to_owned(), http: None, grpc, proxies: Vec::new(), tls: None }
    }
}

/// OTLP/HTTP on a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Bytes of a body, where they are fewer than [`Limits::body`].
    pub body: Option<usize>,
    /// What clients have to show.
    pub auth: Option<ServerAuth>,
    /// Which pages of browsers may send here.
    pub cors: Option<config::Cors>,
}

/// OTLP/gRPC on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// Bytes of a message, where they are fewer than [`Limits::body`].
    pub message: Option<usize>,
    /// What clients have to show.
    pub auth: Option<ServerAuth>,
    /// Requests at a time on one connection.
    pub concurrent_streams: u32,
    /// How long a connection may stay without a request; none: [`Limits::idle_timeout`].
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
    /// One without a limit and a gate of its own.
    pub(crate) fn new(concurrent_streams: u32, keepalive: config::Keepalive) -> Self {
        let milliseconds = |count: u32| Duration::from_millis(count.into());
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
    /// As a document that names the protocol and nothing else.
    fn default() -> Self {
        Self::new(config::DEFAULT_STREAMS, config::Keepalive::default())
    }
}

/// What one request, and all together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body, as it comes and after its content coding is undone.
    pub body: usize,
    /// Requests at a time; one more gets 503.
    pub in_flight: usize,
    /// Bytes of all bodies at a time; what does not fit gets 503.
    pub in_flight_bytes: usize,
    /// Connections at a time; more wait in the listener's queue.
    pub connections: Option<usize>,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub read_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// Large bodies that the filter works on at a time, away from the async workers.
    pub large_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: DEFAULT_BODY,
            in_flight: DEFAULT_IN_FLIGHT,
            in_flight_bytes: DEFAULT_IN_FLIGHT_BYTES,
            connections: None,
            header_timeout: DEFAULT_HEADER_TIMEOUT,
            read_timeout: DEFAULT_READ_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            large_calls: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// OTLP recommends 64 MiB, before and after decompression.
pub const DEFAULT_BODY: usize = 64 << 20;

/// Enough for the exporters of a busy node; past it, waiting only adds latency.
pub const DEFAULT_IN_FLIGHT: usize = 1024;

/// Four bodies of the largest size, or thousands of usual ones.
pub const DEFAULT_IN_FLIGHT_BYTES: usize = 256 << 20;

/// A head is one packet: who needs longer holds the connection on purpose.
pub const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// 64 MiB at 20 Mbit/s.
pub const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than the 90 s after which Go's HTTP client, and so a Collector, lets go of an idle connection by itself.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Kubernetes kills 30 s after SIGTERM.
pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
