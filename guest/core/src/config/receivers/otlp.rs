//! The `otlp` receiver.

pub(crate) mod cors;

use crate::config::collector::ENABLED;
use crate::config::document::{BRACKETS, Node, Section, bracketed, is_host, is_port};
use crate::config::exporters::otlphttp::{AGENT_PATH, not_carried};
use crate::config::extensions::{Authenticators, ServerAuth};
use crate::config::tls::{self, ServerTls};
use crate::interface::Level;
use crate::signal::Signal;
use cors::Cors;

/// Where podstamp receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// OTLP/HTTP.
    pub http: Option<Http>,
    /// OTLP/gRPC.
    pub grpc: Option<Grpc>,
}

/// `protocols.http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `host:port` to listen on.
    pub endpoint: String,
    /// Path for traces, besides the one of deepflow-agent.
    pub traces_url_path: String,
    /// Path for metrics.
    pub metrics_url_path: String,
    /// Path for logs.
    pub logs_url_path: String,
    /// `max_request_body_size`, bytes.
    pub max_body: Option<u32>,
    /// None: clients speak in the clear.
    pub tls: Option<ServerTls>,
    /// What clients have to show.
    pub auth: Option<ServerAuth>,
    /// Which pages of browsers may send here.
    pub cors: Option<Cors>,
}

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
    /// None: clients speak in the clear.
    pub tls: Option<ServerTls>,
    /// What clients have to show.
    pub auth: Option<ServerAuth>,
}

/// `keepalive.server_parameters`, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long a connection may stay without a request; none: as `podstamp.limits.idle_timeout` says.
    pub max_connection_idle: Option<u32>,
    /// How old a connection may grow; none: as old as it likes.
    pub max_connection_age: Option<u32>,
    /// How long requests may go on after that.
    pub max_connection_age_grace: u32,
    /// When to ping a client that says nothing.
    pub time: u32,
    /// How long it may take to answer that.
    pub timeout: u32,
}

/// All that is read from the receiver's section.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) receiver: Receiver,
    pub(crate) include_metadata: bool,
}

impl Receiver {
    /// The path that takes traces over HTTP, besides deepflow-agent's.
    pub fn traces_path(&self) -> &str {
        self.path(Signal::Traces)
    }

    /// The path that takes a signal over HTTP.
    pub fn path(&self, signal: Signal) -> &str {
        match (&self.http, signal) {
            (None, _) => signal.path(),
            (Some(http), Signal::Traces) => &http.traces_url_path,
            (Some(http), Signal::Metrics) => &http.metrics_url_path,
            (Some(http), Signal::Logs) => &http.logs_url_path,
        }
    }

    /// What is sent to `path` over HTTP.
    pub fn signal_at(&self, path: &str) -> Option<Signal> {
        let known = Signal::ALL.into_iter().find(|signal| path == self.path(*signal));
        known.or_else(|| AGENT_PATHS.contains(&path).then_some(Signal::Traces))
    }

    /// The largest request that a protocol says it takes, bytes.
    pub(crate) fn largest(&self) -> Option<u32> {
        let http = self.http.as_ref().and_then(|http| http.max_body);
        http.max(self.grpc.as_ref().and_then(|grpc| grpc.max_message))
    }
}

impl Default for Read {
    /// Both protocols, as OTLP recommends.
    fn default() -> Self {
        let http = Http {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            traces_url_path: DEFAULT_PATH.to_owned(),
            metrics_url_path: Signal::Metrics.path().to_owned(),
            logs_url_path: Signal::Logs.path().to_owned(),
            max_body: None,
            tls: None,
            auth: None,
            cors: None,
        };
        let grpc = Grpc {
            endpoint: DEFAULT_GRPC_ENDPOINT.to_owned(),
            max_message: None,
            max_concurrent_streams: DEFAULT_STREAMS,
            keepalive: Keepalive::default(),
            tls: None,
            auth: None,
        };
        Self { receiver: Receiver { http: Some(http), grpc: Some(grpc) }, include_metadata: false }
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

/// `carried`: the signals for which the document has pipelines that run.
pub(crate) fn read(node: &Node<'_>, authenticators: &Authenticators<'_, '_>, carried: &[Signal]) -> Read {
    let mut section = node.section();
    let protocols_node = section.take("protocols");
    section.close();
    let mut protocols = protocols_node.section();
    let grpc = protocols.take("grpc").unless_disabled();
    let http = protocols.take("http").unless_disabled();
    protocols.close();
    if !grpc.is_present() && !http.is_present() {
        protocols_node.fault("names neither `grpc:` nor `http:`, so that nothing would be received");
    }
    let mut include_metadata = false;
    let grpc_node = &grpc;
    let http =
        http.is_present().then(|| read_http(http.section(), authenticators, &mut include_metadata, carried));
    let grpc = grpc.is_present().then(|| read_grpc(grpc.section(), authenticators, &mut include_metadata));
    if let (Some(http), Some(grpc)) = (&http, &grpc)
        && is_same_listener(&http.endpoint, &grpc.endpoint)
        && !is_same_tls(http.tls.as_ref(), grpc.tls.as_ref())
    {
        grpc_node.fault("has the endpoint of `http`, so that both need the same `tls`: repeat it here");
    }
    Read { receiver: Receiver { http, grpc }, include_metadata }
}

/// What two sections say, whatever they are called.
fn is_same_tls(one: Option<&ServerTls>, other: Option<&ServerTls>) -> bool {
    let content = |tls: &ServerTls| {
        let ServerTls { path: _, identity, client_ca, system_roots, parameters } = tls.clone();
        let places = [Some(identity.certificates), Some(identity.private_key), client_ca];
        (places.map(|source| source.map(|source| source.place)), system_roots, parameters)
    };
    one.map(content) == other.map(content)
}

/// Whether two endpoints mean one listener. Each port 0 is another one.
pub fn is_same_listener(one: &str, other: &str) -> bool {
    one == other && !one.ends_with(":0")
}

fn read_http(
    mut section: Section<'_>,
    authenticators: &Authenticators<'_, '_>,
    include_metadata: &mut bool,
    carried: &[Signal],
) -> Http {
    let endpoint = read_endpoint(&section.take("endpoint"), DEFAULT_ENDPOINT);
    let mut path = |key, signal: Signal| {
        let node = section.take(key);
        if !carried.contains(&signal) {
            if node.is_set() {
                node.no_effect(not_carried(carried));
            }
            return signal.path().to_owned();
        }
        match node.filled_text() {
            None => signal.path().to_owned(),
            Some(path) if path.starts_with('/') => path,
            Some(path) => format!("/{path}"),
        }
    };
    let traces_url_path = path("traces_url_path", Signal::Traces);
    let metrics_url_path = path("metrics_url_path", Signal::Metrics);
    let logs_url_path = path("logs_url_path", Signal::Logs);
    *include_metadata |= section.take("include_metadata").flag().unwrap_or_default();
    let max_body = section.take("max_request_body_size").size().filter(|size| *size > 0);

    let (tls, auth) = read_protection(&mut section, authenticators);
    let cors = cors::read(&section.take("cors").unless_disabled());
    refuse_middlewares(&mut section);
    section.without_effect(
        &["read_timeout", "read_header_timeout", "write_timeout", "idle_timeout", "keep_alives_enabled"],
        "timeouts stand in podstamp.limits",
    );
    section.without_effect(&["profiles_url_path"], not_carried(carried));
    section
        .without_effect(&["compression_algorithms"], "podstamp receives every content coding that it knows");
    section.without_effect(&["response_headers", "include_tls_metadata"], "podstamp does not use it");
    // Where it says how to listen, TCP is the only way.
    let _ = section.take("transport").choice(TRANSPORTS);
    section.close();
    Http { endpoint, traces_url_path, metrics_url_path, logs_url_path, max_body, tls, auth, cors }
}

fn read_grpc(
    mut section: Section<'_>,
    authenticators: &Authenticators<'_, '_>,
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

    let (tls, auth) = read_protection(&mut section, authenticators);
    refuse_middlewares(&mut section);
    section.without_effect(&["read_buffer_size", "write_buffer_size"], "podstamp sizes its buffers itself");
    section.without_effect(&["include_tls_metadata"], "podstamp does not use it");
    let _ = section.take("transport").choice(TRANSPORTS);
    section.close();
    let max_concurrent_streams = streams.unwrap_or(DEFAULT_STREAMS);
    Grpc { endpoint, max_message, max_concurrent_streams, keepalive, tls, auth }
}

fn read_protection(
    section: &mut Section<'_>,
    authenticators: &Authenticators<'_, '_>,
) -> (Option<ServerTls>, Option<ServerAuth>) {
    section.pass(&[ENABLED]);
    section.without_effect(&["dialer"], "podstamp listens there and does not dial");
    let tls_node = section.take("tls").unless_disabled();
    let tls = tls::read_server(&tls_node);
    let node = section.take("auth").unless_disabled();
    let auth = authenticators.server(&node);
    if auth.is_some() && !tls_node.is_set() {
        let message = "there is no `tls` beside it, so that anybody on the way can read the credentials, unless a proxy \
                       ahead of podstamp has TLS";
        node.notice(Level::Warning, "config-clear-credentials", message);
    }
    (tls, auth)
}

fn refuse_middlewares(section: &mut Section<'_>) {
    section.refuse(&["middlewares"], "podstamp has no middlewares, and one may stand for access control");
}

fn read_keepalive(node: &Node<'_>) -> Keepalive {
    let default = Keepalive::default();
    let mut section = node.section();
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

fn read_endpoint(node: &Node<'_>, default: &str) -> String {
    node.filled_text().and_then(|text| listen(node, &text)).unwrap_or_else(|| default.to_owned())
}

/// Reads the address to listen on. `:4318` means all of IPv4.
pub(crate) fn listen(node: &Node<'_>, text: &str) -> Option<String> {
    let usable = match text.rsplit_once(':') {
        Some(("", port)) if is_port(port) => return Some(format!("0.0.0.0:{port}")),
        // Port 0 asks for any free one.
        Some((host, port)) => is_port(port) && is_host(host),
        None => false,
    };
    if !usable {
        let port = usual_port(node.path());
        let advice = match bracketed(text, Some(port)) {
            Some(written) => format!("{BRACKETS}, write `{written}`"),
            None if is_host(text) => format!("write `{text}:{port}`"),
            None => format!("write `0.0.0.0:{port}`"),
        };
        node.fault(format!("`{text}` is no address to listen on: {advice}"));
    }
    usable.then(|| text.to_owned())
}

/// The port that is usual for what listens there.
fn usual_port(path: &str) -> &'static str {
    match path {
        _ if path.contains(".grpc.") => "4317",
        _ if path.contains("admin.") => "8888",
        _ => "4318",
    }
}

/// As the Collector's, but by address: what `localhost` means differs from host to host.
pub const DEFAULT_ENDPOINT: &str = "127.0.0.1:4318";

/// The port of OTLP/gRPC.
pub const DEFAULT_GRPC_ENDPOINT: &str = "127.0.0.1:4317";

/// From the OTLP specification.
pub const DEFAULT_PATH: &str = "/v1/traces";

const TRANSPORTS: &[(&str, ())] = &[("tcp", ()), ("tcp4", ()), ("tcp6", ())];

/// As many as podstamp takes at a time in all.
pub const DEFAULT_STREAMS: u32 = 256;

/// Longer than an exporter waits for one request.
const DEFAULT_AGE_GRACE: u32 = 30_000;

/// grpc-go's two hours would leave requests of a dead client hanging that long.
const DEFAULT_PING: u32 = 60_000;

/// As in grpc-go.
const DEFAULT_PING_TIMEOUT: u32 = 20_000;

/// deepflow-agent's own path, and what clients make of it where it is their base URL.
pub const AGENT_PATHS: [&str; 2] = [AGENT_PATH, "/api/v1/otel/trace/v1/traces"];

/// OTLP's gRPC service for traces.
pub const GRPC_SERVICE: &str = "opentelemetry.proto.collector.trace.v1.TraceService";

/// Path of its only method.
pub const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
