//! OTLP/gRPC.

use std::io::Read;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_fake_agent::{Latch, Script};
use podstamp_test_support::blocking::grpc::{
    Grpc, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, RETRYABLE, UNAVAILABLE, framed, framed_compressed,
};
use podstamp_test_support::blocking::http::gzipped;
use podstamp_test_support::spans;

use super::{partly, status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::Setup;

fn batch() -> Vec<u8> {
    Encoding::Protobuf.batch()
}

#[test]
fn g1_export_is_unary_and_many_go_over_one_connection_at_a_time() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let client = Grpc::connect(served.grpc);
    assert_eq!(client.export(&batch()).message(), ExportTraceServiceResponse { partial_success: None });
    assert_eq!(client.export(b"").message(), ExportTraceServiceResponse { partial_success: None });
    for called in client.call_all(&[&[][..]; 32], framed(&batch())) {
        assert_eq!(called.message(), ExportTraceServiceResponse { partial_success: None });
    }
    assert_eq!(agent.placed(), vec![("shop".to_owned(), "10.1.1.1".to_owned()); 33]);
}

#[test]
fn g1_messages_are_limited_to_64_mib_before_and_after_decompression() {
    const LIMIT: usize = 64 << 20;
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let zeros = |length: usize| std::io::repeat(0).take(length as u64);
    // Zeros cannot be decoded.
    for (length, code) in [(LIMIT, INVALID_ARGUMENT), (LIMIT + 1, RESOURCE_EXHAUSTED)] {
        let plain = Grpc::connect(served.grpc).export(&vec![0; length]);
        let gzip = framed_compressed(&gzipped(&mut zeros(length)));
        let gzip = Grpc::connect(served.grpc).call(&[("grpc-encoding", "gzip")], gzip);
        for called in [plain, gzip] {
            assert_eq!(called.code(), code, "{length}: {:?}", called.headers);
            // With it, the client would send the same again.
            assert_eq!(called.details().retry_delay(), None);
        }
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn g1_the_limit_of_messages_can_be_configured() {
    let agent = FakeAgent::start();
    let mut setup = Setup::load_balancer(&agent.url());
    setup.grpc = "        max_recv_msg_size_mib: 1".to_owned();
    let served = setup.serve();
    let client = Grpc::connect(served.grpc);
    let long = spans::export(&[(&"x".repeat(1 << 20), "web-1")]);
    assert_eq!(client.export(&long).code(), RESOURCE_EXHAUSTED);
    let gzip = framed_compressed(&gzipped(&mut &*long));
    assert_eq!(client.call(&[("grpc-encoding", "gzip")], gzip).code(), RESOURCE_EXHAUSTED);
    assert_eq!(client.export(&batch()).code(), 0, "the connection goes on");
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn g2_clients_try_again_what_may_succeed_later_and_nothing_else() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).unretried().serve();
    let client = Grpc::connect(served.grpc);
    for upstream in [400, 401, 403, 404, 405, 413, 415, 429, 500, 501, 502, 503, 504, 505] {
        agent.agent().play(1, status(upstream));
        let called = client.export(&batch());
        let retryable = RETRYABLE.contains(&called.code())
            || called.code() == RESOURCE_EXHAUSTED && called.details().retry_delay().is_some();
        assert_eq!(retryable, [429, 502, 503, 504].contains(&upstream), "{upstream}: {:?}", called.headers);
        assert_ne!(called.header("grpc-message"), None);
        assert_eq!(called.body.len(), 0);
    }
    // Twice, since a connection that was idle before may have been closed just then.
    agent.agent().play(2, Script::Close);
    assert_eq!(client.export(&batch()).code(), UNAVAILABLE);
    agent.agent().play(1, Script::Import.behind(&Latch::default()));
    let impatient = Setup::load_balancer(&agent.url()).impatient().serve();
    assert_eq!(Grpc::connect(impatient.grpc).export(&batch()).code(), 4, "DEADLINE_EXCEEDED");
}

#[test]
fn g3_throttling_says_when_to_come_again() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).unretried().serve();
    let client = Grpc::connect(served.grpc);
    for upstream in [429, 503] {
        agent.agent().play(1, throttled(upstream, "7"));
        let called = client.export(&batch());
        assert_eq!(called.code(), UNAVAILABLE);
        let details = called.details();
        assert_eq!((details.code, details.retry_delay()), (UNAVAILABLE, Some(7.0)));
    }
}

#[test]
fn g3_overload_says_when_to_come_again() {
    let latch = Latch::default();
    let agent = FakeAgent::behind(&latch);
    let served = Setup::load_balancer(&agent.url()).own("  limits:\n    in_flight: 1\n").serve();
    let slow = Grpc::connect(served.grpc);
    let slow = std::thread::spawn(move || slow.export(&batch()).code());
    served.wait_for_request_in_flight();
    let called = Grpc::connect(served.grpc).export(&batch());
    assert_eq!((called.code(), called.details().retry_delay()), (UNAVAILABLE, Some(1.0)));
    latch.open();
    assert_eq!(slow.join().unwrap(), 0);
}

#[test]
fn g3_bad_data_is_an_invalid_argument_with_its_place() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let client = Grpc::connect(served.grpc);
    for bad in [Encoding::Protobuf.broken(), spans::broken_deep_in_a_span()] {
        let called = client.export(&bad);
        assert_eq!(called.code(), INVALID_ARGUMENT);
        let details = called.details();
        assert_eq!(details.code, INVALID_ARGUMENT);
        assert_eq!(details.violations().len(), 1);
        assert_eq!(details.retry_delay(), None);
    }
}

#[test]
fn g3_what_the_upstream_did_not_take_reaches_the_client() {
    let agent = FakeAgent::with(|builder| builder.play_always(partly(3, "too old")));
    let served = Setup::load_balancer(&agent.url()).serve();
    let partial = Grpc::connect(served.grpc).export(&batch()).message().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, &*partial.error_message), (3, "too old"));
}

#[test]
fn g4_messages_come_as_they_are_or_with_gzip_and_answers_as_they_are() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let client = Grpc::connect(served.grpc);
    let gzip = framed_compressed(&gzipped(&mut &*batch()));
    let accept = ("grpc-accept-encoding", "identity,deflate,gzip");
    for (headers, frame) in [
        (&[][..], framed(&batch())),
        (&[("grpc-encoding", "identity")], framed(&batch())),
        (&[("grpc-encoding", "gzip")], gzip.clone()),
        // By gRPC's rules the flag decides for each message.
        (&[("grpc-encoding", "gzip"), accept], framed(&batch())),
        (&[("grpc-encoding", "gzip"), accept], gzip),
    ] {
        let called = client.call(headers, frame);
        assert_eq!(called.message(), ExportTraceServiceResponse { partial_success: None }, "{headers:?}");
        assert!(called.header("grpc-encoding").is_none_or(|coding| coding == "identity"));
    }
    let unknown = client.call(&[("grpc-encoding", "br")], framed_compressed(&batch()));
    assert_eq!(unknown.code(), 12, "UNIMPLEMENTED");
    assert!(unknown.header("grpc-accept-encoding").unwrap().contains("gzip"));
    assert_eq!(agent.agent().totals().spans, 5);
}
