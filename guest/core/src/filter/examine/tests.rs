//! What is told of a request, on the pipeline that DeepFlow documents for load balancers.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use crate::Filter;
use crate::config::DEFAULT_DOCUMENT;
use crate::interface::{AddressSource, Examination, Examined, Header, Request, Signal};
use crate::pipeline::fixture::{Table, pod};

const ALL: Examination = Examination { payloads: true, resources: 1000, spans: 1000, text: 1000 };

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource_spans(attributes: &[(&str, &str)], spans: Vec<Span>) -> ResourceSpans {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn body(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn examine(body: &[u8], peer: &str, table: &Table, options: &Examination) -> Examined {
    let filter = Filter::configure(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap()).unwrap();
    let headers = [Header::new("content-type", "application/x-protobuf")];
    let request = Request {
        signal: Signal::Traces,
        path: "/v1/traces",
        peer: peer.parse().ok(),
        headers: &headers,
        body,
        now: None,
    };
    filter.examine(&request, options, table)
}

fn shop() -> Table {
    Table { pods: vec![pod("cart-0", &["10.1.0.7"])], covers_cluster: true, ..Table::default() }
}

#[test]
fn a_resource_is_told_with_its_service_its_address_its_pod_and_its_spans() {
    let span = Span { name: "GET /".to_owned(), span_id: vec![7; 8], kind: 9, ..Span::default() };
    let body = body(vec![resource_spans(&[("service.name", "cart")], vec![span])]);
    let examined = examine(&body, "10.1.0.7", &shop(), &ALL);
    assert_eq!((examined.fault, examined.resources_omitted, examined.spans_omitted), (None, 0, 0));
    let [resource] = &examined.resources[..] else { panic!("one resource") };
    assert_eq!((resource.service.as_str(), resource.address.as_deref()), ("cart", Some("10.1.0.7")));
    assert_eq!(resource.found, AddressSource::Pipeline);
    assert_eq!(resource.pod.as_ref().map(|pod| pod.name.as_str()), Some("cart-0"));
    assert_eq!((resource.spans_total, resource.spans.len()), (1, 1));
    assert_eq!((resource.spans[0].name.as_str(), resource.spans[0].kind), ("GET /", 0));
}
