//! Other traffic on the listener does not notice the module.

use std::io::Write;

use podstamp_test_support::blocking::http::{Client, JSON, PROTOBUF, Response};
use podstamp_test_support::blocking::raw::{Raw, Received};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use super::{Envoy, Setup};
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

/// Something else than the agent, which answers in its own way.
fn other() -> Raw {
    Raw::answering(|stream| {
        stream
            .write_all(b"HTTP/1.1 202 Accepted\r\nx-of: other\r\ncontent-type: application/x-protobuf\r\ncontent-length: 4\r\n\r\n\x08\x0d\x12\x00")
            .unwrap();
    })
}

/// The same listener without the module and with it.
fn both(agent: &FakeAgent, other: &Raw) -> Option<[Envoy; 2]> {
    let with = Setup { other: other.address, ..Setup::to(agent) };
    let without = Setup { document: None, other: other.address, ..Setup::to(agent) };
    Some([without.start()?, with.start()?])
}

type Headers<'a> = &'a [(&'a str, &'a str)];

/// A request without the header that differs from one to the next.
fn comparable(mut received: Received) -> Received {
    received.headers.retain(|(name, _)| name != "x-request-id");
    received
}

fn comparable_answer(mut answer: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    // Envoy closes where it has answered before it has read everything.
    let by_the_way = ["connection", "date", "x-envoy-upstream-service-time"];
    answer.headers.retain(|(name, _)| !by_the_way.contains(&&**name));
    (answer.status, answer.headers, answer.body)
}

#[test]
fn requests_for_other_paths_and_their_answers_pass_untouched() {
    let (agent, other) = (FakeAgent::start(), other());
    let Some(envoys) = both(&agent, &other) else { return };
    let noise: Vec<u8> =
        (0..50_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let gzip = ("content-encoding", "gzip");
    let exchanges: [(&str, &str, Headers<'_>, &[u8]); 9] = [
        ("GET", "/", &[], b""),
        ("GET", "/v1/traces", &[], b""),
        ("HEAD", "/index.html", &[("accept", "text/html")], b""),
        ("OPTIONS", "/v1/traces", &[("origin", "https://shop.example")], b""),
        ("POST", "/v1/metrics", &[PROTOBUF], &noise),
        ("POST", "/v1/logs", &[JSON, gzip], &noise),
        ("POST", "/v1/traces/more", &[PROTOBUF], &noise),
        (
            "POST",
            "/orders?of=/v1/traces",
            &[("content-type", "text/plain"), ("x-forwarded-for", "10.1.2.3")],
            &noise,
        ),
        ("PUT", "/api/v1/otel/traces", &[PROTOBUF], &noise),
    ];
    for (method, path, headers, body) in exchanges {
        let answers = envoys.each_ref().map(|envoy| {
            let mut client = Client::connect(envoy.address);
            // The answer to HEAD says how long a body would be that does not come.
            let mut answer = if method == "HEAD" {
                client.write(b"HEAD /index.html HTTP/1.1\r\nhost: podstamp\r\naccept: text/html\r\n\r\n");
                client.receive_head()
            } else {
                client.send(method, path, headers, body)
            };
            answer.headers.sort();
            comparable_answer(answer)
        });
        assert_eq!(answers[1], answers[0], "{method} {path}");
        let received = other.received();
        let [without, with] = &received[received.len() - 2..] else { panic!() };
        assert!(comparable(with.clone()) == comparable(without.clone()), "{method} {path}: {with:?}");
        assert_eq!(with.body, body);
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn an_upload_without_end_is_passed_on_as_it_comes() {
    let (agent, other) = (FakeAgent::start(), other());
    let Some(envoy) = (Setup { other: other.address, ..Setup::to(&agent) }).start() else { return };
    let mut client = Client::connect(envoy.address);
    client.begin_chunked("/v1/profiles", &[PROTOBUF]);
    let chunk: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
    // More than Envoy would buffer, and none of it held back until the end.
    for _ in 0..50 {
        client.write_chunk(&chunk);
    }
    wait_until("all of it arrives ahead of its end", || other.bytes() > 50 * chunk.len());
    assert_eq!(other.requests(), 0);
    assert_eq!(client.end_chunked(&[]).status, 202);
    assert!(other.received().remove(0).body == chunk.repeat(50));
}

#[test]
fn what_envoy_itself_answers_other_traffic_is_left_alone() {
    let (agent, closed) = (FakeAgent::start(), closed_port());
    let with = Setup { other: closed, ..Setup::to(&agent) };
    let without = Setup { document: None, other: closed, ..Setup::to(&agent) };
    let (Some(without), Some(with)) = (without.start(), with.start()) else { return };
    for (path, headers) in [("/orders", &[][..]), ("/v1/metrics", &[PROTOBUF]), ("/v1/logs", &[JSON])] {
        let answer = |envoy: &Envoy| {
            comparable_answer(Client::connect(envoy.address).send("POST", path, headers, b"{}"))
        };
        assert_eq!(answer(&with), answer(&without), "{path}");
        assert_eq!(answer(&with).0, 503);
    }
}

#[test]
fn otlp_and_other_traffic_take_turns_on_one_connection() {
    let (agent, other) = (FakeAgent::start(), other());
    let Some(envoy) = (Setup { other: other.address, ..Setup::to(&agent) }).start() else { return };
    let mut client = Client::connect(envoy.address);
    let batch = spans::export(&[("shop", "web-1")]);
    for turn in 1..=10 {
        assert_eq!(client.export(&batch).status, 200);
        let answer = client.send("POST", "/v1/metrics", &[PROTOBUF], &batch);
        assert_eq!((answer.status, answer.header("x-of")), (202, Some("other")));
        assert_eq!((agent.records().len(), other.requests()), (turn, turn));
    }
    assert!(other.received().iter().all(|received| received.body == batch));
}
