//! Small export requests.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// A request with one resource and span for each service and pod.
pub fn export(pods: &[(&str, &str)]) -> Vec<u8> {
    encode(pods.iter().map(|(service, pod)| resource(service, pod)).collect())
}

/// The request of [`export`] as OTLP/JSON.
#[cfg(feature = "client")]
pub fn export_json(pods: &[(&str, &str)]) -> Vec<u8> {
    let resource_spans = pods.iter().map(|(service, pod)| resource(service, pod)).collect();
    serde_json::to_vec(&ExportTraceServiceRequest { resource_spans }).unwrap()
}

/// A request with one span, of some kind.
pub fn export_kind(service: &str, pod: &str, kind: i32) -> Vec<u8> {
    let mut resource = resource(service, pod);
    resource.scope_spans[0].spans[0].kind = kind;
    encode(vec![resource])
}

/// A request of one pod with these spans.
pub fn export_spans(service: &str, pod: &str, spans: Vec<Span>) -> Vec<u8> {
    let mut resource = resource(service, pod);
    resource.scope_spans[0].spans = spans;
    encode(vec![resource])
}

/// A span that took a millisecond, with its end in nanoseconds since 1970 and text attributes.
pub fn span(end: u64, attributes: &[(&str, &str)]) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "work".to_owned(),
        kind: 2,
        start_time_unix_nano: end - 1_000_000,
        end_time_unix_nano: end,
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        ..Default::default()
    }
}

/// A batch of some kilobytes, from many services of the pod `web-1`.
pub fn many() -> Vec<u8> {
    let services: Vec<_> = (0..200).map(|index| format!("service-{index}")).collect();
    let resources: Vec<_> = services.iter().map(|service| (&**service, "web-1")).collect();
    export(&resources)
}

/// A batch of at least so many bytes of the pod `pod`, no resource of which is too large by itself.
pub fn large(size: usize, pod: &str) -> Vec<u8> {
    let service = "s".repeat(512 << 10);
    export(&vec![(&*service, pod); size.div_ceil(service.len())])
}

/// A request whose last span has an attribute of which the type is wrong: the walk does not see it, the agent does.
pub fn broken_deep_in_a_span() -> Vec<u8> {
    let mut resource = resource("shop", "shop-1");
    resource.scope_spans[0].spans[0].attributes = vec![text("broken", "MARK")];
    with_a_number_for_text(encode(vec![resource]), "MARK")
}

/// Makes of the tag ahead of a text, and of its length, one that says that a number follows.
pub fn with_a_number_for_text(mut body: Vec<u8>, text: &str) -> Vec<u8> {
    let at = body.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    body[at - 2] &= !7;
    body
}

/// The list that `kubectl get pods -A -o json` prints for some pods, each with its address.
pub fn pods(pods: &[(&str, &str)]) -> String {
    let items: Vec<_> = pods
        .iter()
        .map(|(name, address)| {
            serde_json::json!({
                "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-of-{name}")},
                "spec": {"nodeName": "node-1"},
                "status": {"phase": "Running", "hostIP": "192.168.1.1", "podIP": address, "podIPs": [{"ip": address}]},
            })
        })
        .collect();
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn resource(service: &str, pod: &str) -> ResourceSpans {
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![service.len() as u8 + 1; 8],
        name: "work".to_owned(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Default::default()
    };
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", service), text("host.name", pod)],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
        ..Default::default()
    }
}

fn encode(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}
