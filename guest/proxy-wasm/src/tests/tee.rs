//! Copies.

use podstamp_core::interface::Header;
use serde_json::json;

use super::proxy::{Stream, answer_call, buffer, metric, proxy, tick};
use super::requests::{BATCH, FRAMED, HTTP, JSON, peer, stamped, tee};
use crate::abi::{Action, Buffer, Headers};

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
