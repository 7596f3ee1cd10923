//! Documents and requests that several tests send.

use serde_json::{Value, json};

use super::proxy::{proxy, root};

/// DeepFlow's simple pipeline, and more of the section `podstamp`.
pub(super) fn document(own: &Value) -> String {
    json!({
        "processors": {"k8sattributes": null, "resource": {"attributes": [
            {"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"},
        ]}},
        "exporters": {"otlphttp": {"traces_endpoint": "http://deepflow-agent.deepflow/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {
            "receivers": ["otlp"], "processors": ["k8sattributes", "resource"], "exporters": ["otlphttp"],
        }}},
        "receivers": {"otlp": {"protocols": {"http": null, "grpc": null}}},
        "podstamp": own,
    })
    .to_string()
}

pub(super) fn inline() -> u32 {
    root(&document(&json!({}))).unwrap()
}

pub(super) fn tee(own: Value) -> u32 {
    let mut own = own;
    own["proxy_wasm"] = json!({"mode": "tee", "cluster": "agent"});
    root(&document(&own)).unwrap()
}

pub(super) const HTTP: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/v1/traces?x=1"),
    ("content-type", "application/x-protobuf"),
    ("content-length", "4"),
    ("accept-encoding", "gzip"),
];

pub(super) const JSON: &[(&str, &str)] =
    &[(":method", "POST"), (":path", "/v1/traces"), ("content-type", "application/json")];

/// As it is behind the bridge.
pub(super) const GRPC: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ("content-type", "application/x-protobuf"),
];

/// As it is without a bridge.
pub(super) const FRAMED: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ("content-type", "application/grpc"),
];

/// Two ResourceSpans with an empty Resource each, one span in the first.
pub(super) const BATCH: &[u8] = b"\x0a\x06\x0a\x00\x12\x02\x12\x00\x0a\x02\x0a\x00";

pub(super) fn peer(address: &str) {
    proxy(|proxy| proxy.properties.insert("filter_state.podstamp.peer".to_owned(), address.to_owned()));
}

/// How often an address stands in what goes upstream.
pub(super) fn stamped(body: &[u8], address: &str) -> usize {
    body.windows(address.len()).filter(|window| *window == address.as_bytes()).count()
}

pub(super) fn status(code: u8, answer: &[u8]) -> bool {
    answer.starts_with(&[0x08, code])
}
