//! The `otlp` receiver.

pub(crate) mod cors;
mod grpc;
mod http;
mod protocol;

use grpc::read_grpc;
use http::read_http;

use crate::config::agent::AGENT_PATHS;
use crate::config::document::Entry;
use crate::config::extensions::Extensions;
use crate::config::tls::ServerTls;
use crate::signal::Signal;

pub use grpc::{DEFAULT_GRPC_ENDPOINT, DEFAULT_STREAMS, GRPC_PATH, GRPC_SERVICE, Grpc, Keepalive};
pub use http::{DEFAULT_ENDPOINT, DEFAULT_PATH, Http};

/// Where podstamp receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// OTLP/HTTP.
    pub http: Option<Http>,
    /// OTLP/gRPC.
    pub grpc: Option<Grpc>,
}

/// All that is read from the receiver's section.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverSection {
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

    /// The signal that is sent to `path` over HTTP.
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

impl Default for ReceiverSection {
    /// Both protocols, as OTLP recommends.
    fn default() -> Self {
        Self {
            receiver: Receiver { http: Some(Http::default()), grpc: Some(Grpc::default()) },
            include_metadata: false,
        }
    }
}

/// Reads the receiver. `carried`: the signals for which the document has pipelines that run.
pub(crate) fn read_receiver(
    entry: &Entry<'_>,
    extensions: &Extensions<'_, '_>,
    carried: &[Signal],
) -> ReceiverSection {
    let mut section = entry.section();
    let protocols_entry = section.take("protocols");
    section.close();
    let mut protocols = protocols_entry.section();
    let grpc = protocols.take("grpc").unless_disabled();
    let http = protocols.take("http").unless_disabled();
    protocols.close();
    if !grpc.is_present() && !http.is_present() {
        protocols_entry.fault("names neither `grpc:` nor `http:`, so that nothing would be received");
    }
    let mut include_metadata = false;
    let grpc_entry = &grpc;
    let http =
        http.is_present().then(|| read_http(http.section(), extensions, &mut include_metadata, carried));
    let grpc = grpc.is_present().then(|| read_grpc(grpc.section(), extensions, &mut include_metadata));
    if let (Some(http), Some(grpc)) = (&http, &grpc)
        && is_same_listener(&http.endpoint, &grpc.endpoint)
        && !is_same_tls(http.tls.as_ref(), grpc.tls.as_ref())
    {
        grpc_entry.fault("has the endpoint of `http`, so that both need the same `tls`: repeat it here");
    }
    ReceiverSection { receiver: Receiver { http, grpc }, include_metadata }
}

/// Whether two sections say the same; their own paths do not count.
fn is_same_tls(one: Option<&ServerTls>, other: Option<&ServerTls>) -> bool {
    let content = |tls: &ServerTls| {
        let ServerTls { path: _, identity, client_ca, system_roots, parameters } = tls.clone();
        let places = [Some(identity.certificates), Some(identity.private_key), client_ca];
        (places.map(|source| source.map(|source| source.place)), system_roots, parameters)
    };
    one.map(content) == other.map(content)
}

/// Whether two endpoints are one listener. Each port 0 is another port.
pub fn is_same_listener(one: &str, other: &str) -> bool {
    one == other && !one.ends_with(":0")
}
