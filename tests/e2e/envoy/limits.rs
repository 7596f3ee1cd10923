//! What is too large or cannot be read is refused in the client's own encoding, and the module keeps serving.

use std::io::Read;

use serde_json::json;

use super::setup::document;
use super::{Envoy, Setup};
use crate::encoding::Encoding;
use crate::grpc::{INVALID_ARGUMENT, RESOURCE_EXHAUSTED};
use crate::http::{Client, Response, export, gzipped};
use crate::http2::Http2;
use crate::served::StandIn;
use crate::spans;
use crate::status::Status;

const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn is_refused(answer: &Response, status: u16, code: i32, encoding: Encoding) -> Status {
    assert_eq!(answer.status, status, "{}", answer.message());
    assert_eq!(answer.header("content-type"), Some(encoding.header().1), "{}", answer.message());
    assert_eq!(answer.header("retry-after"), None, "it would be no better the next time");
    let told = Status::of(answer);
    assert_eq!(told.code, code);
    assert_ne!(told.message, "");
    told
}

fn serves_with_the_same_module(envoy: &Envoy, agent: &StandIn) {
    let before = agent.agent().totals();
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    let after = agent.agent().totals();
    assert_eq!(after.spans - before.spans, 1);
    assert_eq!(after.requests, 1, "nothing else came");
    assert_eq!(envoy.stat("wasm.podstamp.vm_reload_success"), 0.0);
}

#[test]
fn bodies_over_podstamps_limit_are_refused_before_and_after_decompression() {
    let agent = StandIn::start();
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
fn bodies_over_envoys_own_limit_are_refused_in_the_clients_encoding() {
    let agent = StandIn::start();
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
    let agent = StandIn::start();
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
    let agent = StandIn::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let broken = encoding.broken();
        let answers = [
            encoding.send(&mut client, &broken),
            client.send_chunked("/v1/traces", &[encoding.header()], &broken),
            client.send("POST", "/v1/traces", &[encoding.header(), GZIP], &gzipped(&mut &*broken)),
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
    let agent = StandIn::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let (plain, gzip) = (encoding.batch(), gzipped(&mut &*encoding.batch()));
        for (coding, body, status) in [
            ("gzip", &plain[..], 400),
            ("gzip", &gzip[..gzip.len() - 5], 400),
            ("gzip", &gzip[..12], 400),
            ("gzip", &[&gzip[..], b"more"].concat(), 400),
            ("br", &plain, 415),
        ] {
            let headers = [encoding.header(), ("content-encoding", coding)];
            let answer = client.send("POST", "/v1/traces", &headers, body);
            is_refused(&answer, status, INVALID_ARGUMENT, encoding);
        }
    }
    serves_with_the_same_module(&envoy, &agent);
}
