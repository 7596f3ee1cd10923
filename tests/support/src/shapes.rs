//! Bodies that grow in one way each: what a filter does with twice as much of something should take about twice as long.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::json;

/// A way to grow.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The part of a request that there is more and more of.
    pub name: &'static str,
    /// The most of it that is a sound request under all bounds.
    pub most: usize,
    /// A request with so many.
    pub make: fn(usize) -> ExportTraceServiceRequest,
}

/// All of them. Those that are about what surrounds a body are [`pieces`], [`DOCUMENT`]'s header and [`pods`].
pub const SHAPES: &[Shape] = &[
    Shape { name: "resources", most: 1 << 15, make: |n| request(vec![resource_spans(vec![]); n]) },
    Shape {
        name: "resources of pods",
        most: 1 << 14,
        make: |n| {
            let named = |number| {
                resource_spans(vec![text("k8s.pod.name", &format!("pod-{number}")), attribute(number)])
            };
            request((0..n).map(named).collect())
        },
    },
    Shape { name: "attributes", most: 1 << 15, make: |n| of_resource(attributes(n), vec![]) },
    Shape { name: "one key", most: 1 << 15, make: |n| of_resource(vec![attribute(8); n], vec![]) },
    Shape {
        name: "app.host.ip",
        most: 1 << 14,
        make: |n| {
            of_resource((0..n).map(|number| text("app.host.ip", &format!("x{number}"))).collect(), vec![])
        },
    },
    Shape { name: "deleted attributes", most: 1 << 15, make: |n| of_resource(named("gone", n), vec![]) },
    Shape { name: "hashed attributes", most: 1 << 14, make: |n| of_resource(named("hashed", n), vec![]) },
    Shape {
        name: "a text that is matched",
        most: 1 << 19,
        make: |n| of_resource(vec![text("matched", &"a-".repeat(n / 2))], vec![]),
    },
    Shape {
        name: "a list that becomes text",
        most: 1 << 15,
        make: |n| {
            let values =
                (0..n).map(|number| AnyValue { value: Some(Value::IntValue(number as i64)) }).collect();
            of_resource(vec![key_value("key.9", Value::ArrayValue(ArrayValue { values }))], vec![])
        },
    },
    Shape {
        name: "a map that becomes text",
        most: 1 << 15,
        make: |n| {
            let values = attributes(n);
            of_resource(vec![key_value("key.9", Value::KvlistValue(KeyValueList { values }))], vec![])
        },
    },
    Shape {
        name: "entity_refs",
        most: 1 << 14,
        make: |n| {
            let attributes = named("gone", n);
            let references = attributes
                .iter()
                .map(|KeyValue { key, .. }| EntityRef { id_keys: vec![key.clone()], ..EntityRef::default() });
            let references = references.collect();
            of_resource(attributes, references)
        },
    },
    Shape {
        name: "scopes",
        most: 1 << 18,
        make: |n| {
            request(vec![ResourceSpans {
                scope_spans: vec![scope_spans(vec![]); n],
                ..resource_spans(vec![])
            }])
        },
    },
    Shape { name: "spans", most: 1 << 17, make: |n| of_spans(vec![span(); n]) },
    Shape {
        name: "spans of a bad kind",
        most: 1 << 17,
        make: |n| of_spans(vec![Span { kind: 9, ..span() }; n]),
    },
    Shape {
        name: "spans from the future",
        most: 1 << 17,
        make: |n| of_spans(vec![Span { end_time_unix_nano: u64::MAX / 2, ..span() }; n]),
    },
    Shape {
        name: "spans with an IPv6 peer",
        most: 1 << 16,
        make: |n| of_spans(vec![Span { attributes: vec![text("net.peer.ip", "2001:db8::1")], ..span() }; n]),
    },
    Shape {
        name: "scopes of long names",
        most: 1 << 5,
        make: |n| {
            let long = Span { name: "n".repeat(64 << 10), attributes: attributes(100), ..span() };
            let spans =
                ResourceSpans { scope_spans: vec![scope_spans(vec![long]); n], ..resource_spans(vec![]) };
            request(vec![spans])
        },
    },
    Shape {
        name: "attributes of a span",
        most: 1 << 17,
        make: |n| of_spans(vec![Span { attributes: attributes(n), ..span() }]),
    },
    Shape {
        name: "peers of a span",
        most: 1 << 17,
        make: |n| of_spans(vec![Span { attributes: vec![text("net.peer.ip", "2001:db8::1"); n], ..span() }]),
    },
    Shape {
        name: "links of a span",
        most: 1 << 17,
        make: |n| {
            let link = Link { attributes: attributes(1), ..Link::default() };
            of_spans(vec![Span { links: vec![link; n], ..span() }])
        },
    },
    Shape {
        name: "events of a span",
        most: 1 << 17,
        make: |n| {
            let event = Event { name: "exception".to_owned(), attributes: attributes(1), ..Event::default() };
            of_spans(vec![Span { events: vec![event; n], ..span() }])
        },
    },
];

/// A ResourceSpans whose Resource comes in so many pieces with an attribute each.
pub fn pieces(count: usize) -> Vec<u8> {
    let piece = |number| {
        let resource = Resource { attributes: vec![attribute(number)], ..Resource::default() };
        ResourceSpans { resource: Some(resource), ..ResourceSpans::default() }.encode_to_vec()
    };
    let pieces: Vec<u8> = (0..count).flat_map(piece).collect();
    let mut body = vec![0x0a];
    prost::encoding::encode_varint(pieces.len() as u64, &mut body);
    body.extend(pieces);
    body
}

/// A rule of each kind, for the attributes of the shapes, and all labels of the pod. Bodies of all sizes leave in parts.
pub const DOCUMENT: &str = r#"{
    "receivers": {"otlp": {"protocols": {"http": {"include_metadata": true}}}},
    "processors": {
        "resource": {"attributes": [
            {"key": "tenant", "from_context": "metadata.x-tenant", "action": "insert"},
            {"key": "copy", "from_attribute": "key.8", "action": "upsert"},
            {"pattern": "^hashed", "action": "hash"},
            {"key": "matched", "pattern": "(?P<first>[a-z]+)-(?P<last>.*)", "action": "extract"},
            {"key": "key.9", "action": "convert", "converted_type": "string"},
            {"pattern": "^gone", "action": "delete"},
            {"key": "key.7", "action": "delete"}
        ]},
        "k8sattributes": {
            "extract": {"metadata": ["k8s.pod.name", "k8s.pod.ip"], "labels": [{"key_regex": "(.*)", "tag_name": "l.$1"}]},
            "pod_association": [
                {"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]},
                {"sources": [{"from": "connection"}]}
            ]
        }
    },
    "exporters": {"otlphttp": {"traces_endpoint": "http://127.0.0.1:1/api/v1/otel/trace"}},
    "service": {"pipelines": {"traces": {
        "receivers": ["otlp"], "processors": ["resource", "k8sattributes"], "exporters": ["otlphttp"]
    }}},
    "podstamp": {"guard": {"spans_per_request": 1000}}
}"#;

/// The list that `kubectl get pods -A -o json` prints for one pod at [`PEER`] with so many labels.
pub fn pods(labels: usize) -> serde_json::Value {
    let labels: serde_json::Map<_, _> =
        (0..labels).map(|number| (format!("label-{number}"), json!("x"))).collect();
    let labelled = json!({
        "metadata": {"name": "labelled", "namespace": "shop", "uid": "uid-labelled", "labels": labels},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "podIP": PEER.to_string(), "podIPs": [{"ip": PEER.to_string()}]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [labelled]})
}

/// Who sends them.
pub const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 100, 0, 1));

/// When, nanoseconds since 1970.
pub const NOW: u64 = 1_790_000_000_000_000_000;

fn request(resource_spans: Vec<ResourceSpans>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans }
}

fn resource_spans(attributes: Vec<KeyValue>) -> ResourceSpans {
    let resource = Some(Resource { attributes, ..Resource::default() });
    ResourceSpans { resource, scope_spans: vec![scope_spans(vec![span()])], ..ResourceSpans::default() }
}

fn of_resource(attributes: Vec<KeyValue>, entity_refs: Vec<EntityRef>) -> ExportTraceServiceRequest {
    let resource = Some(Resource { attributes, entity_refs, ..Resource::default() });
    request(vec![ResourceSpans { resource, ..resource_spans(vec![]) }])
}

fn of_spans(spans: Vec<Span>) -> ExportTraceServiceRequest {
    request(vec![ResourceSpans { scope_spans: vec![scope_spans(spans)], ..resource_spans(vec![]) }])
}

fn scope_spans(spans: Vec<Span>) -> ScopeSpans {
    let scope = Some(InstrumentationScope { name: "scope".to_owned(), ..InstrumentationScope::default() });
    ScopeSpans { scope, spans, ..ScopeSpans::default() }
}

fn span() -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![7; 8],
        name: "GET".to_owned(),
        kind: 2,
        start_time_unix_nano: NOW - 2,
        end_time_unix_nano: NOW - 1,
        ..Span::default()
    }
}

fn attributes(count: usize) -> Vec<KeyValue> {
    (0..count).map(attribute).collect()
}

fn attribute(number: usize) -> KeyValue {
    key_value(&format!("key.{number}"), Value::IntValue(number as i64))
}

fn named(begin: &str, count: usize) -> Vec<KeyValue> {
    (0..count).map(|number| key_value(&format!("{begin}.{number}"), Value::IntValue(1))).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::StringValue(value.to_owned()))
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
