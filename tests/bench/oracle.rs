//! The work of podstamp, done with prost: decode, edit, encode.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;

/// Inserts `app.host.ip` into every resource that has none.
pub(crate) fn stamp(body: &[u8]) -> Vec<u8> {
    let mut request = ExportTraceServiceRequest::decode(body).unwrap();
    for spans in &mut request.resource_spans {
        let resource = spans.resource.get_or_insert_default();
        if resource.attributes.iter().all(|attribute| attribute.key != "app.host.ip") {
            let value = Some(AnyValue { value: Some(Value::StringValue("10.244.1.17".to_owned())) });
            resource.attributes.push(KeyValue { key: "app.host.ip".to_owned(), value, ..Default::default() });
        }
    }
    request.encode_to_vec()
}
