//! A request that is too large or cannot be read is refused in the client's own encoding, and the module keeps serving.

use std::io::Read;

use podstamp_test_support::blocking::grpc::{INVALID_ARGUMENT, RESOURCE_EXHAUSTED};
use podstamp_test_support::blocking::http::{Client, GZIP, Response, export, gzipped};
use podstamp_test_support::blocking::http2::Http2;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::spans;
use serde_json::json;

use super::setup::document;
use super::{Envoy, Setup};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;

/// By gRPC's numbers.
const UNIMPLEMENTED: i32 = 12;

fn is_refused(answer: &Response, status: u16, code: i32, encoding: Encoding) -> Status {
    assert_eq!(answer.status, status, "{}", answer.message());
    assert_eq!(answer.header("content-type"), Some(encoding.header().1), "{}", answer.message());
    assert_eq!(answer.header("retry-after"), None, "it would be no better the next time");
    let told = Status::of(answer);
    assert_eq!(told.code, code);
    assert_ne!(told.message, "");
    told
}

/// The agent has got nothing whole before that. It may have met heads without a body: a proxy passes them on at once.
fn serves_with_the_same_module(envoy: &Envoy, agent: &FakeAgent) {
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    let whole = agent.records().iter().filter(|record| record.wire_bytes > 0).count();
    assert_eq!((whole, agent.agent().totals().spans), (1, 1));
    assert_eq!(envoy.stat("wasm.podstamp.vm_reload_success"), 0.0);
}

#[test]
fn bodies_over_podstamps_limit_are_refused_before_and_after_decompression() {
    let agent = FakeAgent::start();
    let mut setup = Setup::to(&agent);
    setup.document = Some(document("  limits:\n    body: 2KiB\n"));
    let Some(envoy) = setup.start() else { return };
    for encoding in Encoding::BOTH {
        let name = "x".repeat(3000);
        let large = match encoding {
            Encoding::Protobuf => spans::export(&[("shop", &name)]),
            Encoding::Json => spans::export_json(&[("shop", &name)]),
        };
        let gzip = gzipped(&mut &*large);
        assert!(gzip.len() < 2048);
        for (headers, body) in [(vec![encoding.header()], &large), (vec![encoding.header(), GZIP], &gzip)] {
            let connect = || Client::connect(envoy.address);
            let http2 = Http2::connect(envoy.address);
            for answer in [
                connect().send("POST", "/v1/traces", &headers, body),
                connect().send_chunked("/v1/traces", &headers, body),
                http2.send("/v1/traces", &headers, body.chunks(1000).collect()),
            ] {
                is_refused(&answer, 413, RESOURCE_EXHAUSTED, encoding);
            }
        }
    }
    serves_with_the_same_module(&envoy, &agent);
}

#[test]
fn a_body_as_large_as_the_limit_is_taken() {
    let agent = FakeAgent::start();
    let (at, over) =
        (spans::export(&[("shop", &"x".repeat(3000))]), spans::export(&[("shop", &"x".repeat(3001))]));
    let mut setup = Setup::to(&agent);
    // A stamp would have to fit as well, into a body that is full: none is put on.
    let mut document = document(&format!("  limits:\n    body: {}\n", at.len()));
    document["service"]["pipelines"]["traces"]["processors"] = json!([]);
    document["podstamp"]["guard"] = json!({"enabled": false});
    setup.document = Some(document);
    let Some(envoy) = setup.start() else { return };
    assert_eq!(export(envoy.address, &at).status, 200);
    assert_eq!(export(envoy.address, &over).status, 413);
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn bodies_over_envoys_own_limit_are_refused_in_the_clients_encoding() {
    let agent = FakeAgent::start();
    let mut setup = Setup::to(&agent);
    setup.listener = json!({"per_connection_buffer_limit_bytes": 64 << 10});
    setup.manager = json!({"http2_protocol_options": {"initial_stream_window_size": 65536}});
    let Some(envoy) = setup.start() else { return };
    let body = vec![b' '; 1 << 20];
    for encoding in Encoding::BOTH {
        let connect = || Client::connect(envoy.address);
        let http2 = Http2::connect(envoy.address);
        for answer in [
            connect().send("POST", "/v1/traces", &[encoding.header()], &body),
            connect().send_chunked("/v1/traces", &[encoding.header()], &body),
            http2.send("/v1/traces", &[encoding.header()], body.chunks(10_000).collect()),
        ] {
            is_refused(&answer, 413, RESOURCE_EXHAUSTED, encoding);
        }
    }
    serves_with_the_same_module(&envoy, &agent);
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let bomb = gzipped(&mut std::io::repeat(b' ').take(100 << 20));
    assert!(bomb.len() < 1 << 20);
    for encoding in Encoding::BOTH {
        let headers = [encoding.header(), GZIP];
        let answer = Client::connect(envoy.address).send("POST", "/v1/traces", &headers, &bomb);
        is_refused(&answer, 413, RESOURCE_EXHAUSTED, encoding);
    }
    serves_with_the_same_module(&envoy, &agent);
}

#[test]
fn what_cannot_be_decoded_is_refused_with_its_place() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    // Envoy closes a connection on which it refuses a body.
    let connect = || Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let broken = encoding.broken();
        let answers = [
            encoding.send(&mut connect(), &broken),
            connect().send_chunked("/v1/traces", &[encoding.header()], &broken),
            connect().send("POST", "/v1/traces", &[encoding.header(), GZIP], &gzipped(&mut &*broken)),
            Http2::connect(envoy.address).send("/v1/traces", &[encoding.header()], vec![&broken]),
        ];
        for answer in answers {
            let told = is_refused(&answer, 400, INVALID_ARGUMENT, encoding);
            let place = if encoding == Encoding::Json { "line 1" } else { "at offset 0x" };
            assert!(told.message.contains(place), "{}", told.message);
            let [(field, description)] = &told.violations()[..] else { panic!("{told:?}") };
            assert!(field.starts_with("resource"), "{field}");
            assert_ne!(description, "");
        }
    }
    serves_with_the_same_module(&envoy, &agent);
}

#[test]
fn what_is_not_gzip_and_codings_that_nobody_knows_are_refused() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for encoding in Encoding::BOTH {
        let (plain, gzip) = (encoding.batch(), gzipped(&mut &*encoding.batch()));
        for (coding, body, status, code) in [
            ("gzip", &plain[..], 400, INVALID_ARGUMENT),
            ("gzip", &gzip[..gzip.len() - 5], 400, INVALID_ARGUMENT),
            ("gzip", &gzip[..12], 400, INVALID_ARGUMENT),
            ("gzip", &[&gzip[..], b"more"].concat(), 400, INVALID_ARGUMENT),
            ("br", &plain, 415, UNIMPLEMENTED),
        ] {
            let headers = [encoding.header(), ("content-encoding", coding)];
            let answer = Client::connect(envoy.address).send("POST", "/v1/traces", &headers, body);
            is_refused(&answer, status, code, encoding);
        }
    }
    serves_with_the_same_module(&envoy, &agent);
}
