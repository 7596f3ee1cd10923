//! The `otlp` receiver.

use super::node::Node;
use super::section::Section;
use super::url::{is_host, is_port};
use crate::exchange::Level;

/// Where podstamp receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// `host:port` to listen on with OTLP/HTTP.
    pub endpoint: String,
    /// Path for traces, besides the one of deepflow-agent.
    pub traces_url_path: String,
}

/// All that is read from the receiver's section.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) receiver: Receiver,
    pub(crate) include_metadata: bool,
    /// `max_request_body_size`, bytes.
    pub(crate) body: Option<u32>,
}

impl Default for Read {
    fn default() -> Self {
        let receiver =
            Receiver { endpoint: DEFAULT_ENDPOINT.to_owned(), traces_url_path: DEFAULT_PATH.to_owned() };
        Self { receiver, include_metadata: false, body: None }
    }
}

pub(crate) fn read(node: &Node<'_>) -> Read {
    let mut section = node.section();
    let mut protocols = section.take("protocols").section();
    section.close();
    let grpc = protocols.take("grpc");
    if grpc.is_present() {
        let message = "OTLP/gRPC isn't received yet: let clients use OTLP/HTTP";
        grpc.notice(Level::Warning, "config-grpc", message);
    }
    let http = protocols.take("http");
    if grpc.is_present() && !http.is_present() {
        http.fault("is missing: podstamp receives OTLP/HTTP only so far; add `http:`");
    }
    protocols.close();
    read_http(http.section())
}

fn read_http(mut section: Section<'_>) -> Read {
    let default = Read::default();
    let endpoint = section.take("endpoint");
    let endpoint = endpoint.filled_text().and_then(|text| listen(&endpoint, &text));
    let path = section.take("traces_url_path").filled_text().map(|path| match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    });
    let include_metadata = section.take("include_metadata").flag();
    let body = section.take("max_request_body_size").size().filter(|size| *size > 0);

    section.refuse(&["tls"], "TLS isn't received yet: terminate it ahead of podstamp, or remove this");
    section.refuse(&["auth"], "podstamp cannot authenticate clients: restrict access by network policy");
    section.refuse(&["middlewares"], "podstamp has no middlewares, and one may stand for access control");
    let cors = section.take("cors");
    if cors.value().is_some() {
        let message = "has no effect here: browsers cannot send to podstamp directly";
        cors.notice(Level::Warning, "config-no-effect", message);
    }
    section.without_effect(
        &["read_timeout", "read_header_timeout", "write_timeout", "idle_timeout", "keep_alives_enabled"],
        "timeouts stand in podstamp.limits",
    );
    section.without_effect(
        &["metrics_url_path", "logs_url_path", "profiles_url_path"],
        "podstamp carries traces only",
    );
    section
        .without_effect(&["compression_algorithms"], "podstamp receives every content coding that it knows");
    section.without_effect(&["response_headers", "include_tls_metadata"], "podstamp does not use it");
    // Where it says how to listen, TCP is the only way.
    let _ = section.take("transport").choice(&[("tcp", ()), ("tcp4", ()), ("tcp6", ())]);
    section.close();

    Read {
        receiver: Receiver {
            endpoint: endpoint.unwrap_or(default.receiver.endpoint),
            traces_url_path: path.unwrap_or(default.receiver.traces_url_path),
        },
        include_metadata: include_metadata.unwrap_or(default.include_metadata),
        body,
    }
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
        node.fault(format!("`{text}` is no address to listen on: write `0.0.0.0:4318`"));
    }
    usable.then(|| text.to_owned())
}

/// As the Collector's, but by address: what `localhost` means differs from host to host.
pub const DEFAULT_ENDPOINT: &str = "127.0.0.1:4318";

/// From the OTLP specification.
pub const DEFAULT_PATH: &str = "/v1/traces";
