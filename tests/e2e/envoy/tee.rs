//! A copy for the agent of what goes elsewhere: who sends it and who takes it do not notice.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_fake_agent::{Builder, Script};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::grpc::{Grpc, framed, framed_compressed};
use podstamp_test_support::blocking::http::{Client, GZIP, JSON, PROTOBUF, Response, gzipped};
use podstamp_test_support::blocking::raw::{Raw, Received};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::{Value, json};

use super::backend::Backend;
use super::setup::document;
use super::{Envoy, POD, Setup, stamped};
use crate::checklist::status;
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

type Headers<'a> = &'a [(&'a str, &'a str)];

/// A configuration with `mode: tee`, and `own` under `podstamp`. A copy is tried again for so long.
fn teeing(own: &str, max_elapsed_time: &str) -> Option<Value> {
    let mut document = document(&format!("{own}  proxy_wasm:\n    mode: tee\n    cluster: agent\n"));
    document["exporters"]["otlphttp"]["retry_on_failure"] =
        json!({"initial_interval": "50ms", "max_interval": "200ms", "max_elapsed_time": max_elapsed_time});
    Some(document)
}

fn tee(agent: &FakeAgent, other: &Raw) -> Setup {
    tee_towards(agent.agent().address(), other, "60s")
}

/// A tee whose agent is to be at that address.
fn tee_towards(agent: SocketAddr, other: &Raw, max_elapsed_time: &str) -> Setup {
    Setup { document: teeing("", max_elapsed_time), other: other.address, ..Setup::towards(agent) }
}

/// A backend that takes everything in its own way.
fn other() -> Raw {
    Raw::answering(take)
}

fn take(stream: &mut TcpStream) {
    stream
        .write_all(b"HTTP/1.1 202 Accepted\r\nx-of: other\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nthanks")
        .unwrap();
}

/// The backend's answer, as it gave it.
fn is_the_backends(answer: &Response) {
    assert_eq!((answer.status, answer.header("x-of")), (202, Some("other")));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.body, b"thanks");
}

/// A request without the header that differs from one to the next.
fn comparable(mut received: Received) -> Received {
    received.headers.retain(|(name, _)| name != "x-request-id");
    received
}

fn copied(envoy: &Envoy, outcome: &str, spans: f64) {
    let name = format!("podstamp_copied_spans_total_outcome_{outcome}");
    wait_until(&format!("{name} is {spans}"), || envoy.metric(&name, &[]) == spans);
}

fn not_copied(envoy: &Envoy, requests: f64) {
    let name = "podstamp_not_copied_requests_total";
    wait_until(&format!("{name} is {requests}"), || envoy.metric(name, &[]) == requests);
}

/// The one copy that the agent has got.
fn copy(agent: &FakeAgent) -> ExportTraceServiceRequest {
    wait_until("the copy arrives", || !agent.records().is_empty());
    agent.take_message()
}

#[test]
fn the_original_passes_as_without_the_module_and_the_agent_gets_it_stamped() {
    let (agent, other) = (FakeAgent::with(Builder::keep_bodies), other());
    let without = Setup { document: None, other: other.address, ..Setup::to(&agent) };
    let (Some(without), Some(with)) = (without.start(), tee(&agent, &other).start()) else { return };
    let [protobuf, json] = Encoding::BOTH.map(Encoding::batch);
    let [gzip, gzip_json] = [&protobuf, &json].map(|batch| gzipped(&mut &**batch));
    let more: Headers<'_> = &[PROTOBUF, ("authorization", "Bearer of-the-backend"), ("user-agent", "shop/1")];
    for (headers, body) in [
        (&[PROTOBUF][..], &protobuf),
        (&[JSON], &json),
        (&[PROTOBUF, GZIP, ("accept-encoding", "gzip")], &gzip),
        (&[JSON, GZIP], &gzip_json),
        (more, &protobuf),
    ] {
        for chunked in [false, true] {
            for envoy in [&without, &with] {
                let mut client = Client::connect(envoy.address);
                is_the_backends(&if chunked {
                    client.begin_chunked("/v1/traces", headers);
                    body.chunks(7).for_each(|chunk| client.write_chunk(chunk));
                    client.end_chunked(&[])
                } else {
                    client.send("POST", "/v1/traces", headers, body)
                });
            }
            let received = other.received();
            let [without, with] = &received[received.len() - 2..] else { panic!() };
            assert_eq!(comparable(with.clone()), comparable(without.clone()), "{headers:?}");
            assert_eq!(with.body, *body);
            assert!(copy(&agent) == stamped(&protobuf, POD), "{headers:?}");
        }
    }
    copied(&with, "delivered", 10.0);
}

#[test]
fn a_grpc_call_passes_as_without_the_module_and_the_agent_gets_its_message_stamped() {
    let (agent, backend) = (FakeAgent::with(Builder::keep_bodies), Backend::start());
    let to_backend =
        |document| Setup { document, other: backend.address, other_http2: true, ..Setup::to(&agent) }.start();
    let (Some(without), Some(with)) = (to_backend(None), to_backend(teeing("", "60s"))) else { return };
    let batch = Encoding::Protobuf.batch();
    let gzip: Headers<'static> = &[("grpc-encoding", "gzip")];
    for (headers, frame) in [
        (&[][..], framed(&batch)),
        (gzip, framed_compressed(&gzipped(&mut &*batch))),
        (gzip, framed(&batch)),
        (&[("authorization", "Bearer of-the-backend"), ("grpc-timeout", "30S")], framed(&batch)),
    ] {
        let answers = [&without, &with].map(|envoy| {
            let mut called = Grpc::connect(envoy.address).call(headers, frame.clone());
            called.message();
            for name in ["date", "x-envoy-upstream-service-time"] {
                called.headers.remove(name);
            }
            (called.headers, called.body)
        });
        assert_eq!(answers[1], answers[0]);
        assert_eq!(answers[1].0["x-of"], "backend");
        let calls = backend.calls();
        let [mut without, mut with] = <[_; 2]>::try_from(calls[calls.len() - 2..].to_vec()).unwrap();
        for call in [&mut without, &mut with] {
            // Nobody promises how far the deadline is off by then.
            let differs = ["x-request-id", "grpc-timeout", "x-envoy-expected-rq-timeout-ms"];
            call.headers.retain(|(name, _)| !differs.contains(&&**name));
        }
        assert_eq!(with, without);
        assert_eq!(with.body, frame);
        assert!(copy(&agent) == stamped(&batch, POD), "{headers:?}");
    }
    // Nothing in a frame, or no frame: the backend's to judge.
    let client = Grpc::connect(with.address);
    for (frame, refused) in
        [(framed(b""), 0.0), (vec![0, 0, 0, 0, 9, 1], 1.0), (framed_compressed(b"no gzip"), 2.0)]
    {
        assert_eq!(client.call(gzip, frame.clone()).code(), 0);
        assert_eq!(backend.calls().pop().unwrap().body, frame);
        not_copied(&with, refused);
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn an_agent_that_is_down_costs_copies_only_and_those_are_counted() {
    let (address, other) = (closed_port(), other());
    let Some(envoy) = tee_towards(address, &other, "1s").start() else { return };
    let mut client = Client::connect(envoy.address);
    for _ in 0..3 {
        is_the_backends(&client.export(&spans::export(&[("shop", "web-1"), ("cart", "web-2")])));
    }
    copied(&envoy, "failed", 6.0);
    assert!(envoy.metric("podstamp_upstream_attempts_total_outcome_5xx", &[]) > 3.0, "they are tried again");
    envoy.wait_for_log(&["wasm", "warning"]);
    let agent = FakeAgent::with(|builder| builder.listen(address));
    is_the_backends(&client.export(&Encoding::Protobuf.batch()));
    copied(&envoy, "delivered", 1.0);
    assert_eq!(agent.placed(), [("shop".to_owned(), POD.to_owned())]);
}

#[test]
fn copies_that_an_agent_did_not_take_arrive_once_it_is_back() {
    let (address, other) = (closed_port(), other());
    let Some(envoy) = tee_towards(address, &other, "60s").start() else { return };
    let mut client = Client::connect(envoy.address);
    for _ in 0..3 {
        is_the_backends(&client.export(&Encoding::Protobuf.batch()));
    }
    wait_until("each was tried", || envoy.metric("podstamp_upstream_attempts_total_outcome_5xx", &[]) > 3.0);
    let agent =
        FakeAgent::with(|builder| builder.listen(address).play(2, status(503)).play(1, Script::Close));
    agent.wait_for_spans(3);
    copied(&envoy, "delivered", 3.0);
    assert_eq!(agent.records().len(), 3 + 3, "those that it refused and those that it took");
    assert_eq!(agent.placed(), vec![("shop".to_owned(), POD.to_owned()); 3]);
    assert_eq!(envoy.metric("podstamp_copied_spans_total_outcome_failed", &[]), 0.0);
}

#[test]
fn an_agent_that_never_answers_delays_no_original() {
    let agent = FakeAgent::silent();
    let other = other();
    let Some(envoy) = tee(&agent, &other).start() else { return };
    let mut client = Client::connect(envoy.address);
    for pending in 1..=20 {
        is_the_backends(&client.export(&Encoding::Protobuf.batch()));
        let name = "cluster.agent.upstream_rq_active";
        wait_until("the copy is on its way", || envoy.stat(name) == f64::from(pending));
    }
    assert_eq!(other.requests(), 20);
    assert_eq!(agent.agent().totals().spans, 0);
}

#[test]
fn a_backend_that_is_slow_or_refuses_does_not_hold_the_copy_up() {
    let (go_on, until) = channel::<()>();
    let until = Mutex::new(until);
    let agent = FakeAgent::start();
    let other = Raw::answering(move |stream| {
        until.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let Some(envoy) = tee(&agent, &other).start() else { return };
    let mut client = Client::connect(envoy.address);
    let asked = std::thread::spawn(move || client.export(&Encoding::Protobuf.batch()).status);
    copied(&envoy, "delivered", 1.0);
    assert!(!asked.is_finished());
    go_on.send(()).unwrap();
    assert_eq!(asked.join().unwrap(), 500);
    assert_eq!(agent.placed().len(), 1, "what the backend does not take was sent all the same");
}

#[test]
fn what_is_over_a_limit_or_broken_passes_and_is_not_copied_but_counted() {
    let (agent, other) = (FakeAgent::start(), other());
    let mut setup = tee(&agent, &other);
    setup.document = teeing("  limits:\n    body: 100KiB\n    in_flight_bytes: 300KiB\n", "60s");
    let Some(envoy) = setup.start() else { return };
    let large = spans::export(&[("shop", &"x".repeat(101 << 10))]);
    let gzip = gzipped(&mut &*large);
    let broken = Encoding::Protobuf.broken();
    let bodies: [(Headers<'_>, &[u8]); 5] = [
        (&[PROTOBUF], &large),
        (&[PROTOBUF, GZIP], &gzip),
        (&[PROTOBUF, ("content-encoding", "br")], &gzip),
        (&[PROTOBUF, GZIP], b"no gzip"),
        (&[PROTOBUF], &broken),
    ];
    for (index, (headers, body)) in bodies.into_iter().enumerate() {
        is_the_backends(&Client::connect(envoy.address).send("POST", "/v1/traces", headers, body));
        assert!(other.received().pop().unwrap().body == body);
        not_copied(&envoy, (index + 1) as f64);
    }
    envoy.wait_for_log(&["wasm", "podstamp.limits.body"]);

    // Requests that never end hold the room of the others, until their clients are gone.
    let part = vec![0; 90 << 10];
    let before = other.bytes();
    let held: Vec<_> = (1..=3)
        .map(|count| {
            let mut client = Client::connect(envoy.address);
            client.begin_chunked("/v1/traces", &[PROTOBUF]);
            client.write_chunk(&part);
            wait_until("it passes", || other.bytes() >= before + count * part.len());
            client
        })
        .collect();
    let medium = spans::export(&[("shop", &"x".repeat(60 << 10))]);
    is_the_backends(&Client::connect(envoy.address).export(&medium));
    not_copied(&envoy, 6.0);
    drop(held);
    wait_until("they are gone", || envoy.stat("http.otlp.downstream_rq_active") == 0.0);
    assert_eq!(agent.records(), []);
    is_the_backends(&Client::connect(envoy.address).export(&medium));
    copied(&envoy, "delivered", 1.0);
    assert_eq!(envoy.metric("podstamp_not_copied_requests_total", &[]), 6.0);
}

#[test]
fn copies_of_many_clients_at_a_time_arrive_once_each() {
    const CLIENTS: usize = 16;
    const EACH: usize = 40;
    let (agent, other) = (FakeAgent::with(|builder| builder.keep_records(2 * CLIENTS * EACH)), other());
    let Some(envoy) = (Setup { concurrency: 2, ..tee(&agent, &other) }).start() else { return };
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = Client::connect(envoy.address);
            scope.spawn(move || {
                for index in 0..EACH {
                    is_the_backends(
                        &client.export(&spans::export(&[(&*format!("{number}-{index}"), "web-1")])),
                    );
                }
            });
        }
    });
    copied(&envoy, "delivered", (CLIENTS * EACH) as f64);
    let mut expected: Vec<_> = (0..CLIENTS)
        .flat_map(|number| (0..EACH).map(move |index| (format!("{number}-{index}"), POD.to_owned())))
        .collect();
    expected.sort();
    assert_eq!(agent.placed(), expected);
    assert_eq!(other.requests(), CLIENTS * EACH);
}
