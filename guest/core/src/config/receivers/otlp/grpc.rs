//! `protocols.grpc`.

use super::protocol::{TRANSPORTS, read_endpoint, read_protection, refuse_middlewares};
use crate::config::document::{ENABLED, Entry, Section};
use crate::config::extensions::{Extensions, ServerAuth};
use crate::config::tls::ServerTls;

/// `protocols.grpc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// `host:port` to listen on. The same as that of HTTP: one listener takes both.
    pub endpoint: String,
    /// `max_recv_msg_size_mib`, bytes.
    pub max_message: Option<u32>,
    /// Requests at a time on one connection.
    pub max_concurrent_streams: u32,
    /// When connections are checked and ended.
    pub keepalive: Keepalive,
    /// How to receive TLS. `None`: clients speak in the clear.
    pub tls: Option<ServerTls>,
    /// The credentials that clients have to show.
    pub auth: Option<ServerAuth>,
}

/// `keepalive.server_parameters`, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long a connection may stay without a request; none: as `podstamp.limits.idle_timeout` says.
    pub max_connection_idle: Option<u32>,
    /// The age at which a connection is told to close. `None`: any.
    pub max_connection_age: Option<u32>,
    /// How long its requests may still take.
    pub max_connection_age_grace: u32,
    /// When to ping a client that says nothing.
    pub time: u32,
    /// How long a client may take to answer a ping.
    pub timeout: u32,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_GRPC_ENDPOINT.to_owned(),
            max_message: None,
            max_concurrent_streams: DEFAULT_STREAMS,
            keepalive: Keepalive::default(),
            tls: None,
            auth: None,
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            max_connection_idle: None,
            max_connection_age: None,
            max_connection_age_grace: DEFAULT_AGE_GRACE,
            time: DEFAULT_PING,
            timeout: DEFAULT_PING_TIMEOUT,
        }
    }
}

pub(super) fn read_grpc(
    mut section: Section<'_>,
    extensions: &Extensions<'_, '_>,
    include_metadata: &mut bool,
) -> Grpc {
    let endpoint = read_endpoint(&section.take("endpoint"), DEFAULT_GRPC_ENDPOINT);
    *include_metadata |= section.take("include_metadata").flag().unwrap_or_default();
    let mebibytes = section.take("max_recv_msg_size_mib");
    let max_message = mebibytes.count().filter(|count| *count > 0).and_then(|count| {
        let bytes = count.checked_mul(1 << 20);
        if bytes.is_none() {
            mebibytes.fault("is over 4095, more than podstamp can take in one piece");
        }
        bytes
    });
    let streams = section.take("max_concurrent_streams").count().filter(|count| *count > 0);
    let keepalive = read_keepalive(&section.take("keepalive").unless_disabled());

    let (tls, auth) = read_protection(&mut section, extensions);
    refuse_middlewares(&mut section);
    section.without_effect(&["read_buffer_size", "write_buffer_size"], "podstamp sizes its buffers itself");
    section.without_effect(&["include_tls_metadata"], "podstamp does not use it");
    let _ = section.take("transport").choice(TRANSPORTS);
    section.close();
    let max_concurrent_streams = streams.unwrap_or(DEFAULT_STREAMS);
    Grpc { endpoint, max_message, max_concurrent_streams, keepalive, tls, auth }
}

fn read_keepalive(entry: &Entry<'_>) -> Keepalive {
    let default = Keepalive::default();
    let mut section = entry.section();
    section.pass(&[ENABLED]);
    let mut parameters = section.take("server_parameters").unless_disabled().section();
    parameters.pass(&[ENABLED]);
    let mut duration = |key| parameters.take(key).duration().filter(|duration| *duration > 0);
    let keepalive = Keepalive {
        max_connection_idle: duration("max_connection_idle"),
        max_connection_age: duration("max_connection_age"),
        max_connection_age_grace: duration("max_connection_age_grace")
            .unwrap_or(default.max_connection_age_grace),
        time: duration("time").unwrap_or(default.time),
        timeout: duration("timeout").unwrap_or(default.timeout),
    };
    parameters.close();
    let why = "podstamp bounds what pings of a client may cost by itself";
    section.without_effect(&["enforcement_policy"], why);
    section.close();
    keepalive
}

/// The port of OTLP/gRPC.
pub const DEFAULT_GRPC_ENDPOINT: &str = "127.0.0.1:4317";

/// As many as podstamp takes at a time in all.
pub const DEFAULT_STREAMS: u32 = 256;

/// Longer than an exporter waits for one request.
const DEFAULT_AGE_GRACE: u32 = 30_000;

/// grpc-go's two hours would leave requests of a dead client hanging that long.
const DEFAULT_PING: u32 = 60_000;

/// As in grpc-go.
const DEFAULT_PING_TIMEOUT: u32 = 20_000;

/// OTLP's gRPC service for traces.
pub const GRPC_SERVICE: &str = "opentelemetry.proto.collector.trace.v1.TraceService";

/// Path of its only method.
pub const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
