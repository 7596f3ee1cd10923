//! Exports that are stamped as they pass.

use podstamp_core::interface::{Header, Signal};
use serde_json::json;

use super::proxy::{Stream, answer_call, buffer, header, metric, proxy, root, tick};
use super::requests::{BATCH, FRAMED, GRPC, HTTP, JSON, document, inline, peer, stamped, status, tee};
use crate::abi::{Action, Buffer, Headers};

#[test]
fn an_export_becomes_the_agents_own_request() {
    peer("10.1.2.3");
    let (stream, action) = Stream::begin(inline(), HTTP, false);
    assert_eq!(action, Action::Continue);
    assert_eq!(header(Headers::Request, ":path").as_deref(), Some("/api/v1/otel/trace"));
    assert_eq!(header(Headers::Request, "content-type").as_deref(), Some("application/x-protobuf"));
    assert_eq!(header(Headers::Request, "content-length"), None);
    assert_eq!(header(Headers::Request, "accept-encoding"), None);

    assert_eq!(stream.body(&BATCH[..5], false), Action::Pause);
    assert_eq!(stream.body(&BATCH[5..], false), Action::Pause);
    assert_eq!(stream.body(b"", true), Action::Continue);
    assert_eq!(stamped(&buffer(Buffer::RequestBody), "10.1.2.3"), 2);

    stream.respond("via_upstream", &[(":status", "200"), ("content-length", "0")], None);
    assert_eq!(header(Headers::Response, "content-type").as_deref(), Some("application/x-protobuf"));
    assert_eq!(proxy(|proxy| proxy.answers.len()), 0);
    assert_eq!(metric("podstamp_requests_total.outcome.accepted.code.200"), 1);
    assert_eq!(metric("podstamp_spans_total.outcome.accepted"), 1);
    assert_eq!(metric("podstamp_addresses_total.from.connection"), 2);
    drop(stream);
    assert_eq!(metric("podstamp_requests_total.outcome.cancelled"), 0);
}

#[test]
fn a_client_that_goes_away_is_counted_soon() {
    let root = inline();
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(BATCH, true);
    assert_eq!(proxy(|proxy| proxy.tick), 100);
    tick(root, 100);
    assert_eq!(proxy(|proxy| proxy.tick), 0);
    drop(stream);
    assert_eq!(proxy(|proxy| proxy.tick), 100);
    tick(root, 100);
    assert_eq!(metric("podstamp_requests_total.outcome.cancelled"), 1);
    assert_eq!(metric("podstamp_spans_total.outcome.cancelled"), 1);
}

#[test]
fn a_body_ends_with_trailers_as_well() {
    peer("10.1.2.3");
    let (stream, _) = Stream::begin(inline(), HTTP, false);
    assert_eq!(stream.body(BATCH, false), Action::Pause);
    assert_eq!(stream.trailers(), Action::Continue);
    assert_eq!(stamped(&buffer(Buffer::RequestBody), "10.1.2.3"), 2);
}

#[test]
fn what_stands_behind_the_last_edit_stays_in_the_proxy() {
    peer("10.1.2.3");
    let root = inline();
    let (stream, _) = Stream::begin(root, HTTP, false);
    let span = [b"\x12\xff\x01\x12\xfc\x01\x2a\xf9\x01".as_slice(), &[b'n'; 249]].concat();
    let length = [0x0a, 0x84, 0x02, 0x0a, 0x00];
    stream.body(&[length.as_slice(), &span].concat(), true);
    let prefix = buffer(Buffer::RequestBody);
    assert_eq!(stamped(&prefix, "10.1.2.3"), 1);
    assert!(prefix.ends_with(&span));
    assert_eq!(podstamp_core::diagnose_as(Signal::Traces, &prefix), Ok(()));
}

#[test]
fn other_requests_pass_untouched() {
    let root = inline();
    for headers in [
        [(":method", "GET"), (":path", "/v1/traces")],
        [(":method", "POST"), (":path", "/v1/metrics")],
        [(":method", "POST"), (":path", "/v1/traces/")],
    ] {
        let (stream, action) = Stream::begin(root, &headers, false);
        assert_eq!(action, Action::Continue);
        assert_eq!(header(Headers::Request, ":path").as_deref(), Some(headers[1].1));
        assert_eq!(stream.body(b"any bytes", false), Action::Continue);
        assert_eq!(stream.body(b"", true), Action::Continue);
        stream.respond("via_upstream", &[(":status", "500"), ("content-type", "text/html")], Some(b"no"));
        assert_eq!(buffer(Buffer::ResponseBody), b"no");
        assert_eq!(header(Headers::Response, "content-type").as_deref(), Some("text/html"));
    }
}

#[test]
fn json_is_answered_in_json_however_its_media_type_is_written() {
    let root = inline();
    for content_type in ["application/json", "Application/JSON;charset=UTF-8"] {
        let headers = [JSON[0], JSON[1], ("content-type", content_type), ("content-encoding", "br")];
        Stream::begin(root, &headers, false);
        let answer = proxy(|proxy| proxy.answers.remove(0));
        assert_eq!(answer.status, 415);
        assert!(answer.headers.contains(&Header::new("content-type", "application/json")), "{content_type}");
    }
}

#[test]
fn a_json_client_is_answered_in_json_whatever_the_upstream_says() {
    let root = inline();
    let batch = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}"#;
    let partial = b"\x0a\x06\x08\x03\x12\x02no".as_slice();
    for (body, headers, expected) in [
        (None, vec![(":status", "200")], "{}"),
        (Some(b"".as_slice()), vec![(":status", "202")], "{}"),
        (Some(b"<html>"), vec![(":status", "200"), ("content-type", "text/html")], "{}"),
        (
            Some(partial),
            vec![(":status", "200"), ("content-type", "application/x-protobuf"), ("content-length", "8")],
            r#"{"partialSuccess":{"errorMessage":"no","rejectedSpans":"3"}}"#,
        ),
    ] {
        let (stream, _) = Stream::begin(root, JSON, false);
        stream.body(batch, true);
        assert_eq!(stamped(&buffer(Buffer::RequestBody), "app.host.ip"), 1);
        stream.respond("via_upstream", &headers, body);
        let answered = proxy(|proxy| proxy.answers.pop());
        let answer = match answered {
            Some(answer) => {
                assert!(answer.headers.contains(&Header::new("content-type", "application/json")));
                answer.body
            }
            None => {
                assert_eq!(header(Headers::Response, "content-type").as_deref(), Some("application/json"));
                assert_eq!(header(Headers::Response, "content-length"), None);
                assert_eq!(header(Headers::Response, ":status").as_deref(), Some("200"));
                buffer(Buffer::ResponseBody)
            }
        };
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }
}

#[test]
fn a_refused_batch_is_answered_and_does_not_go_on() {
    let (stream, _) = Stream::begin(inline(), HTTP, false);
    assert_eq!(stream.body(b"garbage", true), Action::Pause);
    let answer = proxy(|proxy| proxy.answers[0].clone());
    assert_eq!((answer.status, answer.grpc_status), (400, -1));
    assert!(status(3, &answer.body));
    assert_eq!(metric("podstamp_guard_repairs_total.rule.refused"), 1);
    assert_eq!(metric("podstamp_requests_total.outcome.refused.code.400"), 1);
    // The proxy shows its own answer on its way out.
    proxy(|proxy| proxy.answers.clear());
    stream.respond("podstamp", &[(":status", "400")], Some(b"as it is"));
    assert_eq!(buffer(Buffer::ResponseBody), b"as it is");
}

#[test]
fn a_request_without_a_body_is_answered_or_goes_on() {
    let root = inline();
    // Without spans: the upstream says so.
    let (_stream, action) = Stream::begin(root, HTTP, true);
    assert_eq!((action, proxy(|proxy| proxy.answers.len())), (Action::Continue, 0));
    // An empty text is not JSON.
    let (_stream, action) = Stream::begin(root, JSON, true);
    assert_eq!((action, proxy(|proxy| proxy.answers[0].status)), (Action::Pause, 400));
    let unknown = [HTTP, &[("content-encoding", "br")]].concat();
    let (_stream, action) = Stream::begin(root, &unknown, true);
    assert_eq!((action, proxy(|proxy| proxy.answers[0].status)), (Action::Pause, 415));
}

#[test]
fn grpc_gets_its_status_only_after_the_upstream_got_nothing() {
    let (stream, _) = Stream::begin(inline(), GRPC, false);
    assert_eq!(stream.body(b"garbage", true), Action::Continue);
    assert_eq!(buffer(Buffer::RequestBody), b"");
    assert_eq!(proxy(|proxy| proxy.answers.len()), 0);
    stream.respond("via_upstream", &[(":status", "200")], None);
    let answer = proxy(|proxy| proxy.answers[0].clone());
    assert_eq!(answer.grpc_status, 3);
    assert!(answer.headers.iter().any(|header| header.name == "grpc-message"));
    assert!(!answer.headers.iter().any(|header| header.name == "content-type"));
}

#[test]
fn a_body_over_the_limit_is_refused_while_it_comes() {
    let root = root(&document(&json!({"limits": {"body": 1000}}))).unwrap();
    let (stream, _) = Stream::begin(root, HTTP, false);
    assert_eq!(stream.body(&[0; 1000], false), Action::Pause);
    assert_eq!(proxy(|proxy| proxy.answers.len()), 0);
    stream.body(&[0], false);
    assert_eq!(proxy(|proxy| proxy.answers[0].status), 413);

    // Coded ones count as they come, too.
    let coded = [HTTP, &[("content-encoding", "gzip")]].concat();
    let (stream, _) = Stream::begin(root, &coded, false);
    stream.body(&[0; 1001], false);
    assert_eq!(proxy(|proxy| proxy.answers[0].status), 413);

    let (stream, _) = Stream::begin(root, GRPC, false);
    for _ in 0..5 {
        stream.body(&[0; 600], false);
    }
    assert!(buffer(Buffer::RequestBody).len() <= 600);
    stream.body(b"", true);
    assert_eq!(buffer(Buffer::RequestBody), b"");
    stream.respond("via_upstream", &[(":status", "200")], None);
    assert_eq!(proxy(|proxy| proxy.answers[0].grpc_status), 8);
}

#[test]
fn a_batch_that_grows_over_the_limit_is_refused_whole() {
    peer("10.1.2.3");
    let root = root(&document(&json!({"limits": {"body": BATCH.len() + 10}}))).unwrap();
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(BATCH, true);
    assert_eq!(proxy(|proxy| proxy.answers[0].status), 413);

    let (stream, _) = Stream::begin(root, GRPC, false);
    stream.body(BATCH, true);
    assert_eq!(buffer(Buffer::RequestBody), b"");
    stream.respond("via_upstream", &[(":status", "200")], None);
    assert_eq!(proxy(|proxy| proxy.answers[0].grpc_status), 8);
}

/// One ResourceSpans with two spans, which are more than one request may have.
const TWO_SPANS: &[u8] = b"\x0a\x08\x0a\x00\x12\x04\x12\x00\x12\x00";

#[test]
fn a_batch_that_takes_several_requests_is_refused_inline_and_copied_in_as_many() {
    peer("10.1.2.3");
    let one = json!({"guard": {"spans_per_request": 1}});
    let (stream, _) = Stream::begin(root(&document(&one)).unwrap(), HTTP, false);
    stream.body(TWO_SPANS, true);
    assert_eq!(proxy(|proxy| proxy.answers[0].status), 413);

    let root = tee(one);
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(TWO_SPANS, true);
    drop(stream);
    tick(root, 10);
    let calls = proxy(|proxy| proxy.calls.clone());
    assert_eq!(calls.iter().map(|call| stamped(&call.body, "10.1.2.3")).collect::<Vec<_>>(), [1, 1]);
    answer_call(root, 1, &[(":status", "200")], b"");
    answer_call(root, 2, &[(":status", "200")], b"");
    assert_eq!(metric("podstamp_copied_spans_total.outcome.delivered"), 2);
}

#[test]
fn an_answer_of_the_proxys_own_is_put_into_otlps_words() {
    let refused = "upstream_reset_before_response_started{remote_connection_failure}";
    for (details, expected) in [
        (refused, 503),
        ("upstream_reset_before_response_started{connection_termination}", 503),
        ("response_timeout", 504),
        ("request_payload_too_large", 413),
    ] {
        let (stream, _) = Stream::begin(inline(), HTTP, false);
        stream.body(BATCH, true);
        let headers = [(":status", "503"), ("content-type", "text/plain"), ("content-length", "19")];
        stream.respond(details, &headers, Some(b"upstream connect error"));
        // A second answer would leave the client waiting.
        assert_eq!(proxy(|proxy| proxy.answers.len()), 0, "{details}");
        assert_eq!(header(Headers::Response, ":status"), Some(expected.to_string()), "{details}");
        assert_eq!(header(Headers::Response, "content-type").as_deref(), Some("application/x-protobuf"));
        assert_eq!(header(Headers::Response, "content-length"), None);
        assert_eq!(buffer(Buffer::ResponseBody).first(), Some(&0x08), "{details}");

        let (stream, _) = Stream::begin(inline(), GRPC, false);
        stream.body(BATCH, true);
        stream.respond(details, &[(":status", "200"), ("grpc-status", "14"), ("grpc-message", "x")], None);
        assert_eq!(header(Headers::Response, ":status"), Some(expected.to_string()), "{details}");
        assert_eq!(header(Headers::Response, "grpc-status"), None, "{details}");
    }
}

#[test]
fn an_agent_that_closes_on_a_batch_tells_what_is_wrong_with_it() {
    // The span's name is not UTF-8, which only a full check sees.
    let deep = b"\x0a\x0a\x0a\x00\x12\x06\x12\x04\x2a\x02\xff\xfe";
    let (stream, _) = Stream::begin(inline(), HTTP, false);
    assert_eq!(stream.body(deep, true), Action::Continue);
    let details = "upstream_reset_before_response_started{connection_termination}";
    stream.respond(details, &[(":status", "503")], Some(b"x"));
    assert_eq!(header(Headers::Response, ":status").as_deref(), Some("400"));
    assert!(status(3, &buffer(Buffer::ResponseBody)));
}

#[test]
fn an_upstreams_own_failure_is_answered_in_the_clients_encoding() {
    for (status, expected, code) in
        [("400", 400, 3), ("404", 500, 13), ("429", 429, 14), ("500", 500, 13), ("503", 503, 14)]
    {
        let (stream, _) = Stream::begin(inline(), GRPC, false);
        stream.body(BATCH, true);
        stream.respond("via_upstream", &[(":status", status)], Some(b"text"));
        let answer = proxy(|proxy| proxy.answers[0].clone());
        assert_eq!((answer.status, answer.grpc_status), (expected, code), "{status}");
        assert!(metric(&format!("podstamp_upstream_attempts_total.outcome.{}xx", &status[..1])) > 0);
    }
}

#[test]
fn without_the_bridge_grpc_is_refused_with_what_to_do() {
    let (_stream, action) = Stream::begin(inline(), FRAMED, false);
    assert_eq!(action, Action::Pause);
    assert_eq!(proxy(|proxy| proxy.answers[0].grpc_status), 12);
    assert!(proxy(|proxy| proxy.log.iter().any(|line| line.contains("grpc_http1_reverse_bridge"))));
}

#[test]
fn a_proxy_that_refuses_a_call_gets_an_answer_and_no_trap() {
    for function in ["get_buffer", "set_buffer", "set_header", "send_local_response", "define_metric"] {
        proxy(|proxy| proxy.refuses = [function].into());
        let root = inline();
        for headers in [HTTP, JSON, GRPC, FRAMED] {
            let (stream, _) = Stream::begin(root, headers, false);
            stream.body(BATCH, true);
            stream.respond("via_upstream", &[(":status", "200")], Some(b""));
        }
        if function == "set_buffer" {
            let (stream, _) = Stream::begin(root, HTTP, false);
            assert_eq!(stream.body(BATCH, true), Action::Pause);
            assert_eq!(proxy(|proxy| proxy.answers[0].status), 500);
        }
    }
    proxy(|proxy| proxy.refuses.clear());
}
