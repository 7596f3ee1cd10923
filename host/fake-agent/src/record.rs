//! Records of requests.

use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use agent_hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use agent_hyper::http::request::Parts;
use serde_json::json;

use crate::harm::Harm;
use crate::value::{Attribute, Value};

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// When its head was there, in nanoseconds since 1970.
    pub began_unix_nano: u64,
    /// When its outcome was known, before the client was told, in nanoseconds since 1970.
    pub ended_unix_nano: u64,
    /// The TCP peer.
    pub peer: SocketAddr,
    /// `POST` and so on.
    pub method: String,
    /// The path, with the query string if there was one.
    pub path: String,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// All headers in order, names in lower case; what is not UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// `Content-Type`; the agent never looks at it.
    pub content_type: Option<String>,
    /// `Content-Encoding`; the agent knows `gzip` in lower case.
    pub content_encoding: Option<String>,
    /// `Content-Length`; a chunked body has none.
    pub content_length: Option<u64>,
    /// Bytes of the body as they came; 0 if it was not read.
    pub wire_bytes: u64,
    /// Bytes of the body without its encoding; 0 if it was not decoded.
    pub decoded_bytes: u64,
    /// The body as it came, if the agent was asked to keep bodies.
    pub body: Option<Vec<u8>>,
    /// The client's view of the end.
    pub outcome: Outcome,
    /// The resources that DeepFlow would have stored, in the order of the request; empty if it was not imported, or lost.
    pub resources: Vec<ResourceRecord>,
    /// What is lost of the request although the client saw 200.
    pub harms: Vec<Harm>,
}

/// How a request ended for its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A response with this status.
    Answered(u16),
    /// A closed connection (over HTTP/2 a reset stream) and no response; the reason is for people.
    Closed(String),
    /// The agent's process aborts; the reason is for people.
    Aborted(String),
}

/// One resource as it left the agent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ResourceRecord {
    /// Whether the request had a Resource at all; without one the agent adds nothing.
    pub has_resource: bool,
    /// Its attributes in order, with the `app.host.ip` that the agent added, if it did.
    pub attributes: Vec<Attribute>,
    /// The first `app.host.ip` in the request.
    pub wire_host_ip: Option<Value>,
    /// The address that DeepFlow's server takes; `0.0.0.0` when it finds none. Peers of spans may take it away again:
    /// [`SpanRecord::row_address`].
    pub server_address: IpAddr,
    /// The spans of all its scopes.
    pub spans: Vec<SpanRecord>,
}

/// As much of a span as it takes to draw the trace, and to see which pod it is shown and counted under.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanRecord {
    /// In hexadecimal.
    pub trace_id: String,
    /// In hexadecimal.
    pub span_id: String,
    /// In hexadecimal; empty for a root.
    pub parent_span_id: String,
    /// The span's name.
    pub name: String,
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since 1970.
    pub end_time_unix_nano: u64,
    /// The span's own address in DeepFlow's row: that of the resource, or `::`, no pod, where that is IPv4 and the span has
    /// an IPv6 peer.
    pub row_address: IpAddr,
    /// The address that the agent counts the span under: the last usable `app.host.ip` up to here, or the TCP peer's.
    pub metrics_address: IpAddr,
    /// The span's number in its connection, by which the agent keeps its metrics.
    pub flow_id: u64,
    /// Whether the span is among the agent's metrics; not if it ended before the seconds that they still take.
    pub counted: bool,
}

// === impl Record ===

impl Record {
    pub(crate) fn new(head: &Parts, peer: SocketAddr) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let header = |name: HeaderName| head.headers.get(name).map(|value| text(value.as_bytes()));
        let path = head.uri.path_and_query().map_or_else(|| head.uri.path(), |path| path.as_str());
        let now = unix_nanoseconds();
        Self {
            began_unix_nano: now,
            ended_unix_nano: now,
            peer,
            method: head.method.to_string(),
            path: path.to_owned(),
            version: format!("{:?}", head.version),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
                .collect(),
            content_type: header(CONTENT_TYPE),
            content_encoding: header(CONTENT_ENCODING),
            content_length: header(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            wire_bytes: 0,
            decoded_bytes: 0,
            body: None,
            outcome: Outcome::Closed(String::new()),
            resources: Vec::new(),
            harms: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.ended_unix_nano = unix_nanoseconds();
    }

    /// The spans of all resources.
    pub fn spans(&self) -> impl Iterator<Item = &SpanRecord> {
        self.resources.iter().flat_map(|resource| &resource.spans)
    }

    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A line of the record file, without the body.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "began_unix_nano": self.began_unix_nano,
            "ended_unix_nano": self.ended_unix_nano,
            "peer": self.peer.to_string(),
            "method": self.method,
            "path": self.path,
            "version": self.version,
            "headers": self.headers,
            "content_type": self.content_type,
            "content_encoding": self.content_encoding,
            "content_length": self.content_length,
            "wire_bytes": self.wire_bytes,
            "decoded_bytes": self.decoded_bytes,
            "outcome": self.outcome.to_json(),
            "resources": self.resources.iter().map(ResourceRecord::to_json).collect::<Vec<_>>(),
            "harms": self.harms.iter().map(|harm| harm.to_json()).collect::<Vec<_>>(),
        })
    }
}

// === impl Outcome ===

impl Outcome {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Answered(status) => json!({ "answered": status }),
            Self::Closed(reason) => json!({ "closed": reason }),
            Self::Aborted(reason) => json!({ "aborted": reason }),
        }
    }
}

// === impl ResourceRecord ===

impl ResourceRecord {
    /// The first value of that key.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    /// `service.name` as the agent's metrics have it: the last one that is text.
    pub(crate) fn service(&self) -> Option<&str> {
        let names = self.attributes.iter().rev().filter(|attribute| attribute.key == "service.name");
        names.filter_map(|attribute| attribute.value.as_str()).next()
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "has_resource": self.has_resource,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
            "wire_host_ip": self.wire_host_ip.as_ref().map(Value::to_json),
            "server_address": self.server_address.to_string(),
            "span_count": self.spans.len(),
            "spans": self.spans.iter().map(SpanRecord::to_json).collect::<Vec<_>>(),
        })
    }
}

// === impl SpanRecord ===

impl SpanRecord {
    fn to_json(&self) -> serde_json::Value {
        json!({
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "name": self.name,
            "kind": self.kind,
            "start_time_unix_nano": self.start_time_unix_nano,
            "end_time_unix_nano": self.end_time_unix_nano,
            "row_address": self.row_address.to_string(),
            "metrics_address": self.metrics_address.to_string(),
            "flow_id": self.flow_id,
            "counted": self.counted,
        })
    }
}

/// The clock's time; 0 on a machine whose clock is before 1970.
fn unix_nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Identifiers as people write them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
