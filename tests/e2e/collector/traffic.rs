//! Resources as they come in real life, and some that should not.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// The name of its span, and its attributes; `None` for no Resource at all.
pub(crate) type Case = (&'static str, Option<Vec<KeyValue>>);

/// All cases, of the pods in `tests/fixtures/pods.json`.
pub(crate) fn cases() -> Vec<Case> {
    let texts = |pairs: &[(&str, &str)]| Some(pairs.iter().map(|(key, value)| text(key, value)).collect());
    const WEB: &str = "shop-web-7d4b9c6f58-x2x7k";
    vec![
        ("host name", texts(&[("service.name", "web"), ("host.name", WEB)])),
        ("pod name", texts(&[("service.name", "web"), ("k8s.pod.name", WEB)])),
        ("pod ip", texts(&[("service.name", "item"), ("k8s.pod.ip", "10.244.2.23")])),
        ("pod ip of the other family", texts(&[("k8s.pod.ip", "fd00:10:244:2::17")])),
        ("pod uid", texts(&[("k8s.pod.uid", "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a07")])),
        ("name in two namespaces", texts(&[("host.name", "order-0")])),
        ("name and namespace", texts(&[("host.name", "order-0"), ("k8s.namespace.name", "shop-staging")])),
        ("host network by name", texts(&[("host.name", "kube-proxy-4hxkq")])),
        ("node address as pod ip", texts(&[("k8s.pod.ip", "192.168.10.11")])),
        ("address of a finished pod, used again", texts(&[("k8s.pod.ip", "10.244.2.40")])),
        ("address of two pods", texts(&[("k8s.pod.ip", "10.244.1.50")])),
        ("ignored pod", texts(&[("host.name", "gateway-6d5f8b9c77-zz9xx")])),
        ("unknown host name", texts(&[("host.name", "laptop")])),
        ("unknown host name, known ip", texts(&[("host.name", "laptop"), ("k8s.pod.ip", "10.244.1.17")])),
        ("unknown pod ip", texts(&[("k8s.pod.ip", "10.244.9.9")])),
        ("pod ip that is none", texts(&[("k8s.pod.ip", "not an address")])),
        ("pod ip that is a number", Some(vec![attribute("k8s.pod.ip", Value::IntValue(7))])),
        ("nothing", texts(&[])),
        ("service alone", texts(&[("service.name", "mystery")])),
        ("no resource", None),
        ("app.host.ip", texts(&[("app.host.ip", "10.244.1.17")])),
        ("app.host.ip of another pod", texts(&[("host.name", WEB), ("app.host.ip", "10.244.2.23")])),
        ("app.host.ip mapped", texts(&[("app.host.ip", "::ffff:10.244.1.17")])),
        ("app.host.ip that is none", texts(&[("host.name", WEB), ("app.host.ip", "unknown")])),
        ("app.host.ip empty", texts(&[("host.name", WEB), ("app.host.ip", "")])),
        (
            "app.host.ip that is a number",
            Some(vec![text("host.name", WEB), attribute("app.host.ip", Value::IntValue(7))]),
        ),
        ("app.host.ip twice", texts(&[("app.host.ip", "unknown"), ("app.host.ip", "10.244.1.17")])),
    ]
}

/// A request with some of them.
pub(crate) fn request(cases: &[Case]) -> Vec<u8> {
    let resource_spans = cases.iter().map(|(name, attributes)| {
        let scope_spans = vec![ScopeSpans { spans: vec![span(name)], ..Default::default() }];
        let resource = attributes.clone().map(|attributes| Resource { attributes, ..Default::default() });
        ResourceSpans { resource, scope_spans, ..Default::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

/// The span of a case.
pub(crate) fn span(name: &str) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: vec![text("text", "缺貨"), attribute("number", Value::IntValue(-1))],
        status: Some(Status { code: 2, message: "out of stock".to_owned() }),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
