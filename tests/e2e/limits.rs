//! Wrong input gets a clear answer, and the process keeps serving.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use podstamp_fake_agent::Latch;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export, get, gzipped};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup};

fn serves(served: &Served) {
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
}

#[test]
fn what_cannot_be_decoded_is_refused_with_its_place() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let good = spans::export(&[("shop", "web-1"), ("shop", "web-2")]);
    let noise: Vec<u8> = (0..2000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bad in [&noise[..], &good[..good.len() - 1], b"not protobuf at all", b"{\"resourceSpans\":[]}"] {
        let answer = export(served.address, bad);
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
        assert!(answer.message().contains("at offset 0x"), "{}", answer.message());
        serves(&served);
    }
    assert_eq!(agent.records().len(), 4, "nothing of it reached the agent");
    assert_eq!(served.metric("podstamp_requests_total", &["400"]), 4.0);
}

#[test]
fn a_fault_deep_in_a_span_is_found_once_the_agent_has_closed_on_it() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let answer = export(served.address, &spans::broken_deep_in_a_span());
    assert_eq!(answer.status, 400);
    let message = answer.message();
    assert!(message.contains("resource_spans[0].scope_spans[0].spans[0].attributes[0].value"), "{message}");
    assert_eq!(agent.records().len(), 1);
    serves(&served);
}

#[test]
fn a_span_kind_that_would_abort_the_agent_does_not_reach_it() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    for kind in [6, -1, i32::MAX] {
        assert_eq!(export(served.address, &spans::export_kind("shop", "web-1", kind)).status, 200);
    }
    assert_eq!(agent.agent().totals().aborts, 0);
    let records = agent.records();
    assert!(records.iter().all(|record| record.spans().all(|span| span.kind == 0)));
    assert_eq!(records.len(), 3);
}

#[test]
fn bodies_over_the_limit_are_refused_before_and_after_decompression() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let answer = export(served.address, &vec![0; 65 << 20]);
    assert_eq!(answer.status, 413);
    let bomb = gzipped(&mut std::io::repeat(0).take(100 << 20));
    assert!(bomb.len() < 1 << 20);
    let mut client = Client::connect(served.address);
    let answer = client.send("POST", "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], &bomb);
    assert_eq!(answer.status, 413);
    serves(&served);
    assert_eq!(agent.records().len(), 1);
}

#[test]
fn gzip_is_understood_and_what_is_not_gzip_refused() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let plain = spans::export(&[("shop", "web-1")]);
    let gzip = gzipped(&mut &plain[..]);
    let mut client = Client::connect(served.address);
    let mut send = |coding: &str, body: &[u8]| {
        client.send("POST", "/v1/traces", &[PROTOBUF, ("content-encoding", coding)], body).status
    };
    assert_eq!(send("gzip", &gzip), 200);
    assert_eq!(send("identity", &plain), 200);
    assert_eq!(send("gzip", &plain), 400);
    assert_eq!(send("gzip", &gzip[..gzip.len() - 5]), 400);
    assert_eq!(send("br", &plain), 415);
    // All members of a gzip file, of which the agent would read the first.
    assert_eq!(send("gzip", &[&gzip[..], &gzip[..]].concat()), 200);
    assert_eq!(agent.agent().totals().spans, 4);
}

#[test]
fn c6_an_exporter_with_gzip_sends_what_the_agent_reads_and_passes_on_what_need_not_change() {
    let agent = FakeAgent::with(podstamp_fake_agent::Builder::keep_bodies);
    let mut setup = Setup::load_balancer(&agent.url());
    setup.config.push_str("    compression: gzip\n    compression_params:\n      level: 1\n");
    let served = setup.pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let plain = spans::export(&[("shop", "web-1")]);
    assert_eq!(export(served.address, &plain).status, 200);
    let record = agent.records().pop().unwrap();
    assert_eq!(record.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(agent.placed(), [("shop".to_owned(), "10.1.1.1".to_owned())]);

    // Stamped already, so that nothing is left to change; and compressed as podstamp would not.
    let mut stamped = Vec::new();
    let first = record.body.clone().unwrap();
    flate2::read::GzDecoder::new(&first[..]).read_to_end(&mut stamped).unwrap();
    let named = flate2::GzBuilder::new().filename("spans");
    let mut encoder = named.write(Vec::new(), flate2::Compression::none());
    encoder.write_all(&stamped).unwrap();
    let coded = encoder.finish().unwrap();
    let mut client = Client::connect(served.address);
    let answer = client.send("POST", "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], &coded);
    assert_eq!(answer.status, 200);
    let passed = agent.records().pop().unwrap();
    assert_eq!(passed.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(passed.body.as_ref(), Some(&coded));
    assert_eq!(agent.agent().totals().spans, 2);
    assert_eq!(
        served.metric("podstamp_sent_bytes_total", &[]),
        (record.wire_bytes + passed.wire_bytes) as f64
    );
}

#[test]
fn paths_methods_and_content_types() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let body = spans::export(&[("shop", "web-1")]);
    let mut client = Client::connect(served.address);
    assert_eq!(client.send("POST", "/api/v1/otel/trace", &[], &body).status, 200);
    assert_eq!(client.send("POST", "/v1/traces?x=1", &[PROTOBUF], &body).status, 200);
    assert_eq!(client.send("POST", "/v1/traces", &[("content-type", "text/plain")], &body).status, 415);
    assert_eq!(client.send("POST", "/v1/metrics", &[PROTOBUF], &body).status, 404);
    let refused = client.send("GET", "/v1/traces", &[], b"");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(client.export(b"").status, 200, "an empty request is a success");
    assert_eq!(agent.records().len(), 2);
}

#[test]
fn a_slow_sender_is_timed_out_and_disturbs_nobody() {
    let agent = FakeAgent::start();
    let own = "  limits:\n    read_timeout: 2s\n    header_timeout: 2s\n";
    let served = Setup::load_balancer(&agent.url()).own(own).serve();
    let mut body = TcpStream::connect(served.address).unwrap();
    body.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\nab")
        .unwrap();
    let mut head = TcpStream::connect(served.address).unwrap();
    head.write_all(b"POST /v1/tra").unwrap();
    serves(&served);
    let mut answer = String::new();
    body.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    head.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    drop(head.read_to_string(&mut answer));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn too_many_requests_at_a_time_are_told_to_come_again() {
    let latch = Latch::default();
    let agent = FakeAgent::behind(&latch);
    let served = Setup::load_balancer(&agent.url()).own("  limits:\n    in_flight: 1\n").serve();
    let address = served.address;
    let slow = std::thread::spawn(move || export(address, &spans::export(&[("shop", "web-1")])).status);
    served.wait_for_request_in_flight();
    let refused = export(address, &spans::export(&[("shop", "web-2")]));
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    latch.open();
    assert_eq!(slow.join().unwrap(), 200);
}

#[test]
fn the_admin_listener_tells_health_readiness_and_metrics() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    serves(&served);
    assert_eq!(get(served.admin, "/healthz").0, 200);
    assert_eq!(get(served.admin, "/readyz").0, 200);
    assert_eq!(get(served.admin, "/other").0, 404);
    assert_eq!(served.metric("podstamp_resources_total", &[]), 1.0);
    assert_eq!(served.metric("podstamp_spans_total", &[]), 1.0);
}
