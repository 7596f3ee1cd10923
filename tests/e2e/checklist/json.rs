//! OTLP/JSON: what comes out of it is what the agent gets.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use podstamp_fake_agent::{Builder, Script};
use podstamp_test_support::blocking::http::{Client, Response};
use serde_json::json;

use super::partly;
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup};

/// A client, podstamp, and an agent that shows what arrived.
struct Way {
    agent: FakeAgent,
    _served: Served,
    client: Client,
}

impl Way {
    fn new() -> Self {
        let agent = FakeAgent::with(Builder::keep_bodies);
        // Times are to arrive as they were written.
        let setup = Setup::load_balancer(&agent.url()).own("  guard:\n    future_spans: 0\n");
        let served = setup.serve();
        let client = Client::connect(served.address);
        Self { agent, _served: served, client }
    }

    /// The answer to a body, and what arrived of it.
    fn send(&mut self, body: &str) -> (Response, Vec<ExportTraceServiceRequest>) {
        self.agent.agent().forget_records();
        let answer = Encoding::Json.send(&mut self.client, body.as_bytes());
        (answer, self.agent.messages())
    }

    fn send_span(&mut self, fields: &str) -> (Response, Vec<ExportTraceServiceRequest>) {
        self.send(&format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#))
    }

    /// The span that arrives of one with these fields.
    fn span(&mut self, fields: &str) -> Span {
        let (answer, arrived) = self.send_span(fields);
        assert_eq!(answer.status, 200, "{}", answer.message());
        let [request] = &arrived[..] else { panic!("{arrived:?}") };
        request.resource_spans[0].scope_spans[0].spans[0].clone()
    }

    /// The client's answer to a span with these fields, of which nothing arrives.
    fn refused(&mut self, fields: &str) -> String {
        let (answer, arrived) = self.send_span(fields);
        assert_eq!((answer.status, arrived.len()), (400, 0), "{fields}: {}", answer.message());
        answer.message()
    }
}

#[test]
fn j1_ids_are_hexadecimal_in_either_case_and_other_bytes_base64() {
    let mut way = Way::new();
    let trace = "5B8EFFF798038103D269B633813FC60C";
    let trace_bytes = 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes();
    let [lower, mixed] = [trace.to_lowercase(), trace.replace('F', "f")];
    for trace in [trace, &lower, &mixed] {
        let span = way.span(&format!(
            r#""traceId":"{trace}","spanId":"EEE19b7ec3c1b174","parentSpanId":"eee19B7EC3C1B173","name":"work",
               "links":[{{"traceId":"{trace}","spanId":"eEe19b7ec3c1b175"}}],
               "attributes":[{{"key":"bytes","value":{{"bytesValue":"/u3+7Q=="}}}}]"#
        ));
        assert_eq!(span.trace_id, trace_bytes);
        assert_eq!(span.span_id, 0xeee1_9b7e_c3c1_b174_u64.to_be_bytes());
        assert_eq!(span.parent_span_id, 0xeee1_9b7e_c3c1_b173_u64.to_be_bytes());
        assert_eq!(span.links[0].trace_id, trace_bytes);
        assert_eq!(span.links[0].span_id, 0xeee1_9b7e_c3c1_b175_u64.to_be_bytes());
        let value = span.attributes[0].value.clone().unwrap().value.unwrap();
        assert_eq!(value, Value::BytesValue(vec![0xfe, 0xed, 0xfe, 0xed]));
    }
    assert_eq!(way.span(r#""traceId":"","spanId":"""#).trace_id, b"");
    // Base64, as protobuf's own mapping would have it, and what is neither.
    for id in ["W47/95gDgQPSabYzgT/GDA==", "5B8", "zz"] {
        assert!(way.refused(&format!(r#""traceId":"{id}""#)).contains("traceId"), "{id}");
    }
}

#[test]
fn j2_enums_are_integers_or_as_the_collector_reads_them_names() {
    let mut way = Way::new();
    let made = way.span(r#""kind":3,"status":{"code":2,"message":"no"}"#);
    assert_eq!((made.kind, made.status.unwrap().code), (3, 2));
    let named = way.span(r#""kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"}"#);
    assert_eq!((named.kind, named.status.unwrap().code), (3, 2));
    assert!(way.refused(r#""kind":"SPAN_KIND_NONE""#).contains("has to be the number of a value"));
}

#[test]
fn j3_unknown_fields_are_ignored_wherever_they_stand() {
    let mut way = Way::new();
    let odd = r#""x":{"deep":[1,{"y":null},"z"]},"new":[[]],"more":-1.5e300"#;
    let (answer, arrived) = way.send(&format!(
        r#"{{{odd},"resourceSpans":[{{{odd},
            "resource":{{{odd},"attributes":[{{{odd},"key":"service.name","value":{{{odd},"stringValue":"shop"}}}}]}},
            "scopeSpans":[{{{odd},"scope":{{{odd},"name":"lib"}},
              "spans":[{{{odd},"name":"work","events":[{{{odd},"name":"e"}}],"links":[{{{odd}}}],"status":{{{odd},"code":1}}}}]}}]}}]}}"#
    ));
    assert_eq!(answer.status, 200, "{}", answer.message());
    let resource = &arrived[0].resource_spans[0];
    let value = resource.resource.as_ref().unwrap().attributes[0].value.clone().unwrap().value.unwrap();
    assert_eq!(value, Value::StringValue("shop".to_owned()));
    let scope = &resource.scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "lib");
    let span = &scope.spans[0];
    assert_eq!((&*span.name, &*span.events[0].name, span.links.len()), ("work", "e", 1));
    assert_eq!(span.status.as_ref().unwrap().code, 1);
}

#[test]
fn j4_keys_are_in_lower_camel_case_or_as_the_collector_reads_them_spelled_with_underscores() {
    let mut way = Way::new();
    let span = way.span(
        r#""traceId":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","start_time_unix_nano":"7","name":"work",
           "Kind":2,"dropped_attributes_count":3"#,
    );
    // A field of another name is unknown, and ignored.
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    assert_eq!((span.start_time_unix_nano, span.kind, span.dropped_attributes_count), (7, 0, 3));
    let (answer, arrived) = way.send(r#"{"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]}"#);
    assert_eq!((answer.status, arrived.len()), (200, 1));

    let agent = FakeAgent::with(|builder| builder.play_always(partly(3, "too old")));
    let served = Setup::load_balancer(&agent.url()).serve();
    let body = Encoding::Json.batch();
    let answer = Encoding::Json.send(&mut Client::connect(served.address), &body);
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(value, json!({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}}));
}

#[test]
fn j5_numbers_of_64_bits_are_strings_or_numbers() {
    let mut way = Way::new();
    let mut read = |time: &str, integer: &str| {
        let span = way.span(&format!(
            r#""startTimeUnixNano":{time},"endTimeUnixNano":{time},
               "events":[{{"timeUnixNano":{time}}}],"attributes":[{{"key":"i","value":{{"intValue":{integer}}}}}]"#
        ));
        let value = span.attributes[0].value.clone().unwrap().value.unwrap();
        let Value::IntValue(integer) = value else { panic!("{value:?}") };
        assert_eq!(span.end_time_unix_nano, span.start_time_unix_nano);
        assert_eq!(span.events[0].time_unix_nano, span.start_time_unix_nano);
        (span.start_time_unix_nano, integer)
    };
    // No double holds these.
    assert_eq!(
        read(r#""1544712660300000001""#, r#""-9223372036854775808""#),
        (1_544_712_660_300_000_001, i64::MIN)
    );
    assert_eq!(
        read("1544712660300000001", "9007199254740993"),
        (1_544_712_660_300_000_001, 9_007_199_254_740_993)
    );
    assert_eq!(read(r#""18446744073709551615""#, r#""9223372036854775807""#), (u64::MAX, i64::MAX));
    assert_eq!(read("1.5e3", "-2e2"), (1500, -200));
    for time in [r#""18446744073709551616""#, "-1", "1.5", r#""""#, "true"] {
        way.refused(&format!(r#""startTimeUnixNano":{time}"#));
    }
}

#[test]
fn j5_what_the_stand_in_agent_stores_is_what_was_sent() {
    let agent = FakeAgent::with(|builder| builder.play_always(Script::Import));
    let served = Setup::load_balancer(&agent.url()).serve();
    let body = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"work",
        "kind":4,"startTimeUnixNano":"1544712660000000001","endTimeUnixNano":1544712661000000001}]}]}]}"#;
    assert_eq!(Encoding::Json.send(&mut Client::connect(served.address), body).status, 200);
    let record = agent.records().pop().unwrap();
    let span = record.spans().next().unwrap();
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(span.span_id, "eee19b7ec3c1b174");
    assert_eq!((&*span.name, span.kind), ("work", 4));
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_544_712_660_000_000_001, 1_544_712_661_000_000_001)
    );
}
