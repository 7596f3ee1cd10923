//! What clients are told.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use podstamp_fake_agent::{Latch, Script};
use podstamp_test_support::blocking::http::{Client, GZIP, JSON, PROTOBUF, export, gzipped};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::ports::absent_agent;
use podstamp_test_support::spans;

use super::Setup;
use super::process::plain;
use crate::fake_agent::FakeAgent;

/// A batch of a pod that is unknown here.
fn batch() -> Vec<u8> {
    spans::export(&[("shop", "web-1")])
}

#[test]
fn batches_arrive_compressed_or_not_in_protobuf_or_json() {
    let agent = FakeAgent::start();
    let Some(bento) = Setup::to(&agent.url()).start() else { return };
    let mut client = Client::connect(bento.address);
    let plain = client.export(&batch());
    assert_eq!((plain.status, plain.body.len()), (200, 0));
    assert_eq!(plain.header("content-type"), Some("application/x-protobuf"));
    let compressed = client.send("POST", "/v1/traces", &[PROTOBUF, GZIP], &gzipped(&mut &*batch()));
    assert_eq!((compressed.status, compressed.body.len()), (200, 0));
    let json = client.send("POST", "/v1/traces", &[JSON], &spans::export_json(&[("shop", "web-1")]));
    assert_eq!((json.status, &*json.body), (200, &b"{}"[..]));
    assert_eq!(json.header("content-type"), Some("application/json"));
    let empty = client.export(b"");
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    assert_eq!(agent.placed(), vec![("shop".to_owned(), "0.0.0.0".to_owned()); 3]);
}

#[test]
fn bodies_that_cannot_be_read_are_refused_with_their_place_and_the_next_one_passes() {
    let agent = FakeAgent::start();
    let Some(bento) = Setup::to(&agent.url()).start() else { return };
    let mut client = Client::connect(bento.address);
    let mut refused = |headers: &[(&str, &str)], body: &[u8], status: u16, says: &str, key: &str| {
        let answer = client.send("POST", "/v1/traces", headers, body);
        assert_eq!(answer.status, status, "{answer:?}");
        let said = Status::of(&answer).message;
        assert!(said.contains(says), "{says:?} in {said:?}");
        bento.wait_for_log(&[key, says]);
        assert_eq!(client.export(&batch()).status, 200);
    };
    refused(&[PROTOBUF], b"\xff", 400, "(at offset 0x", "batch-refused: ");
    // The walk passes over it, the full check of the example does not, and the agent would close on it.
    refused(&[PROTOBUF], &spans::broken_deep_in_a_span(), 400, "spans[0].attributes[0]", "batch-refused: ");
    refused(&[JSON], b"{\"resourceSpans\": 1}", 400, "line 1", "batch-refused: ");
    refused(&[PROTOBUF, GZIP], &batch(), 400, "the body is not gzip", "body-corrupt: ");
    refused(
        &[PROTOBUF, ("content-encoding", "br")],
        &batch(),
        415,
        "known are gzip, deflate",
        "unknown-coding: ",
    );
    // The example takes 20 MiB.
    let bomb = gzipped(&mut std::io::repeat(0).take(21 << 20));
    refused(&[PROTOBUF, GZIP], &bomb, 413, "bytes once its content coding is undone", "body-too-large: ");
    refused(&[("content-type", "text/plain")], &batch(), 415, "application/x-protobuf", "content-type: ");
    assert_eq!(agent.placed().len(), 7, "only what was not refused");
    let multipart = client.send(
        "POST",
        "/v1/traces",
        &[("content-type", "multipart/mixed; boundary=x")],
        b"--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n",
    );
    assert_eq!(multipart.status, 415);
    assert_eq!(client.export(&batch()).status, 200);
}

#[test]
fn what_the_agent_says_reaches_the_client_as_otlp_has_it() {
    const SAID: &[(&str, &str, u16, Option<&str>)] = &[
        ("200", "", 200, None),
        ("202", "", 200, None),
        ("400", "", 400, None),
        ("404", "", 500, None),
        ("413", "", 413, None),
        ("418", "", 500, None),
        ("429", "retry-after: 7\r\n", 429, Some("7")),
        ("503", "retry-after: 9\r\n", 503, Some("9")),
        ("503", "", 503, Some("5")),
        ("504", "", 504, Some("5")),
    ];
    let asked = AtomicUsize::new(0);
    let agent = Raw::answering(move |stream| {
        let (status, headers, ..) = SAID[asked.fetch_add(1, Ordering::AcqRel)];
        write!(stream, "HTTP/1.1 {status} Said\r\n{headers}content-length: 0\r\n\r\n").unwrap();
    });
    let Some(bento) = Setup::to(&agent.url()).start() else { return };
    for (index, (status, _, told, retry_after)) in SAID.iter().enumerate() {
        let answer = export(bento.address, &batch());
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (*told, *retry_after),
            "{status}: {answer:?}"
        );
        assert_eq!(agent.requests(), index + 1, "Bento does not try again: that is the client's");
        let names = answer.status == 200 || Status::of(&answer).message.contains(status);
        assert!(names || *status == "404", "{status}: {answer:?}");
    }
}

#[test]
fn an_agent_that_is_not_there_or_closes_or_is_silent_makes_the_client_come_again() {
    let Some(bento) = Setup::to(&absent_agent()).start() else { return };
    let answer = export(bento.address, &batch());
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    bento.wait_for_log(&["upstream-unreachable: ", "connection refused"]);

    let closing = Raw::answering(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    let setup = Setup { document: plain(&closing.url()), ..Setup::to(&closing.url()) };
    let Some(bento) = setup.start() else { return };
    assert_eq!(export(bento.address, &batch()).status, 503);
    bento.wait_for_log(&["upstream-closed: ", "the batch is sound"]);
    // Here nobody looked into the spans beforehand.
    let answer = export(bento.address, &spans::broken_deep_in_a_span());
    assert_eq!(answer.status, 400);
    assert!(Status::of(&answer).message.contains("spans[0].attributes[0]"));

    let latch = Latch::default();
    let silent = FakeAgent::with(|builder| builder.play_always(Script::Import.behind(&latch)));
    let Some(bento) = Setup::to(&silent.url()).change("timeout: 30s", "timeout: 200ms").start() else {
        return;
    };
    let answer = export(bento.address, &batch());
    assert_eq!((answer.status, answer.header("retry-after")), (504, Some("5")));
    bento.wait_for_log(&["upstream-timeout: "]);
}

#[test]
fn a_batch_that_should_be_several_requests_is_one_and_the_log_says_so() {
    let agent = FakeAgent::start();
    let Some(bento) = Setup::to(&agent.url()).start() else { return };
    let spans = vec![spans::span(1_900_000_000_000_000_000, &[]); 70_000];
    assert_eq!(export(bento.address, &spans::export_spans("shop", "web-1", spans)).status, 200);
    bento.wait_for_log(&["batch-not-split: ", "which should be"]);
    assert_eq!(agent.records().len(), 1);
}
