//! `protocols.http`.

use super::cors::{Cors, read_cors};
use super::protocol::{TRANSPORTS, read_endpoint, read_protection, refuse_middlewares};
use crate::config::document::Section;
use crate::config::extensions::{Extensions, ServerAuth};
use crate::config::signals::not_carried;
use crate::config::tls::ServerTls;
use crate::signal::Signal;

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
    /// How to receive TLS. `None`: clients speak in the clear.
    pub tls: Option<ServerTls>,
    /// The credentials that clients have to show.
    pub auth: Option<ServerAuth>,
    /// The pages that browsers may send from.
    pub cors: Option<Cors>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            traces_url_path: DEFAULT_PATH.to_owned(),
            metrics_url_path: Signal::Metrics.path().to_owned(),
            logs_url_path: Signal::Logs.path().to_owned(),
            max_body: None,
            tls: None,
            auth: None,
            cors: None,
        }
    }
}

pub(super) fn read_http(
    mut section: Section<'_>,
    extensions: &Extensions<'_, '_>,
    include_metadata: &mut bool,
    carried: &[Signal],
) -> Http {
    let endpoint = read_endpoint(&section.take("endpoint"), DEFAULT_ENDPOINT);
    let mut path = |key, signal: Signal| {
        let entry = section.take(key);
        if !carried.contains(&signal) {
            if entry.is_set() {
                entry.no_effect(not_carried(carried));
            }
            return signal.path().to_owned();
        }
        match entry.filled_text() {
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

    let (tls, auth) = read_protection(&mut section, extensions);
    let cors = read_cors(&section.take("cors").unless_disabled());
    refuse_middlewares(&mut section);
    section.without_effect(
        &["read_timeout", "read_header_timeout", "write_timeout", "idle_timeout", "keep_alives_enabled"],
        "timeouts stand in podstamp.limits",
    );
    section.without_effect(&["profiles_url_path"], not_carried(carried));
    section
        .without_effect(&["compression_algorithms"], "podstamp receives every content coding that it knows");
    section.without_effect(&["response_headers", "include_tls_metadata"], "podstamp does not use it");
    // TCP is the only transport.
    let _ = section.take("transport").choice(TRANSPORTS);
    section.close();
    Http { endpoint, traces_url_path, metrics_url_path, logs_url_path, max_body, tls, auth, cors }
}

/// As the Collector's, but by address: what `localhost` means differs from host to host.
pub const DEFAULT_ENDPOINT: &str = "127.0.0.1:4318";

/// From the OTLP specification.
pub const DEFAULT_PATH: &str = "/v1/traces";
