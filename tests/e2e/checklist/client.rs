//! Clients of OTLP/HTTP: what podstamp sends on.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::channel;

use podstamp_fake_agent::{Answer, Script};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export, gzipped};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use super::{partly, status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

/// With an exporter of one's own; `timeout` and `retry_on_failure` are to be said.
fn exporter(url: &str, lines: &str) -> Setup {
    let mut setup = Setup::load_balancer(url);
    let (sections, _) = setup.config.split_once("exporters:").unwrap();
    setup.config = format!("{sections}exporters:\n  otlphttp:\n    traces_endpoint: {url}\n{lines}");
    setup
}

/// A client that tries often, so that a test need not wait, and for long, so that a slow machine has enough tries.
fn eager(url: &str) -> Setup {
    exporter(
        url,
        "    timeout: 60s\n    retry_on_failure:\n      initial_interval: 10ms\n      max_interval: 20ms\n      max_elapsed_time: 0\n",
    )
}

fn answered(served: &Served) -> u16 {
    export(served.address, &Encoding::Protobuf.batch()).status
}

#[test]
fn c1_only_429_502_503_and_504_are_tried_again() {
    let agent = FakeAgent::start();
    let served = eager(&agent.url()).serve();
    for retryable in [429, 502, 503, 504] {
        agent.agent().forget_records();
        agent.agent().play(2, status(retryable));
        assert_eq!(answered(&served), 200, "{retryable}");
        assert_eq!(agent.records().len(), 3, "{retryable}");
    }
    for first in (300..308).chain(400..452).chain(500..512) {
        if [429, 502, 503, 504].contains(&first) {
            continue;
        }
        agent.agent().forget_records();
        agent.agent().play(1, status(first));
        let answered = answered(&served);
        assert_eq!(agent.records().len(), 1, "{first}");
        assert!(
            [400, 413, 500].contains(&answered),
            "{first} became {answered}, which a client would try again"
        );
    }
}

#[test]
fn c1_partial_success_is_not_tried_again() {
    let agent = FakeAgent::with(|builder| builder.play_always(partly(1, "too old")));
    let served = eager(&agent.url()).serve();
    assert_eq!(answered(&served), 200);
    assert_eq!(agent.records().len(), 1);
}

#[test]
fn c2_a_retry_after_within_the_timeout_is_obeyed() {
    // Each wait is a second or more, so that no more than three tries begin within three.
    let agent = FakeAgent::with(|builder| builder.play_always(throttled(503, "1")));
    let retry =
        "    timeout: 3s\n    retry_on_failure:\n      initial_interval: 10ms\n      max_interval: 10ms\n";
    let served = exporter(&agent.url(), retry).serve();
    let answer = export(served.address, &Encoding::Protobuf.batch());
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let tries = agent.records().len();
    assert!((2..=3).contains(&tries), "{tries} tries");

    agent.agent().forget_records();
    agent.agent().play(1, throttled(429, "1"));
    agent.agent().play_always(Script::Import);
    assert_eq!(answered(&served), 200);
    assert_eq!(agent.records().len(), 2);
}

#[test]
fn c2_a_retry_after_beyond_the_timeout_is_for_the_client_to_wait() {
    let date = |response: &str, retry_after: &str| {
        let answer = Answer::new(503).unwrap().header("date", response).unwrap();
        Script::Answer(answer.header("retry-after", retry_after).unwrap())
    };
    let agent = FakeAgent::start();
    let served = eager(&agent.url()).serve();
    for (script, passed_on) in [
        (throttled(503, "120"), "120"),
        (throttled(429, "86400"), "86400"),
        (date("Sun, 28 Feb 2027 23:59:50 GMT", "Mon, 01 Mar 2027 00:01:50 GMT"), "120"),
    ] {
        agent.agent().forget_records();
        agent.agent().play(1, script);
        let answer = export(served.address, &Encoding::Protobuf.batch());
        assert_eq!(answer.header("retry-after"), Some(passed_on));
        assert_eq!(agent.records().len(), 1);
    }
}

#[test]
fn c3_an_upstream_that_comes_up_in_time_gets_what_was_on_its_way() {
    let address = closed_port();
    let served = eager(&format!("http://{address}/api/v1/otel/trace")).serve();
    let to = served.address;
    let sent = std::thread::spawn(move || export(to, &Encoding::Protobuf.batch()).status);
    wait_until("an attempt fails", || {
        served.metric("podstamp_upstream_attempts_total", &["not_connected"]) >= 2.0
    });
    let agent = FakeAgent::with(|builder| builder.listen(address));
    assert_eq!(sent.join().unwrap(), 200);
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn c3_a_disconnect_is_for_the_client_to_send_again() {
    // Not for podstamp: whether the agent took the batch before it closed, nobody knows.
    let agent = FakeAgent::with(|builder| builder.play(1, Script::Close));
    let served = eager(&agent.url()).serve();
    let answer = export(served.address, &Encoding::Protobuf.batch());
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(agent.records().len(), 1);
    assert_eq!(answered(&served), 200);
}

#[test]
fn c4_what_is_over_the_limit_is_refused_and_counted_and_not_sent() {
    let agent = FakeAgent::start();
    let mut setup = Setup::load_balancer(&agent.url()).own("  limits:\n    body: 4KiB\n");
    setup.config.push_str("    compression: gzip\n");
    let served = setup.serve();
    // Fits when it comes, and not with the address in it, though compressed it would.
    let named = |length: usize| spans::export(&[("shop", &"x".repeat(length))]);
    let filled = (0..4096).map(named).take_while(|body| body.len() <= 4096).last().unwrap();
    for (body, reason) in [(filled, "once it is stamped"), (vec![0; 4097], "over 4096 bytes")] {
        let answer = export(served.address, &body);
        assert_eq!(answer.status, 413, "{}", answer.message());
        assert!(Status::of(&answer).message.contains(reason), "{}", answer.message());
        assert_eq!(answer.header("retry-after"), None);
    }
    assert_eq!(agent.records(), []);
    assert_eq!(served.metric("podstamp_requests_total", &["refused", "413"]), 2.0);
    served.wait_for_log("podstamp.limits.body");
}

#[test]
fn c5_a_response_over_the_limit_is_final_and_none_is_asked_for_compressed() {
    let agent = FakeAgent::with(|builder| {
        builder.play(1, Script::ImportThen(Answer::new(200).unwrap().body(vec![b'x'; 4 << 20])))
    });
    let served = eager(&agent.url()).serve();
    assert_eq!(answered(&served), 200, "4 MiB are the limit");
    for status in [200, 503] {
        agent.agent().forget_records();
        agent.agent().play(1, Script::Answer(Answer::new(status).unwrap().body(vec![b'x'; (4 << 20) + 1])));
        assert_eq!(answered(&served), 500);
        assert_eq!(agent.records().len(), 1, "it is not sent again");
        // A response that was compressed all the same would be so unasked, and the client would not inflate it.
        assert_eq!(agent.records()[0].header("accept-encoding"), None);
    }
}

#[test]
fn c6_one_connection_is_kept_and_gzip_is_named() {
    let agent = FakeAgent::with(podstamp_fake_agent::Builder::keep_bodies);
    let mut setup = eager(&agent.url());
    setup.config.push_str("    compression: gzip\n");
    let served = setup.serve();
    let mut client = Client::connect(served.address);
    let coded = gzipped(&mut &*Encoding::Protobuf.batch());
    for _ in 0..3 {
        assert_eq!(client.export(&Encoding::Protobuf.batch()).status, 200);
        assert_eq!(Encoding::Json.send(&mut client, &Encoding::Json.batch()).status, 200);
        let gzip = [PROTOBUF, ("content-encoding", "gzip")];
        assert_eq!(client.send("POST", "/v1/traces", &gzip, &coded).status, 200);
    }
    let records = agent.records();
    assert_eq!(records.len(), 9);
    assert_eq!(records.iter().map(|record| record.peer).collect::<BTreeSet<_>>().len(), 1);
    for record in &records {
        assert_eq!(record.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(record.content_type.as_deref(), Some("application/x-protobuf"));
        assert_eq!(record.content_length, Some(record.wire_bytes));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&**record.body.as_ref().unwrap()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain.len() as u64, record.decoded_bytes);
    }
}

#[test]
fn c6_a_connection_that_the_upstream_closes_between_requests_is_replaced() {
    let (close, closed) = channel();
    let upstream = Raw::answering(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        close.send(()).unwrap();
    });
    let served = eager(&upstream.url()).serve();
    for _ in 0..20 {
        assert_eq!(answered(&served), 200);
        closed.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(upstream.requests(), 20);
}
