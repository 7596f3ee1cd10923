//! Bodies of cases: from the plain way in which a case writes them to bytes, and back.

mod signals;

use std::iter;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use podstamp_core::interface::Signal;
use prost::Message;
use serde_json::{Value as Json, json};

use crate::cases::{self, Attributes, Repeated, Request, Resource};

/// When spans start, nanoseconds since 1970: before now by any clock, which in Envoy is the real one.
const START: u64 = 1_700_000_000_000_000_000;

/// The bytes of a request.
pub fn encode(request: &Request) -> Vec<u8> {
    if let Some(hex) = &request.hex {
        return from_hex(hex);
    }
    if let Some(text) = &request.json {
        return text.clone().into_bytes();
    }
    match request.signal {
        cases::Signal::Traces => {
            let resource_spans = request.body.iter().map(resource_spans).collect();
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        }
        cases::Signal::Metrics => signals::metrics(&request.body),
        cases::Signal::Logs => signals::logs(&request.body),
    }
}

/// Bytes, blanks between them as it pleases.
pub fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|char| !char.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

fn resource_spans(resource: &Resource) -> ResourceSpans {
    let plain = |index: usize, kind| Span {
        trace_id: vec![0x5a; 16],
        span_id: vec![index as u8 + 1; 8],
        name: "GET /".to_owned(),
        kind,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 20_000_000,
        ..Span::default()
    };
    let of_kinds = resource.kinds.iter().enumerate().map(|(index, kind)| plain(index, *kind));
    let told = resource.spans.iter().flat_map(|told| {
        let attributes = told.attributes.iter().flat_map(|Attributes(attributes)| attributes);
        let span = Span {
            attributes: attributes.map(|(key, value)| key_value(key, value)).collect(),
            name: told.name.as_ref().map_or_else(|| "GET /".to_owned(), |name| name.text.repeat(name.times)),
            start_time_unix_nano: told.start.unwrap_or(START),
            end_time_unix_nano: told.end.unwrap_or(START + 20_000_000),
            ..plain(0, 3)
        };
        iter::repeat_n(span, told.times)
    });
    let spans = of_kinds.chain(told);
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    ResourceSpans { resource: prost_resource(resource), scope_spans, ..ResourceSpans::default() }
}

fn prost_resource(resource: &Resource) -> Option<ProstResource> {
    resource.attributes.as_ref().map(|Attributes(attributes)| ProstResource {
        attributes: attributes.iter().map(|(key, value)| key_value(key, value)).collect(),
        ..ProstResource::default()
    })
}

fn plain_attributes(resource: ProstResource) -> Attributes {
    let attributes = resource.attributes.into_iter();
    Attributes(attributes.map(|attribute| (attribute.key, json_of(attribute.value))).collect())
}

fn key_value(key: &str, value: &Json) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any_value(value)), ..KeyValue::default() }
}

/// `{bytes: ...}` stands for bytes, since JSON has none.
fn any_value(value: &Json) -> AnyValue {
    let value = match value {
        Json::Null => None,
        Json::Bool(bool) => Some(Any::BoolValue(*bool)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(number) => Any::IntValue(number),
            None => Any::DoubleValue(number.as_f64().unwrap()),
        }),
        Json::String(text) => Some(Any::StringValue(text.clone())),
        Json::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.iter().map(any_value).collect() }))
        }
        Json::Object(map) => Some(match map.get("bytes").and_then(Json::as_str) {
            Some(text) if map.len() == 1 => Any::BytesValue(text.as_bytes().to_vec()),
            _ => {
                let values = map.iter().map(|(key, value)| key_value(key, value)).collect();
                Any::KvlistValue(KeyValueList { values })
            }
        }),
    };
    AnyValue { value }
}

/// The resources of a body that was sent, as a case writes them.
pub fn decode(signal: Signal, body: &[u8]) -> Vec<Resource> {
    match signal {
        Signal::Traces => decode_traces(body),
        Signal::Metrics => signals::decode_metrics(body),
        Signal::Logs => signals::decode_logs(body),
    }
}

fn decode_traces(body: &[u8]) -> Vec<Resource> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resources = request.resource_spans.into_iter().map(|spans| {
        let attributes = spans.resource.map(plain_attributes);
        let spans: Vec<_> = spans.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
        let kinds = spans.iter().map(|span| span.kind).collect();
        let told = spans.into_iter().map(|span| {
            let attributes = span.attributes.into_iter();
            let attributes = attributes.map(|attribute| (attribute.key, json_of(attribute.value))).collect();
            cases::Span {
                attributes: Some(Attributes(attributes)),
                start: Some(span.start_time_unix_nano),
                end: Some(span.end_time_unix_nano),
                name: Some(Repeated { text: span.name, times: 1 }),
                times: 1,
            }
        });
        Resource { attributes, kinds, spans: told.collect() }
    });
    resources.collect()
}

fn json_of(value: Option<AnyValue>) -> Json {
    match value.and_then(|value| value.value) {
        None | Some(Any::StringValueStrindex(_)) => Json::Null,
        Some(Any::StringValue(text)) => Json::String(text),
        Some(Any::BoolValue(bool)) => Json::Bool(bool),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::BytesValue(bytes)) => json!({"bytes": String::from_utf8(bytes).unwrap()}),
        Some(Any::ArrayValue(array)) => {
            Json::Array(array.values.into_iter().map(|value| json_of(Some(value))).collect())
        }
        Some(Any::KvlistValue(map)) => {
            Json::Object(map.values.into_iter().map(|entry| (entry.key, json_of(entry.value))).collect())
        }
    }
}
