//! The module on a proxy that is only memory: what a host calls, and what it is asked.

mod proxy;
mod signals;

use podstamp_core::interface::Header;
use serde_json::{Value, json};

use crate::abi::{Action, Buffer, Headers};
use proxy::{Stream, answer_call, buffer, header, metric, proxy, root, tick};

/// DeepFlow's simple pipeline, and more of the section `podstamp`.
fn document(own: &Value) -> String {
    json!({
        "processors": {"k8sattributes": null, "resource": {"attributes": [
            {"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"},
        ]}},
        "exporters": {"otlphttp": {"traces_endpoint": "http://deepflow-agent.deepflow/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {
            "receivers": ["otlp"], "processors": ["k8sattributes", "resource"], "exporters": ["otlphttp"],
        }}},
        "receivers": {"otlp": {"protocols": {"http": null, "grpc": null}}},
        "podstamp": own,
    })
    .to_string()
}

fn inline() -> u32 {
    root(&document(&json!({}))).unwrap()
}

fn tee(own: Value) -> u32 {
    let mut own = own;
    own["proxy_wasm"] = json!({"mode": "tee", "cluster": "agent"});
    root(&document(&own)).unwrap()
}

const HTTP: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/v1/traces?x=1"),
    ("content-type", "application/x-protobuf"),
    ("content-length", "4"),
    ("accept-encoding", "gzip"),
];

const JSON: &[(&str, &str)] =
    &[(":method", "POST"), (":path", "/v1/traces"), ("content-type", "application/json")];

/// As it is behind the bridge.
const GRPC: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ("content-type", "application/x-protobuf"),
];

/// As it is without a bridge.
const FRAMED: &[(&str, &str)] = &[
    (":method", "POST"),
    (":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ("content-type", "application/grpc"),
];

/// Two ResourceSpans with an empty Resource each, one span in the first.
const BATCH: &[u8] = b"\x0a\x06\x0a\x00\x12\x02\x12\x00\x0a\x02\x0a\x00";

fn peer(address: &str) {
    proxy(|proxy| proxy.properties.insert("filter_state.podstamp.peer".to_owned(), address.to_owned()));
}

/// How often an address stands in what goes upstream.
fn stamped(body: &[u8], address: &str) -> usize {
    body.windows(address.len()).filter(|window| *window == address.as_bytes()).count()
}

fn status(code: u8, answer: &[u8]) -> bool {
    answer.starts_with(&[0x08, code])
}

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
    assert_eq!(podstamp_core::diagnose(&prefix), Ok(()));
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
    // An empty text is no JSON.
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
    // A span's name that is no UTF-8: only a full check sees it.
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

#[test]
fn an_address_that_anybody_can_claim_is_not_believed() {
    let stamps = |own: Value, properties: &[(&str, &str)], forwarded: Option<&str>| {
        proxy(|proxy| {
            proxy.properties =
                properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        });
        let mut headers = HTTP.to_vec();
        headers.extend(forwarded.map(|value| ("x-forwarded-for", value)));
        let (stream, _) = Stream::begin(root(&document(&own)).unwrap(), &headers, false);
        stream.body(BATCH, true);
        let body = buffer(Buffer::RequestBody);
        let addresses = ["10.1.2.3", "10.6.6.6", "10.9.9.9", "0.0.0.0"];
        addresses.into_iter().find(|address| stamped(&body, address) == 2).unwrap_or("?")
    };
    let state = ("filter_state.podstamp.peer", "10.1.2.3");
    let source = ("source.address", "10.6.6.6:4711");
    let forged = Some("10.6.6.6");
    assert_eq!(stamps(json!({}), &[state, source], forged), "10.1.2.3");
    assert_eq!(stamps(json!({}), &[source], None), "10.6.6.6");
    // With a port it is the peer's own, without one it is what the header says.
    assert_eq!(stamps(json!({}), &[source], Some("10.9.9.9")), "10.6.6.6");
    let claimed = ("source.address", "10.6.6.6:0");
    assert_eq!(stamps(json!({}), &[claimed], forged), "0.0.0.0");
    assert_eq!(stamps(json!({}), &[("source.address", "10.6.6.6")], forged), "0.0.0.0");
    assert_eq!(stamps(json!({}), &[("source.address", "10.6.6.6")], None), "10.6.6.6");
    let trusting = json!({"trusted_proxies": ["10.1.0.0/16"]});
    assert_eq!(stamps(trusting.clone(), &[claimed], forged), "10.6.6.6");
    assert_eq!(stamps(trusting, &[state, source], Some("10.9.9.9")), "10.9.9.9");
    // In a sidecar, whoever asks is the pod itself.
    let own = ("xds.node.metadata.INSTANCE_IPS", "fe80::1,10.9.9.9,fd00::1");
    assert_eq!(stamps(json!({}), &[("filter_state.podstamp.peer", "127.0.0.1"), own], None), "10.9.9.9");
    assert_eq!(stamps(json!({}), &[state, own], None), "10.1.2.3");
}

#[test]
fn all_faults_of_a_configuration_are_logged() {
    let document = json!({
        "exporters": {"otlphttp": {"traces_endpoint": "agent"}},
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp"], "processors": ["resource"]}}},
        "podstamp": {"proxy_wasm": {"mode": "tee"}},
    });
    assert_eq!(root(&document.to_string()), None);
    let log = proxy(|proxy| proxy.log.join("\n"));
    for path in ["exporters.otlphttp.traces_endpoint", "processors", "podstamp.proxy_wasm.cluster"] {
        assert!(log.contains(path), "{path} is not in\n{log}");
    }
    assert_eq!(root("processors: {}"), None);
    assert!(proxy(|proxy| proxy.log.last().unwrap().contains("google.protobuf.Struct")));
}

#[test]
fn without_a_configuration_it_works_as_the_host_does() {
    peer("10.1.2.3");
    let (stream, _) = Stream::begin(root("").unwrap(), HTTP, false);
    stream.body(BATCH, true);
    assert_eq!(stamped(&buffer(Buffer::RequestBody), "app.host.ip\x12\x0a\x0a\x0810.1.2.3"), 2);
}

#[test]
fn what_is_the_proxys_to_do_is_said() {
    let document = json!({
        "exporters": {"otlphttp": {"endpoint": "http://a", "auth": {"authenticator": "basicauth"}}, "otlphttp/b": {"endpoint": "http://b"}},
        "extensions": {"basicauth": {"client_auth": {"username": "a", "password": "b"}}},
        "service": {"extensions": ["basicauth"], "pipelines": {"traces": {"exporters": ["otlphttp", "otlphttp/b"]}}},
    });
    assert_eq!(root(&document.to_string()), None);
    let log = proxy(|proxy| proxy.log.join("\n"));
    assert!(log.contains("exporters.otlphttp.auth") && log.contains("exporters: a proxy sends"), "{log}");
}

#[test]
fn a_copy_goes_to_the_agent_and_the_original_is_not_touched() {
    peer("10.1.2.3");
    let root = tee(json!({}));
    for (headers, body) in [
        (HTTP, BATCH.to_vec()),
        (FRAMED, [b"\0\0\0\0\x0c".as_slice(), BATCH].concat()),
        (JSON, br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]},{}]}"#.to_vec()),
    ] {
        proxy(|proxy| proxy.calls.clear());
        let delivered = metric("podstamp_copied_spans_total.outcome.delivered");
        let (stream, action) = Stream::begin(root, headers, false);
        assert_eq!(action, Action::Continue);
        let before = proxy(|proxy| proxy.headers[&(Headers::Request as u32)].clone());
        assert_eq!(stream.body(&body[..3], false), Action::Continue);
        assert_eq!(stream.body(&body[3..], true), Action::Continue);
        assert_eq!(buffer(Buffer::RequestBody), body[3..]);
        assert_eq!(proxy(|proxy| proxy.headers[&(Headers::Request as u32)].clone()), before);
        // Nothing is done while the original waits.
        assert_eq!(proxy(|proxy| proxy.calls.len()), 0);
        drop(stream);
        assert!(proxy(|proxy| proxy.tick) > 0);
        tick(root, 10);
        let call = proxy(|proxy| proxy.calls[0].clone());
        assert_eq!(call.cluster, "agent");
        assert!(call.headers.contains(&Header::new(":path", "/api/v1/otel/trace")));
        assert!(call.headers.contains(&Header::new(":authority", "deepflow-agent.deepflow")));
        assert_eq!(stamped(&call.body, "10.1.2.3"), 2);
        answer_call(root, 1, &[(":status", "200")], b"");
        assert_eq!(metric("podstamp_copied_spans_total.outcome.delivered"), delivered + 1);
        tick(root, 100);
        assert_eq!(proxy(|proxy| proxy.tick), 0, "nothing is left to do");
    }
}

#[test]
fn a_copy_is_tried_again_and_its_loss_is_counted() {
    let root = tee(json!({}));
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(BATCH, true);
    tick(root, 10);
    let mut attempts = 0;
    while metric("podstamp_copied_spans_total.outcome.failed") == 0 {
        attempts += 1;
        assert_eq!(proxy(|proxy| proxy.calls.len()), attempts);
        answer_call(root, attempts as u32, &[(":status", "503")], b"no");
        for _ in 0..100 {
            tick(root, 100);
        }
        assert!(attempts < 20);
    }
    assert!(attempts > 1, "retry_on_failure is on by default");
    assert_eq!(metric("podstamp_upstream_attempts_total.outcome.5xx"), attempts as i64);
}

#[test]
fn what_cannot_be_copied_is_counted_and_passes() {
    let root = tee(json!({"limits": {"body": 100, "in_flight_bytes": 700}}));
    let (stream, _) = Stream::begin(root, HTTP, false);
    assert_eq!(stream.body(&[0; 101], true), Action::Continue);
    assert_eq!(buffer(Buffer::RequestBody).len(), 101);
    assert_eq!(metric("podstamp_not_copied_requests_total"), 1);

    // All that is held at a time is bounded as well.
    let (first, _) = Stream::begin(root, HTTP, false);
    first.body(&[0; 60], true);
    let (second, _) = Stream::begin(root, HTTP, false);
    second.body(&[0; 60], true);
    assert_eq!(metric("podstamp_not_copied_requests_total"), 2);

    // What is garbage is found when the time comes, and is nobody's loss but counted.
    tick(root, 10);
    assert_eq!(metric("podstamp_not_copied_requests_total"), 3);
    assert_eq!(proxy(|proxy| proxy.calls.len()), 0);

    proxy(|proxy| proxy.refuses = ["http_call"].into());
    let root = tee(json!({}));
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(BATCH, true);
    for _ in 0..1000 {
        tick(root, 1000);
    }
    assert_eq!(metric("podstamp_copied_spans_total.outcome.failed"), 1);
}

/// A root that gets its pods from a podstamp, and finds them by their name.
fn with_pods() -> u32 {
    let document = json!({
        "processors": {"k8sattributes": {
            "pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]}],
            "extract": {"metadata": ["k8s.pod.ip"]},
        }},
        "exporters": {"otlphttp": {"traces_endpoint": "http://agent/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"processors": ["k8sattributes"], "exporters": ["otlphttp"]}}},
        "podstamp": {"proxy_wasm": {"pods": {"cluster": "podstamp"}}},
    });
    root(&document.to_string()).unwrap()
}

/// A listing with one pod.
fn listing(address: &str) -> String {
    let cells = "name\tips\tcreated\tnamespace\tuid\tstarted\tflags";
    format!("podstamp-pods 1\tcluster\t1\t{cells}\n\ncart-0\t{address}\t2026-11-20T08:00:00Z\n")
}

/// Sends a span of pod `cart-0`, and tells whether it was stamped with that address.
fn finds(root: u32, address: &str) -> bool {
    let attribute = b"\x0a\x0ck8s.pod.name\x12\x08\x0a\x06cart-0";
    let resource = [b"\x0a\x18".as_slice(), attribute].concat();
    let batch = [b"\x0a\x1c\x0a\x1a".as_slice(), &resource].concat();
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(&batch, true);
    stamped(&buffer(Buffer::RequestBody), address) > 0
}

#[test]
fn pods_come_from_a_podstamp_and_follow_its_changes() {
    let root = with_pods();
    assert!(!finds(root, "10.1.2.3"));
    tick(root, 10);
    let call = proxy(|proxy| proxy.calls[0].clone());
    assert_eq!((call.cluster.as_str(), call.body.len()), ("podstamp", 0));
    assert!(
        call.headers.contains(&Header::new(":path", "/pods?fields=namespace,uid,hostname,containers")),
        "{:?}",
        call.headers
    );
    answer_call(root, 1, &[(":status", "200"), ("etag", "\"one\"")], listing("10.1.2.3").as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.1.2.3"));
    assert_eq!((metric("podstamp_pods"), metric("podstamp_pods_bytes") > 100), (1, true));

    // It asks again after the interval and not before, and says what it has.
    tick(root, 100);
    assert!(proxy(|proxy| proxy.tick) > 9_000);
    tick(root, 5_000);
    assert_eq!(proxy(|proxy| proxy.calls.len()), 1);
    tick(root, 5_000);
    let call = proxy(|proxy| proxy.calls[1].clone());
    assert!(call.headers.contains(&Header::new("if-none-match", "\"one\"")));
    answer_call(root, 2, &[(":status", "304")], b"");
    assert!(finds(root, "10.1.2.3"));
    tick(root, 10_000);
    answer_call(root, 3, &[(":status", "200"), ("etag", "\"two\"")], listing("10.7.7.7").as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.7.7.7"));
}

#[test]
fn pods_that_cannot_be_had_leave_those_that_there_are() {
    let root = with_pods();
    tick(root, 10);
    answer_call(root, 1, &[(":status", "200")], listing("10.1.2.3").as_bytes());
    tick(root, 10);
    tick(root, 10_000);
    for (attempt, (headers, body)) in [
        (vec![(":status", "404")], "no pods here"),
        (vec![], ""),
        (vec![(":status", "200")], "<html>"),
        (vec![(":status", "200")], &listing("10.7.7.7").replace("\t1\t", "\t9\t")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(proxy(|proxy| proxy.calls.len()), attempt + 2);
        answer_call(root, attempt as u32 + 2, &headers, body.as_bytes());
        tick(root, 10);
        assert_eq!(
            metric("podstamp_pods_failures_total"),
            attempt as i64 + 1,
            "{:?}",
            proxy(|proxy| proxy.log.clone())
        );
        assert!(finds(root, "10.1.2.3"));
        // Sooner than the interval.
        tick(root, 1_000);
    }
    assert!(proxy(|proxy| proxy.log.iter().any(|line| line.contains("404: no pods here"))));
}

#[test]
fn callbacks_for_contexts_that_are_not_there_do_nothing() {
    answer_call(77, 1, &[(":status", "200")], b"");
    tick(77, 1);
    let (stream, action) = Stream::begin(77, HTTP, false);
    assert_eq!((action, stream.body(b"x", true)), (Action::Continue, Action::Continue));
    let root = inline();
    answer_call(root, 99, &[], b"");
}
