//! OTLP/gRPC, with Envoy's reverse bridge ahead of the module, which undoes the frames and puts the answers into them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_fake_agent::{Builder, Script};
use podstamp_test_support::blocking::grpc::{
    Called, Grpc, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, RETRYABLE, UNAVAILABLE, framed, framed_compressed,
};
use podstamp_test_support::blocking::http::gzipped;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::json;

use super::setup::document;
use super::{POD, Setup, stamped};
use crate::checklist::{partly, status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;

/// By gRPC's numbers.
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;

const GZIP: (&str, &str) = ("grpc-encoding", "gzip");

const SUCCESS: ExportTraceServiceResponse = ExportTraceServiceResponse { partial_success: None };

fn bridged(agent: &FakeAgent) -> Setup {
    Setup { bridge: true, ..Setup::to(agent) }
}

fn batch() -> Vec<u8> {
    Encoding::Protobuf.batch()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A refusal that is final, in words and without a message.
fn is_refused(called: &Called, code: i32) {
    assert_eq!(called.code(), code, "{:?}", called.headers);
    assert_eq!(called.header("content-type"), Some("application/grpc"));
    assert_ne!(called.header("grpc-message").unwrap_or_default(), "", "{:?}", called.headers);
    assert_eq!(called.body.len(), 0);
    assert_eq!(called.details().retry_delay(), None, "it would be no better the next time");
}

/// Where Envoy itself is answering, its bridge has the last word on the code, but not on what goes with it.
fn is_final(called: &Called) {
    assert_ne!(called.code(), 0, "{:?}", called.headers);
    assert!(!RETRYABLE.contains(&called.code()), "the same would come again: {:?}", called.headers);
    assert_ne!(called.header("grpc-message").unwrap_or_default(), "", "{:?}", called.headers);
    assert_eq!(called.details().retry_delay(), None);
}

/// The agent has got no span before that one.
fn serves_on(client: &Grpc, agent: &FakeAgent) {
    let before = agent.agent().totals();
    assert_eq!(client.export(&batch()).message(), SUCCESS);
    assert_eq!((before.spans, agent.agent().totals().spans), (0, 1));
}

#[test]
fn exports_arrive_stamped_however_they_are_compressed() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    for batch in [batch(), spans::many()] {
        for (headers, frame) in [
            (&[][..], framed(&batch)),
            (&[("grpc-encoding", "identity")], framed(&batch)),
            (&[GZIP], framed_compressed(&gzipped(&mut &*batch))),
            // A message of such a stream may be as it is.
            (&[GZIP], framed(&batch)),
            (&[("grpc-encoding", "deflate")], framed_compressed(&zlib(&batch))),
            (&[("grpc-encoding", "deflate")], framed(&batch)),
        ] {
            let called = client.call(headers, frame);
            assert_eq!(called.message(), SUCCESS, "{headers:?}");
            assert_eq!(called.header("content-type"), Some("application/grpc"));
            assert!(agent.messages() == [stamped(&batch, POD)], "{headers:?}");
            agent.agent().forget_records();
        }
    }
}

#[test]
fn an_export_without_spans_is_a_success() {
    let agent = FakeAgent::start();
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    for (headers, frame) in [
        (&[][..], framed(b"")),
        (&[GZIP], framed(b"")),
        (&[GZIP], framed_compressed(&gzipped(&mut &b""[..]))),
    ] {
        assert_eq!(client.call(headers, frame).message(), SUCCESS, "{headers:?}");
    }
    serves_on(&client, &agent);
}

#[test]
fn calls_at_a_time_on_one_connection_arrive_once_each() {
    const CALLS: usize = 100;
    let agent = FakeAgent::with(|builder| builder.keep_records(2 * CALLS));
    let Some(envoy) = (Setup { concurrency: 2, ..bridged(&agent) }).start() else { return };
    let client = Grpc::connect(envoy.address);
    for called in client.call_all(&[&[][..]; CALLS], framed(&batch())) {
        assert_eq!(called.message(), SUCCESS);
    }
    assert_eq!(agent.placed(), vec![("shop".to_owned(), POD.to_owned()); CALLS]);
    // Refused ones among them disturb nobody.
    let [gzip, unknown] = [&[GZIP][..], &[("grpc-encoding", "br")]];
    let calls: Vec<_> = (0..CALLS).map(|index| if index % 2 == 0 { gzip } else { unknown }).collect();
    let all = client.call_all(&calls, framed(&batch()));
    for (index, called) in all.iter().enumerate() {
        let expected = if index % 2 == 0 { 0 } else { UNIMPLEMENTED };
        assert_eq!(called.code(), expected, "{:?}", called.headers);
    }
    assert_eq!(agent.agent().totals().spans, CALLS as u64 * 3 / 2);
}

#[test]
fn what_cannot_be_decoded_is_an_invalid_argument_with_its_place() {
    let agent = FakeAgent::start();
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    let broken = Encoding::Protobuf.broken();
    for (headers, frame) in
        [(&[][..], framed(&broken)), (&[GZIP], framed_compressed(&gzipped(&mut &*broken)))]
    {
        let called = client.call(headers, frame);
        is_refused(&called, INVALID_ARGUMENT);
        let details = called.details();
        assert_eq!(details.code, INVALID_ARGUMENT);
        let [(field, description)] = &details.violations()[..] else { panic!("{details:?}") };
        assert!(field.starts_with("resource"), "{field}");
        assert_ne!(description, "");
    }
    let gzip = gzipped(&mut &*batch());
    for cut in [12, gzip.len() - 5] {
        is_refused(&client.call(&[GZIP], framed_compressed(&gzip[..cut])), INVALID_ARGUMENT);
    }
    serves_on(&client, &agent);
}

#[test]
fn a_compression_that_nobody_knows_is_unimplemented_with_those_that_are() {
    let agent = FakeAgent::start();
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    for frame in [framed_compressed(&batch()), framed_compressed(&vec![7; 300_000])] {
        let called = client.call(&[("grpc-encoding", "snappy")], frame);
        is_refused(&called, UNIMPLEMENTED);
        assert_eq!(called.header("grpc-accept-encoding"), Some("gzip, deflate, identity"));
    }
    serves_on(&client, &agent);
}

#[test]
fn messages_over_podstamps_limit_exhaust_the_resource() {
    let agent = FakeAgent::start();
    let mut setup = bridged(&agent);
    setup.document = Some(document("  limits:\n    body: 100KiB\n"));
    setup.virtual_host = json!({"request_body_buffer_limit": 8 << 20});
    let Some(envoy) = setup.start() else { return };
    let client = Grpc::connect(envoy.address);
    for size in [101 << 10, 3 << 20] {
        let large = spans::export(&[("shop", &"x".repeat(size))]);
        let gzip = gzipped(&mut &*large);
        assert!(gzip.len() < 100 << 10);
        for (headers, frame) in [(&[][..], framed(&large)), (&[GZIP], framed_compressed(&gzip))] {
            is_refused(&client.call(headers, frame), RESOURCE_EXHAUSTED);
        }
    }
    let bomb = gzipped(&mut std::io::repeat(0).take(100 << 20));
    is_refused(&client.call(&[GZIP], framed_compressed(&bomb)), RESOURCE_EXHAUSTED);
    serves_on(&client, &agent);
}

#[test]
fn messages_over_envoys_own_limit_are_no_success() {
    let agent = FakeAgent::start();
    let mut setup = bridged(&agent);
    setup.manager = json!({"http2_protocol_options": {"initial_stream_window_size": 65536}});
    let Some(envoy) = setup.start() else { return };
    let client = Grpc::connect(envoy.address);
    let large = spans::export(&[("shop", &"x".repeat(1 << 20))]);
    let called = client.export(&large);
    is_final(&called);
    assert!(called.header("grpc-message").unwrap().contains("request_body_buffer_limit"));
    serves_on(&client, &agent);
}

#[test]
fn an_agent_that_is_down_is_unavailable_and_one_that_comes_up_takes_the_next_batch() {
    let address = closed_port();
    let Some(envoy) = (Setup { bridge: true, ..Setup::towards(address) }).start() else { return };
    let client = Grpc::connect(envoy.address);
    for message in [&batch()[..], b""] {
        let called = client.export(message);
        assert_eq!(called.code(), UNAVAILABLE, "{:?}", called.headers);
        assert_ne!(called.header("grpc-message").unwrap_or_default(), "");
        assert!(called.details().retry_delay().is_some());
    }
    let called = client.export(&Encoding::Protobuf.broken());
    is_final(&called);
    assert_eq!(called.details().violations().len(), 1);
    let agent = FakeAgent::with(|builder| builder.listen(address));
    assert_eq!(client.export(&batch()).message(), SUCCESS);
    assert_eq!(agent.placed(), [("shop".to_owned(), POD.to_owned())]);
}

#[test]
fn an_agent_that_closes_is_unavailable_and_on_a_deep_fault_it_is_the_batch() {
    let agent = FakeAgent::start();
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    let called = client.export(&spans::broken_deep_in_a_span());
    is_final(&called);
    let details = called.details();
    assert_eq!(details.code, INVALID_ARGUMENT);
    let [(field, _)] = &details.violations()[..] else { panic!("{details:?}") };
    assert_eq!(field, "resource_spans[0].scope_spans[0].spans[0].attributes[0].value");
    assert_eq!(agent.records().len(), 1, "it is not sent again");
    agent.agent().play(1, Script::Close);
    let called = client.export(&batch());
    assert_eq!(called.code(), UNAVAILABLE, "{:?}", called.headers);
    assert_eq!(client.export(&batch()).message(), SUCCESS);
}

#[test]
fn what_an_upstream_answers_becomes_grpcs_status() {
    let agent = FakeAgent::start();
    let Some(envoy) = bridged(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    for (said, code) in [
        (400, INVALID_ARGUMENT),
        (404, INTERNAL),
        (429, UNAVAILABLE),
        (500, INTERNAL),
        (502, UNAVAILABLE),
        (503, UNAVAILABLE),
        (504, UNAVAILABLE),
    ] {
        agent.agent().play(1, status(said));
        let called = client.export(&batch());
        assert_eq!(called.code(), code, "{said}: {:?}", called.headers);
        assert_ne!(called.header("grpc-message").unwrap_or_default(), "", "{said}");
        assert_eq!(called.body.len(), 0);
    }
    for busy in [429, 503] {
        agent.agent().play(1, throttled(busy, "7"));
        assert_eq!(client.export(&batch()).details().retry_delay(), Some(7.0));
    }
    agent.agent().play(1, partly(3, "too old"));
    let partial = client.export(&batch()).message().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, &*partial.error_message), (3, "too old"));
}

#[test]
fn an_agent_that_does_not_answer_in_time_is_unavailable() {
    let agent = FakeAgent::silent();
    let Some(envoy) = (Setup { timeout: "0.3s", ..bridged(&agent) }).start() else { return };
    let called = Grpc::connect(envoy.address).export(&batch());
    // The bridge's word for 504; a client may try again, as it may on DEADLINE_EXCEEDED.
    assert_eq!(called.code(), UNAVAILABLE, "{:?}", called.headers);
}

#[test]
fn without_the_bridge_clients_and_the_log_are_told_what_is_missing() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let client = Grpc::connect(envoy.address);
    for called in client.call_all(&[&[][..], &[GZIP]], framed(&batch())) {
        is_refused(&called, UNIMPLEMENTED);
        assert!(called.header("grpc-message").unwrap().contains("grpc_http1_reverse_bridge"));
    }
    envoy.wait_for_log(&["wasm", "bridge-missing", "grpc_http1_reverse_bridge"]);
    assert_eq!(agent.records(), []);
}
