//! Bodies whose few bytes would take a lot of memory or time.

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::bounds::{
    MAX_ATTRIBUTES, MAX_EDITS, MAX_INSERTED, MAX_MATCHED, MAX_RESOURCE_BYTES, MAX_RESOURCE_PARTS,
    MAX_RESOURCES,
};

fn request(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn of_resource(resource: Resource) -> Vec<u8> {
    request(vec![ResourceSpans { resource: Some(resource), ..ResourceSpans::default() }])
}

#[track_caller]
fn too_large(body: &[u8]) -> String {
    too_large_for(&filter(), body)
}

#[track_caller]
fn too_large_for(filter: &Filter, body: &[u8]) -> String {
    let prepared = prepare_plain(filter, body);
    assert_eq!(prepared.report, Report { refused: 1, ..Report::default() });
    let answer = answered(prepared);
    assert_eq!((answer.status, status(&answer).code), (413, 8));
    assert_eq!(answer.notice.as_ref().unwrap().key, "batch-too-large");
    status(&answer).message
}

#[test]
fn resources_beyond_their_number_are_refused_for_good() {
    let spans = |count: u32| BODY.repeat(count as usize);
    forwarded(prepare_plain(&filter(), &spans(MAX_RESOURCES)));
    let said = too_large(&spans(MAX_RESOURCES + 1));
    assert!(said.contains("over 100000 resource spans: send smaller"), "{said}");
    // Such a body is not sent on unstamped either where the configuration lets faults through.
    let lenient = filter_with(&json!({}), &json!({"guard": {"refuse_undecodable": false}}));
    assert_eq!(answered(prepare_plain(&lenient, &spans(4_000_000))).status, 413);
}

#[test]
fn parts_of_a_resource_beyond_their_number_are_refused_for_good() {
    let resource_with = |attributes, references| Resource {
        attributes: vec![KeyValue::default(); attributes],
        entity_refs: vec![EntityRef::default(); references],
        ..Resource::default()
    };
    forwarded(prepare_plain(&filter(), &of_resource(resource_with(MAX_RESOURCE_PARTS - 5, 5))));
    let said = too_large(&of_resource(resource_with(MAX_RESOURCE_PARTS - 5, 6)));
    assert!(said.contains("over 65536 attributes and entity references"), "{said}");
    // One resource in too many pieces, each of them empty.
    let pieces = b"\x0a\x00".repeat(MAX_RESOURCE_PARTS + 1);
    let mut body = vec![0x0a];
    crate::wire::put_varint(&mut body, pieces.len() as u64);
    body.extend(pieces);
    too_large(&body);
}

#[test]
fn changes_beyond_their_number_are_refused_for_good() {
    let body_with = |count| {
        let spans = vec![Span { kind: 9, ..Span::default() }; count];
        request(vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }])
    };
    forwarded(prepare_plain(&filter(), &body_with(1_000)));
    let said = too_large(&body_with(MAX_EDITS + 1));
    assert!(said.contains("over 500000 places have to be changed: send smaller"), "{said}");
}

#[test]
fn attributes_of_all_resources_beyond_their_number_are_refused_for_good() {
    let attributes = vec![KeyValue::default(); MAX_ATTRIBUTES / 40];
    let resource = of_resource(Resource { attributes, ..Resource::default() });
    forwarded(prepare_plain(&filter(), &resource.repeat(40)));
    let said = too_large(&resource.repeat(41));
    assert!(said.contains("over 2000000 attributes of resources: send smaller batches"), "{said}");
}

#[test]
fn a_resource_beyond_its_bytes_is_refused_for_good() {
    let resource_as_long_as = |length| {
        let value = Some(AnyValue { value: Some(Value::StringValue("x".repeat(length))) });
        Resource { attributes: vec![KeyValue { value, ..KeyValue::default() }], ..Resource::default() }
    };
    forwarded(prepare_plain(&filter(), &of_resource(resource_as_long_as(MAX_RESOURCE_BYTES - 20))));
    let said = too_large(&of_resource(resource_as_long_as(MAX_RESOURCE_BYTES)));
    assert!(said.contains("resource_spans[0]: a resource has over 1048576 bytes"), "{said}");
    // A resource in pieces, each of them within the limit.
    let piece = resource_as_long_as(MAX_RESOURCE_BYTES / 2).encode_to_vec();
    let mut pieces = Vec::new();
    (0..2).for_each(|_| crate::wire::put_field(&mut pieces, 1, &piece));
    let mut body = Vec::new();
    crate::wire::put_field(&mut body, 1, &pieces);
    too_large(&body);
}

#[test]
fn what_rules_put_in_beyond_its_bytes_is_refused_for_good() {
    let value = "x".repeat(1_000);
    let document = json!({
        "processors": {"resource": {"attributes": [{"key": "note", "value": value, "action": "insert"}]}},
        "exporters": {"otlphttp": {"traces_endpoint": URL}},
        "service": {"pipelines": {"traces": {"processors": ["resource"], "exporters": ["otlphttp"]}}},
    });
    let filter = Filter::configure(&document).unwrap();
    let most = MAX_INSERTED / 1_100;
    forwarded(prepare_plain(&filter, &BODY.repeat(most)));
    let said = too_large_for(&filter, &BODY.repeat(MAX_INSERTED / 1_000));
    assert!(said.contains("rules put in over 16777216 bytes: send smaller batches"), "{said}");
}

/// A pattern may have to look at each byte several times, and a call has two seconds.
#[test]
fn what_patterns_look_at_beyond_its_bytes_is_refused_for_good() {
    let with = |action: serde_json::Value| {
        let document = json!({
            "processors": {"resource": {"attributes": [action]}},
            "exporters": {"otlphttp": {"traces_endpoint": URL}},
            "service": {"pipelines": {"traces": {"processors": ["resource"], "exporters": ["otlphttp"]}}},
        });
        Filter::configure(&document).unwrap()
    };
    let said = "patterns of rules look at over 33554432 bytes: send smaller batches";
    const LENGTH: usize = 1_000_000;
    let most = MAX_MATCHED / LENGTH;
    let extract = with(json!({"key": "k", "pattern": "^(?P<first>x)", "action": "extract"}));
    let attribute = KeyValue {
        key: "k".to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue("x".repeat(LENGTH))) }),
        ..KeyValue::default()
    };
    let body = of_resource(Resource { attributes: vec![attribute], ..Resource::default() });
    forwarded(prepare_plain(&extract, &body.repeat(most)));
    assert!(too_large_for(&extract, &body.repeat(most + 1)).contains(said));

    let attribute = KeyValue { key: "x".repeat(LENGTH), ..KeyValue::default() };
    let body = of_resource(Resource { attributes: vec![attribute], ..Resource::default() });
    for action in ["delete", "hash"] {
        let filter = with(json!({"pattern": "^none", "action": action}));
        forwarded(prepare_plain(&filter, &body.repeat(most)));
        assert!(too_large_for(&filter, &body.repeat(most + 1)).contains(said), "{action}");
    }
    // A key by its name is no pattern.
    let plain = with(json!({"key": "none", "action": "delete"}));
    forwarded(prepare_plain(&plain, &body.repeat(most + 1)));
}

#[test]
fn as_many_references_as_attributes_lose_just_those_that_name_a_deleted_one() {
    let count = 30_000;
    let key = |number| format!("{}.{number}", if number % 2 == 0 { "gone" } else { "kept" });
    let attributes = (0..count).map(|number| KeyValue {
        key: key(number),
        value: Some(AnyValue { value: Some(Value::IntValue(number)) }),
        ..KeyValue::default()
    });
    let reference = |number| EntityRef { id_keys: vec![key(number)], ..EntityRef::default() };
    let body = of_resource(Resource {
        attributes: attributes.collect(),
        entity_refs: (0..count).map(reference).collect(),
        ..Resource::default()
    });
    let document = json!({
        "processors": {"resource": {"attributes": [{"pattern": "^gone", "action": "delete"}]}},
        "exporters": {"otlphttp": {"traces_endpoint": URL}},
        "service": {"pipelines": {"traces": {"processors": ["resource"], "exporters": ["otlphttp"]}}},
    });
    let outbound = forwarded(prepare_plain(&Filter::configure(&document).unwrap(), &body));
    let Content::Edited(edits) = outbound.content else { panic!("not edited") };
    let left = ExportTraceServiceRequest::decode(&edits.apply(&body).unwrap()[..]).unwrap();
    let resource = left.resource_spans[0].resource.as_ref().unwrap();
    let expected: Vec<_> = (0..count).filter(|number| number % 2 == 1).map(reference).collect();
    assert_eq!(resource.entity_refs, expected);
}
