//! What the serving half needs to know. Set by code; the configuration document compiles to it.

use std::time::Duration;

use podstamp_core::config::Compression;

/// Where to listen, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address for OTLP/HTTP, `host:port`. Port 0 takes a free one.
    pub listen: String,
    /// Path that takes traces besides deepflow-agent's own.
    pub traces_path: String,
    /// Address of the admin listener; none: no such listener.
    pub admin: Option<String>,
    /// What one request, and all together, may take.
    pub limits: Limits,
    /// Content coding of what goes upstream.
    pub compression: Compression,
    /// How long requests in flight may go on after the order to stop.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN.to_owned(),
            traces_path: DEFAULT_TRACES_PATH.to_owned(),
            admin: None,
            limits: Limits::default(),
            compression: Compression::None,
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
        }
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

/// Loopback, as the Collector's otlpreceiver has it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4318";

/// OTLP's own path.
pub const DEFAULT_TRACES_PATH: &str = "/v1/traces";

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
