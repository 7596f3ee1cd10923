//! What is sent on, and what follows from each way in which sending can end.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use serde_json::{Value as Json, json};

use super::Filter;
use crate::answer::{Code, Failure, JSON, PROTOBUF};
use crate::directory::NoPods;
use crate::hosting::labels::Reason;
use crate::interface::{
    Answer, Attempt, Content, Encoding, Header, Level, Mended, Next, Outbound, Outcome, Prepared, Report,
    Request, Signal, Verdict,
};

mod bounds;
mod signals;
mod stamps;

const URL: &str = "http://agent:38086/api/v1/otel/trace";

/// A filter that sends to an agent; `exporter` goes into the exporter's section, and `own` is the section `podstamp`.
fn filter_with(exporter: &Json, own: &Json) -> Filter {
    let mut document = json!({
        "exporters": {"otlphttp/agent": {"traces_endpoint": URL}},
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp/agent"]}}},
        "podstamp": own,
    });
    let section = document["exporters"]["otlphttp/agent"].as_object_mut().unwrap();
    section.extend(exporter.as_object().unwrap().clone());
    Filter::configure(&document).unwrap()
}

fn filter() -> Filter {
    filter_with(&json!({}), &json!({}))
}

fn without_retry() -> Filter {
    filter_with(&json!({"retry_on_failure": {"enabled": false}}), &json!({}))
}

fn first(encoding: Encoding) -> Attempt {
    Attempt {
        signal: Signal::Traces,
        upstream: 0,
        encoding,
        number: 1,
        elapsed: 20,
        patience: u32::MAX,
        delivered: 0,
        random: 1 << 31,
    }
}

fn response<'a>(status: u16, headers: &'a [Header], body: &'a [u8]) -> Outcome<'a> {
    Outcome::Response { status, headers, body }
}

#[track_caller]
fn answer(next: Next) -> Answer {
    match next {
        Next::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let header = answer.headers.iter().find(|header| header.name == name)?;
    std::str::from_utf8(&header.value).ok()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

fn status(answer: &Answer) -> Status {
    assert_eq!(header(answer, "content-type"), Some(PROTOBUF));
    Status::decode(&answer.body[..]).unwrap()
}

fn prepare(filter: &Filter, path: &str, content_type: Option<&str>, body: &[u8]) -> Prepared {
    let headers: Vec<_> = content_type.iter().map(|value| Header::new("content-type", value)).collect();
    let request = Request {
        signal: Signal::Traces,
        path,
        peer: "10.1.0.9".parse().ok(),
        headers: &headers,
        body,
        now: None,
    };
    filter.prepare(&request, &NoPods)
}

fn prepare_plain(filter: &Filter, body: &[u8]) -> Prepared {
    prepare(filter, "/v1/traces", Some(PROTOBUF), body)
}

#[track_caller]
fn forwarded(prepared: Prepared) -> Outbound {
    match prepared.verdict {
        Verdict::Forward(outbound) => outbound,
        Verdict::Answer(answer) => panic!("answers {answer:?}"),
    }
}

#[track_caller]
fn answered(prepared: Prepared) -> Answer {
    match prepared.verdict {
        Verdict::Forward(outbound) => panic!("forwards to {}", outbound.url),
        Verdict::Answer(answer) => answer,
    }
}

/// ResourceSpans without anything.
const BODY: &[u8] = &[0x0a, 0x00];
/// ResourceSpans whose second ScopeSpans has a span with a name that is not UTF-8.
const BAD_NAME: &[u8] = &[0x0a, 0x09, 0x12, 0x00, 0x12, 0x05, 0x12, 0x03, 0x2a, 0x01, 0xff];
/// ResourceSpans whose second ScopeSpans has a span with a status whose code is a text.
const BAD_STATUS: &[u8] = &[0x0a, 0x0a, 0x12, 0x00, 0x12, 0x06, 0x12, 0x04, 0x7a, 0x02, 0x1a, 0x00];
/// ResourceSpans cut off.
const CUT: &[u8] = &[0x0a, 0x05, 0x12, 0x00];

#[test]
fn a_stamped_batch_goes_to_the_exporters_url_with_its_headers() {
    let filter = filter_with(&json!({"headers": {"X-Scope": "shop"}, "timeout": "7s"}), &json!({}));
    let prepared = prepare_plain(&filter, BODY);
    let expected = Report { resources: 1, resources_created: 1, address_connection: 1, ..Report::default() };
    assert_eq!(prepared.report, expected);
    let outbound = forwarded(prepared);
    assert_eq!(
        (outbound.url.as_str(), outbound.timeout, outbound.encoding),
        (URL, 7_000, Encoding::Protobuf)
    );
    let names: Vec<_> = outbound.headers.iter().map(|header| header.name.to_ascii_lowercase()).collect();
    assert_eq!(names, ["content-type", "user-agent", "x-scope"]);
    assert!(matches!(outbound.content, Content::Edited(_)));
}

#[test]
fn a_batch_without_resources_is_acknowledged_and_not_sent() {
    let answer = answered(prepare_plain(&filter(), &[]));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &[][..]));
    assert_eq!(header(&answer, "content-type"), Some(PROTOBUF));
    assert_eq!(answer.notice, None);
    assert_eq!(Reason::of(&answer), None);
}

#[test]
fn what_has_unknown_fields_only_is_warned_of_in_the_clients_encoding() {
    let answer = answered(prepare_plain(&filter(), &[0x98, 0x06, 0x01]));
    let response = ExportTraceServiceResponse::decode(&*answer.body).unwrap();
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 0, "there were none");
    assert!(partial.error_message.contains("no resourceSpans"), "{}", partial.error_message);
    assert_eq!(Reason::of(&answer), Some(Reason::Unrecognised));

    for (body, silent) in [
        ("{}", true),
        (" {\n}\t", true),
        (r#"{"resourceSpans":[]}"#, true),
        (r#"{ "resourceSpans" : null }"#, true),
        (r#"{"resourceSpan":[]}"#, false),
        (r#"{"resourceMetrics":[{}]}"#, false),
    ] {
        let answer = answered(prepare(&filter(), "/v1/traces", Some(JSON), body.as_bytes()));
        assert_eq!((answer.status, answer.notice.is_none()), (200, silent), "{body}");
        let told: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["partialSuccess"]["errorMessage"].is_null(), silent, "{body}");
    }
}

#[test]
fn content_types_are_told_apart_and_may_be_missing_on_the_agents_path_only() {
    let filter = filter();
    for (path, content_type) in [
        ("/v1/traces", Some("application/x-protobuf")),
        ("/v1/traces", Some("Application/X-Protobuf ; charset=utf-8")),
        ("/api/v1/otel/trace", Some("application/x-protobuf")),
        ("/api/v1/otel/trace", None),
    ] {
        forwarded(prepare(&filter, path, content_type, BODY));
    }
    for (path, content_type) in [
        ("/v1/traces", None),
        ("/v1/traces", Some("text/plain")),
        ("/v1/traces", Some("")),
        ("/v1/traces", Some("application/x-protobuf2")),
        ("/api/v1/otel/trace", Some("application/grpc+json")),
    ] {
        let answer = answered(prepare(&filter, path, content_type, BODY));
        assert_eq!(answer.status, 415, "{content_type:?}");
        let status = status(&answer);
        assert_eq!(status.code, 3);
        for known in ["application/x-protobuf", "application/json"] {
            assert!(status.message.contains(known), "{}", status.message);
        }
    }
    for content_type in
        ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
    {
        let answer = answered(prepare(&filter, "/v1/traces", Some(content_type), b"{}"));
        assert_eq!((answer.status, header(&answer, "content-type")), (200, Some("application/json")));
        assert_eq!(answer.body, b"{}");
    }
}

#[test]
fn json_leaves_as_protobuf_stamped_or_not() {
    let json = |host_ip: &str| {
        format!(
            r#"{{"resourceSpans": [{{"resource": {{"attributes": [{{"key": "app.host.ip", "value": {{{host_ip}}}}}]}}}}]}}"#
        )
    };
    for (host_ip, own) in [
        (r#""stringValue": "10.9.9.9""#, json!({})),
        (r#""stringValue": "10.9.9.9""#, json!({"guard": {"check": "full"}})),
        (r#""stringValue": "unknown""#, json!({})),
    ] {
        let filter = filter_with(&json!({}), &own);
        let prepared = prepare(&filter, "/v1/traces", Some(JSON), json(host_ip).as_bytes());
        let outbound = forwarded(prepared);
        assert_eq!(outbound.encoding, Encoding::Json);
        assert_eq!(outbound.headers[0], Header::new("content-type", PROTOBUF));
        let Content::Replaced(body) = outbound.content else { panic!("sends what came") };
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let attributes = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
        let expected = if host_ip.contains("10.9.9.9") { "10.9.9.9" } else { "10.1.0.9" };
        let value = Value::StringValue(expected.to_owned());
        assert_eq!(attributes.len(), 1);
        assert_eq!(attributes[0].value.as_ref().unwrap().value, Some(value));
    }
}

#[test]
fn json_that_cannot_be_read_is_refused_with_its_place_whatever_is_configured() {
    for own in [json!({}), json!({"guard": {"refuse_undecodable": false}})] {
        let filter = filter_with(&json!({}), &own);
        let body = b"{\"resourceSpans\": [{}, {\n  \"schemaUrl\": 1}]}";
        let prepared = prepare(&filter, "/v1/traces", Some(JSON), body);
        assert_eq!(prepared.report, Report { refused: 1, ..Report::default() });
        let answer = answered(prepared);
        assert_eq!((answer.status, header(&answer, "content-type")), (400, Some(JSON)));
        let body: Json = serde_json::from_slice(&answer.body).unwrap();
        let message = "the batch cannot be decoded: resourceSpans[1].schemaUrl: has to be a string (at line 2, column 16, \
                       offset 0x28)";
        let violation = json!({"field": "resourceSpans[1].schemaUrl", "description": "has to be a string"});
        let details = json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [violation],
        }]);
        assert_eq!(body, json!({"code": 3, "message": message, "details": details}));
        assert_eq!(answer.notice.unwrap().message, message);
    }
}

#[test]
fn a_batch_that_the_walk_finds_broken_is_refused_with_the_place() {
    let prepared = prepare_plain(&filter(), CUT);
    assert_eq!(prepared.report, Report { refused: 1, ..Report::default() });
    let answer = answered(prepared);
    assert_eq!(answer.status, 400);
    let status = status(&answer);
    assert_eq!(status.code, 3);
    assert!(
        status.message.ends_with("the request: a field runs past the end of its message (at offset 0x0)")
    );
    let notice = answer.notice.unwrap();
    assert_eq!((notice.level, &*notice.key), (Level::Warning, "batch-refused"));
}

#[test]
fn deeper_faults_are_found_up_front_only_if_asked_to() {
    forwarded(prepare_plain(&filter(), BAD_STATUS));
    let full = filter_with(&json!({}), &json!({"guard": {"check": "full"}}));
    let answer = answered(prepare_plain(&full, BAD_STATUS));
    let Status { details, message, .. } = status(&answer);
    assert!(message.contains("resource_spans[0].scope_spans[1].spans[0]"), "{message}");
    assert_eq!(details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    let violations = BadRequest::decode(&details[0].value[..]).unwrap().field_violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "resource_spans[0].scope_spans[1].spans[0].status");
    assert_eq!(violations[0].description, "field 3 has wire type 2");
}

#[test]
fn without_the_first_rule_a_broken_batch_goes_on_as_it_is() {
    let filter = filter_with(&json!({}), &json!({"guard": {"refuse_undecodable": false}}));
    let prepared = prepare_plain(&filter, CUT);
    assert_eq!(prepared.report.refused, 0);
    assert_eq!(forwarded(prepared).content, Content::Unchanged);
    let closed = answer(filter.conclude(&first(Encoding::Protobuf), &Outcome::Closed(CUT)));
    assert_eq!(closed.status, 503);
}

#[test]
fn an_empty_200_as_the_agent_gives_it_is_a_success_in_the_clients_encoding() {
    let date = [Header::new("date", "Sun, 28 Feb 2027 23:59:50 GMT"), Header::new("content-length", "0")];
    for (encoding, content_type, body) in
        [(Encoding::Protobuf, PROTOBUF, &b""[..]), (Encoding::Json, "application/json", b"{}")]
    {
        let answer = answer(filter().conclude(&first(encoding), &response(200, &date, b"")));
        assert_eq!((answer.status, header(&answer, "content-type")), (200, Some(content_type)));
        assert_eq!((answer.body.as_slice(), answer.notice), (body, None));
    }
}

#[test]
fn what_an_upstream_did_not_take_is_passed_on() {
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 7,
            error_message: "full".to_owned(),
        }),
    };
    let body = partial.encode_to_vec();
    let protobuf = [Header::new("content-type", PROTOBUF)];
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &response(200, &protobuf, &body)));
    assert_eq!(ExportTraceServiceResponse::decode(&given.body[..]).unwrap(), partial);
    let given = answer(filter().conclude(&first(Encoding::Json), &response(202, &protobuf, &body)));
    let json: Json = serde_json::from_slice(&given.body).unwrap();
    assert_eq!(json, json!({"partialSuccess": {"rejectedSpans": "7", "errorMessage": "full"}}));
    // An upstream that says it took everything, or says nothing that OTLP knows.
    let nothing = ExportTraceServiceResponse { partial_success: Some(ExportTracePartialSuccess::default()) }
        .encode_to_vec();
    let html = [Header::new("content-type", "text/html")];
    for (headers, body) in [(&protobuf, &nothing), (&html, &body)] {
        let given = answer(filter().conclude(&first(Encoding::Protobuf), &response(200, headers, body)));
        assert_eq!((given.status, given.body.len()), (200, 0));
    }
    let garbage =
        answer(filter().conclude(&first(Encoding::Protobuf), &response(200, &protobuf, &[0xff; 9])));
    assert_eq!((garbage.status, garbage.body.len()), (200, 0));
}

#[test]
fn upstreams_that_are_busy_are_tried_again_and_then_passed_on() {
    for (busy, code) in [(429, 14), (502, 14), (503, 14), (504, 14)] {
        assert!(matches!(
            filter().conclude(&first(Encoding::Protobuf), &response(busy, &[], b"")),
            Next::Retry(_)
        ));
        let given = answer(without_retry().conclude(&first(Encoding::Protobuf), &response(busy, &[], b"x")));
        assert_eq!((given.status, status(&given).code), (busy, code));
        assert_eq!(header(&given, "retry-after"), Some("5"));
        assert_eq!(&*given.notice.unwrap().key, "upstream-busy");
        let asked = [Header::new("retry-after", "17")];
        let given =
            answer(without_retry().conclude(&first(Encoding::Protobuf), &response(busy, &asked, b"x")));
        assert_eq!(header(&given, "retry-after"), Some("17"));
    }
}

#[test]
fn other_statuses_are_final_and_say_what_is_wrong() {
    for (upstream, client, code, key) in [
        (400, 400, 3, "upstream-refused"),
        (413, 413, 8, "upstream-refused"),
        (401, 500, 13, "upstream-status"),
        (403, 500, 13, "upstream-status"),
        (301, 500, 13, "upstream-status"),
        (500, 500, 13, "upstream-status"),
        (501, 500, 13, "upstream-status"),
        (100, 500, 13, "upstream-status"),
        (599, 500, 13, "upstream-status"),
    ] {
        let given =
            answer(filter().conclude(&first(Encoding::Protobuf), &response(upstream, &[], b"secret")));
        assert_eq!((given.status, status(&given).code), (client, code), "{upstream}");
        let notice = given.notice.unwrap();
        assert_eq!(&*notice.key, key, "{upstream}");
        assert!(notice.message.contains(URL) && !notice.message.contains("secret"), "{}", notice.message);
    }
}

#[test]
fn a_404_names_the_key_of_the_configuration_to_correct() {
    for upstream in [404, 405] {
        let given =
            answer(filter().conclude(&first(Encoding::Protobuf), &response(upstream, &[], b"Not Found")));
        assert_eq!(given.status, 500);
        let notice = given.notice.unwrap();
        assert_eq!((notice.level, &*notice.key), (Level::Error, "upstream-not-found"));
        assert!(notice.message.contains("exporters.otlphttp/agent.traces_endpoint"), "{}", notice.message);
        assert!(notice.message.contains("/api/v1/otel/trace"));
    }
}

#[test]
fn an_upstream_that_cannot_be_reached_is_tried_again_and_then_said_to_be_down() {
    let outcome = Outcome::NotConnected("connection refused");
    assert!(matches!(filter().conclude(&first(Encoding::Protobuf), &outcome), Next::Retry(_)));
    let given = answer(without_retry().conclude(&first(Encoding::Protobuf), &outcome));
    assert_eq!((given.status, status(&given).code), (503, 14));
    assert_eq!(header(&given, "retry-after"), Some("5"));
    let notice = given.notice.unwrap();
    assert_eq!(notice.level, Level::Error);
    for part in [URL, "connection refused", "exporters.otlphttp/agent.traces_endpoint"] {
        assert!(notice.message.contains(part), "{}", notice.message);
    }
}

#[test]
fn a_connection_closed_on_a_faulty_batch_is_the_clients_fault() {
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &Outcome::Closed(BAD_STATUS)));
    assert_eq!((given.status, header(&given, "retry-after")), (400, None));
    let status = status(&given);
    assert_eq!(status.code, 3);
    assert!(status.message.contains(
        "resource_spans[0].scope_spans[1].spans[0].status: field 3 has wire type 2 (at offset 0xa)"
    ));
}

#[test]
fn a_text_that_is_not_utf8_is_mended_when_the_agent_has_closed_on_it_or_up_front() {
    let mended = [&BAD_NAME[..10], b"?"].concat();
    let next = filter().conclude(&first(Encoding::Protobuf), &Outcome::Closed(BAD_NAME));
    assert_eq!(next, Next::Mend(Mended { body: mended.clone(), texts: 1 }));
    // The mended body is sound, so that it is the agent that has stopped.
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &Outcome::Closed(&mended)));
    assert_eq!(given.status, 503);

    let full = filter_with(&json!({}), &json!({"guard": {"check": "full"}}));
    let prepared = prepare_plain(&full, BAD_NAME);
    assert_eq!((prepared.report.texts_mended, prepared.report.resources), (1, 1));
    let as_mended = forwarded(prepare_plain(&full, &mended)).content.into_body(mended.clone());
    let Outbound { content: Content::Replaced(body), parts, .. } = forwarded(prepared) else {
        panic!("another body");
    };
    assert_eq!(parts.last().unwrap().end as usize, body.len());
    assert_eq!(Some(body), as_mended);

    let off = filter_with(&json!({}), &json!({"guard": {"mend_text": false}}));
    let given = answer(off.conclude(&first(Encoding::Protobuf), &Outcome::Closed(BAD_NAME)));
    assert_eq!((given.status, &*given.notice.unwrap().key), (400, "batch-refused"));
    assert_eq!(filter().not_mended(Signal::Traces, Encoding::Protobuf, BAD_NAME).status, 400);
}

#[test]
fn a_resource_is_mended_as_it_is_read() {
    // ResourceSpans { Resource { attributes { key: "k", value: "\xff" } } }
    let body = b"\x0a\x0c\x0a\x0a\x0a\x08\x0a\x01k\x12\x03\x0a\x01\xff";
    let prepared = prepare_plain(&filter(), body);
    assert_eq!(prepared.report.texts_mended, 1);
    let Content::Replaced(sent) = forwarded(prepared).content else { panic!("another body") };
    assert_eq!(crate::message::diagnose(&sent), Ok(()));
    assert!(sent.windows(3).any(|window| window == b"\x0a\x01?"));
}

#[test]
fn a_connection_closed_on_json_is_not_the_clients_fault() {
    // The body that was sent was made by the filter, and the client's text is not protobuf that could be examined.
    let text = br#"{"resourceSpans": [{}]}"#;
    let given = answer(filter().conclude(&first(Encoding::Json), &Outcome::Closed(text)));
    assert_eq!((given.status, header(&given, "content-type")), (503, Some(JSON)));
    assert_eq!(&*given.notice.unwrap().key, "upstream-closed");
}

#[test]
fn a_connection_closed_on_a_sound_batch_is_not_tried_again_by_us() {
    // The agent may have taken the batch: whether to send it twice is the client's to decide.
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &Outcome::Closed(BODY)));
    assert_eq!((given.status, status(&given).code), (503, 14));
    assert_eq!(header(&given, "retry-after"), Some("5"));
    assert_eq!(&*given.notice.unwrap().key, "upstream-closed");
}

#[test]
fn an_upstream_that_does_not_answer_or_answers_too_much_is_told_apart() {
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &Outcome::TimedOut));
    assert_eq!((given.status, status(&given).code), (504, 4));
    assert_eq!(&*given.notice.unwrap().key, "upstream-timeout");
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &Outcome::Oversized));
    assert_eq!((given.status, status(&given).code), (500, 13));
    assert_eq!(&*given.notice.unwrap().key, "upstream-oversized");
}

#[test]
fn an_upstream_that_is_away_is_told_to_the_client_at_once_and_a_copy_waits_for_it() {
    let away = Outcome::Away { reason: "connection refused", after: 1_500 };
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &away));
    assert_eq!((given.status, status(&given).code, header(&given, "retry-after")), (503, 14, Some("2")));
    assert_eq!(given.notice, None, "one line for all of them is the host's");
    let document = json!({
        "exporters": {
            "otlphttp": {"traces_endpoint": URL},
            "otlphttp/copy": {"endpoint": "http://copy", "retry_on_failure": {"initial_interval": "1ms"}},
        },
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp", "otlphttp/copy"]}}},
    });
    let copy = Attempt { upstream: 1, ..first(Encoding::Protobuf) };
    assert_eq!(Filter::configure(&document).unwrap().conclude(&copy, &away), Next::Retry(1_500));
}

#[test]
fn nothing_is_tried_again_beyond_the_clients_patience() {
    let filter = filter_with(
        &json!({"retry_on_failure": {"initial_interval": "2s", "randomization_factor": 0}}),
        &json!({}),
    );
    let refused = Outcome::NotConnected("refused");
    let after = |elapsed, patience| {
        filter.conclude(&Attempt { elapsed, patience, ..first(Encoding::Protobuf) }, &refused)
    };
    assert_eq!(after(1_000, 3_001), Next::Retry(2_000));
    assert_eq!(answer(after(1_000, 3_000)).status, 503);
}

#[test]
fn what_was_delivered_ahead_is_told_with_what_the_upstream_did_not_take() {
    let attempt = Attempt { delivered: 12, ..first(Encoding::Protobuf) };
    let filter = without_retry();
    for outcome in [
        response(503, &[], b""),
        response(400, &[], b""),
        response(404, &[], b""),
        response(401, &[], b""),
        Outcome::NotConnected("refused"),
        Outcome::Away { reason: "refused", after: 1 },
        Outcome::Waited,
        Outcome::Closed(BODY),
        Outcome::TimedOut,
        Outcome::Oversized,
    ] {
        let given = answer(filter.conclude(&attempt, &outcome));
        let message = status(&given).message;
        assert!(message.contains("12 of its spans went ahead"), "{outcome:?}: {message}");
    }
}

/// Milliseconds that a filter waits, if it tries again.
fn wait(filter: &Filter, number: u32, elapsed: u32, random: u32, retry_after: Option<&str>) -> Option<u32> {
    let headers: Vec<_> = retry_after.iter().map(|value| Header::new("retry-after", value)).collect();
    let attempt = Attempt { number, elapsed, random, ..first(Encoding::Protobuf) };
    match filter.conclude(&attempt, &response(503, &headers, b"")) {
        Next::Retry(wait) => Some(wait),
        _ => None,
    }
}

fn retrying(retry: &Json, timeout: &str) -> Filter {
    filter_with(&json!({"timeout": timeout, "retry_on_failure": retry}), &json!({}))
}

#[test]
fn waits_grow_up_to_the_longest_and_are_spread_at_random() {
    let retry = json!({"initial_interval": "100ms", "multiplier": 2, "max_interval": "1s", "randomization_factor": 0.5});
    let filter = retrying(&retry, "1h");
    let waits: Vec<_> = (1..=6).map(|number| wait(&filter, number, 0, 0, None).unwrap()).collect();
    assert_eq!(waits, [50, 100, 200, 400, 500, 500]);
    let waits: Vec<_> = (1..=6).map(|number| wait(&filter, number, 0, u32::MAX, None).unwrap()).collect();
    assert_eq!(waits, [150, 300, 600, 1200, 1500, 1500]);
    assert_eq!(wait(&filter, u32::MAX, 0, 0, None), Some(500));
    for random in [1, 1 << 30, 1 << 31, 3 << 30] {
        assert!((50..=150).contains(&wait(&filter, 1, 0, random, None).unwrap()));
    }
    let exact =
        retrying(&json!({"initial_interval": "100ms", "multiplier": 1, "randomization_factor": 0}), "1h");
    assert_eq!(wait(&exact, 9, 0, u32::MAX, None), Some(100));
}

#[test]
fn retry_after_makes_a_wait_longer_and_never_shorter() {
    let retry = json!({"initial_interval": "2s", "randomization_factor": 0});
    let filter = retrying(&retry, "1h");
    assert_eq!(wait(&filter, 1, 0, 0, Some("7")), Some(7000));
    assert_eq!(wait(&filter, 1, 0, 0, Some("1")), Some(2000));
    assert_eq!(wait(&filter, 1, 0, 0, Some("soon")), Some(2000));
    assert_eq!(wait(&filter, 1, 0, 0, Some("4294967295")), None);
}

#[test]
fn no_attempt_begins_after_the_timeout_or_the_longest_time() {
    let retry = json!({"initial_interval": "1s", "randomization_factor": 0, "max_elapsed_time": "10s"});
    let filter = retrying(&retry, "5s");
    assert_eq!(wait(&filter, 1, 3_999, 0, None), Some(1000));
    assert_eq!(wait(&filter, 1, 4_000, 0, None), None);
    let filter = retrying(&retry, "1h");
    assert_eq!(wait(&filter, 1, 9_000, 0, None), Some(1000));
    assert_eq!(wait(&filter, 1, 9_001, 0, None), None);
    assert_eq!(wait(&filter, 1, u32::MAX, 0, None), None);
    let forever =
        retrying(&json!({"initial_interval": "1s", "randomization_factor": 0, "max_elapsed_time": 0}), "0s");
    assert_eq!(wait(&forever, 1, 1 << 31, 0, None), Some(1000));
}

/// What a gRPC client reads: `grpc-status`, and the Status of `grpc-status-details-bin` where there is one.
fn grpc_status(answer: &Answer) -> (Option<&str>, Option<Status>) {
    assert_eq!(header(answer, "content-type"), Some("application/grpc"));
    let details = header(answer, "grpc-status-details-bin").map(|text| {
        use base64_of_tests::decode;
        Status::decode(&decode(text)[..]).unwrap()
    });
    (header(answer, "grpc-status"), details)
}

mod base64_of_tests {
    /// Base64 without padding.
    pub(super) fn decode(text: &str) -> Vec<u8> {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bits = 0_u32;
        let mut have = 0;
        let mut bytes = Vec::new();
        for letter in text.bytes() {
            let value = LETTERS.iter().position(|known| *known == letter).unwrap();
            bits = bits << 6 | value as u32;
            have += 6;
            if have >= 8 {
                have -= 8;
                bytes.push((bits >> have) as u8);
            }
        }
        bytes
    }
}

/// `google.rpc.RetryInfo`, its Duration spelt out.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[test]
fn grpc_is_told_by_its_content_type_and_answered_with_a_status() {
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let outbound = forwarded(prepare(&filter(), "/v1/traces", Some(content_type), BODY));
        assert_eq!(outbound.encoding, Encoding::Grpc);
        assert_eq!(outbound.headers[0], Header::new("content-type", PROTOBUF), "the agent speaks no gRPC");
    }
    let given = answer(filter().conclude(&first(Encoding::Grpc), &response(200, &[], b"")));
    assert_eq!((given.status, given.body.len(), grpc_status(&given)), (200, 0, (Some("0"), None)));
    let empty = answered(prepare(&filter(), "/v1/traces", Some("application/grpc"), b""));
    assert_eq!((empty.status, grpc_status(&empty)), (200, (Some("0"), None)));
}

#[test]
fn g2_only_what_may_succeed_later_has_a_code_that_clients_try_again() {
    for (outcome, expected) in [
        (response(400, &[], b""), "3"),
        (response(413, &[], b""), "8"),
        (response(401, &[], b""), "13"),
        (response(404, &[], b""), "13"),
        (response(500, &[], b""), "13"),
        (response(429, &[], b""), "14"),
        (response(502, &[], b""), "14"),
        (response(503, &[], b""), "14"),
        (response(504, &[], b""), "14"),
        (Outcome::NotConnected("refused"), "14"),
        (Outcome::Closed(BODY), "14"),
        (Outcome::Closed(BAD_STATUS), "3"),
        (Outcome::TimedOut, "4"),
        (Outcome::Oversized, "13"),
    ] {
        let given = answer(without_retry().conclude(&first(Encoding::Grpc), &outcome));
        let (code, details) = grpc_status(&given);
        assert_eq!(code, Some(expected), "{outcome:?}");
        let retry =
            details.iter().flat_map(|status| &status.details).any(|any| any.type_url.ends_with("RetryInfo"));
        // A client would try again after RESOURCE_EXHAUSTED with a RetryInfo.
        assert_eq!(retry, ["4", "14"].contains(&expected), "{outcome:?}");
        assert!(given.body.is_empty());
    }
}

#[test]
fn g3_throttling_says_when_to_come_again_and_bad_data_where_it_is_bad() {
    let asked = [Header::new("retry-after", "17")];
    let given = answer(without_retry().conclude(&first(Encoding::Grpc), &response(429, &asked, b"")));
    let (_, Some(Status { details, .. })) = grpc_status(&given) else { panic!("no details") };
    let info = RetryInfo::decode(&details[0].value[..]).unwrap();
    assert_eq!(info.retry_delay, Some(Duration { seconds: 17, nanos: 0 }));
    assert_eq!(header(&given, "retry-after"), None);

    let given = answered(prepare(&filter(), "/v1/traces", Some("application/grpc"), CUT));
    let (code, Some(Status { details, message, .. })) = grpc_status(&given) else { panic!("no details") };
    assert_eq!((given.status, code), (400, Some("3")));
    assert_eq!(details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(header(&given, "grpc-message"), Some(message.as_str()));
}

#[test]
fn a_message_that_no_header_can_hold_is_percent_encoded() {
    let failure = Failure::new(400, Code::InvalidArgument, "50% of\nä");
    let given = failure.answer(Encoding::Grpc);
    assert_eq!(header(&given, "grpc-message"), Some("50%25 of%0A%C3%A4"));
}

#[test]
fn s11_a_long_message_of_the_upstream_is_cut() {
    let partial = ExportTracePartialSuccess { rejected_spans: 7, error_message: "x".repeat(3 << 20) };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let headers = [Header::new("content-type", PROTOBUF)];
    let given = answer(filter().conclude(&first(Encoding::Protobuf), &response(200, &headers, &body)));
    let given = ExportTraceServiceResponse::decode(&given.body[..]).unwrap().partial_success.unwrap();
    assert_eq!((given.rejected_spans, given.error_message.len()), (7, 4096));
}

#[test]
fn further_exporters_get_copies_and_are_judged_by_their_own_settings() {
    let document = json!({
        "exporters": {
            "otlphttp/agent": {"traces_endpoint": URL, "retry_on_failure": {"enabled": false}},
            "otlphttp/canary": {
                "endpoint": "http://canary:4318", "timeout": "7s", "headers": {"x-scope": "shop"},
                "retry_on_failure": {"initial_interval": "1s", "randomization_factor": 0},
            },
        },
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp/agent", "otlphttp/canary"]}}},
    });
    let filter = Filter::configure(&document).unwrap();
    let outbound = forwarded(prepare_plain(&filter, BODY));
    assert_eq!(outbound.url, URL);
    let [copy] = outbound.copies.as_slice() else { panic!("{:?}", outbound.copies) };
    assert_eq!((copy.url.as_str(), copy.timeout), ("http://canary:4318/v1/traces", 7_000));
    assert!(copy.headers.contains(&Header::new("x-scope", "shop")));
    assert!(!outbound.headers.contains(&Header::new("x-scope", "shop")));

    let to = |upstream| Attempt { upstream, ..first(Encoding::Protobuf) };
    let busy = response(503, &[], b"");
    assert!(matches!(filter.conclude(&to(0), &busy), Next::Answer(_)));
    assert_eq!(filter.conclude(&to(1), &busy), Next::Retry(1000));
    let refused = answer(filter.conclude(&to(1), &response(401, &[], b"")));
    assert!(refused.notice.unwrap().message.contains("exporters.otlphttp/canary.endpoint"));
    // Hosts name only upstreams that `prepare` gave them; any other number counts as the first exporter.
    assert!(matches!(filter.conclude(&to(9), &busy), Next::Answer(_)));
}
