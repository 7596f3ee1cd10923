//! Limits: requests that are too large or too slow, and too many of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use podstamp::memory::Memory;
use podstamp::network::Network;
use podstamp::server::Instruments;
use podstamp::settings::{MemoryLimiter, Settings};
use podstamp_core::interface::{Content, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, framed, post};
use podstamp_test_support::codings::gzip;
use podstamp_test_support::upstream::Upstream;

use crate::support::{Fake, Setup, answer, forward};

fn accepting() -> Fake {
    Fake::answering(|_| Ok(Verdict::Answer(answer(200, ""))))
}

#[tokio::test]
async fn a_body_over_the_limit_gets_413_and_the_connection_goes_on() {
    let setup = Setup::with(accepting(), |settings| settings.limits.body = 300_000).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", &[0; 300_000])).await.status, 200);
    let response = client.ask(post("/v1/traces", "", &[0; 300_001])).await;
    assert_eq!((response.status, response.body[1]), (413, 8));
    assert_eq!(client.ask(post("/v1/traces", "", b"next")).await.status, 200);

    let mut chunked = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..4 {
        chunked.extend_from_slice(format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(client.ask(chunked).await.status, 413);
    assert_eq!(client.ask(post("/v1/traces", "", b"next")).await.status, 200);
}

#[tokio::test]
async fn a_body_far_over_the_limit_is_not_read_to_its_end() {
    let setup = Setup::with(accepting(), |settings| settings.limits.body = 1000).await;
    let mut client = setup.client().await;
    client.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n").await;
    assert_eq!(client.response().await.status, 413);
    client.send_what_can_be(vec![0; 8 << 20]).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_bomb_gets_413_without_being_inflated() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.body = 1 << 20;
        // Room for the limit once, not for what the bomb holds.
        settings.limits.in_flight_bytes = 2 << 20;
    })
    .await;
    let mut client = setup.client().await;
    let bomb = gzip(&vec![0; 200 << 20]);
    assert!(bomb.len() < 1 << 20);
    let response = client.ask(post("/v1/traces", "content-encoding: gzip\r\n", &bomb)).await;
    assert_eq!(response.status, 413);
    let fits = gzip(&vec![0; 1 << 20]);
    assert_eq!(client.ask(post("/v1/traces", "content-encoding: gzip\r\n", &fits)).await.status, 200);
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn c4_a_batch_that_has_grown_over_the_limit_is_not_sent() {
    let upstream = Upstream::accepting().await;
    let url = upstream.url();
    let growing = Fake::answering(move |incoming| {
        let more = [&incoming.body[..], b"stamp"].concat();
        Ok(forward(&url, Content::Replaced(more)))
    });
    let setup = Setup::with(growing, |settings| settings.limits.body = 100).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", &[0; 95])).await.status, 200);
    let response = client.ask(post("/v1/traces", "", &[0; 96])).await;
    assert_eq!((response.status, response.body[1]), (413, 8));
    assert_eq!(upstream.requests().len(), 1);
    setup.shows(r#"podstamp_spans_total{outcome="refused"} 3"#).await;
}

#[tokio::test]
async fn a_slow_body_gets_408() {
    let setup =
        Setup::with(accepting(), |settings| settings.limits.read_timeout = Duration::from_millis(50)).await;
    let mut client = setup.client().await;
    client.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_slow_head_and_an_idle_connection_are_closed_each_in_its_time() {
    // An idle connection has longer than is waited for here.
    let setup =
        Setup::with(accepting(), |settings| settings.limits.header_timeout = Duration::from_millis(50)).await;
    let mut slow = setup.client().await;
    slow.send("POST /v1/tra").await;
    assert!(slow.is_closed().await);

    let setup =
        Setup::with(accepting(), |settings| settings.limits.idle_timeout = Duration::from_secs(4)).await;
    let mut idle = setup.client().await;
    assert_eq!(idle.ask(post("/v1/traces", "", b"")).await.status, 200);
    let begun = std::time::Instant::now();
    assert!(idle.is_closed().await);
    assert!(begun.elapsed() >= Duration::from_millis(3900));
}

#[tokio::test]
async fn a_request_too_many_gets_503_at_once_and_may_come_again_on_its_connection() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| settings.limits.in_flight = 1).await;
    let mut first = setup.client().await;
    first.send(post("/v1/traces", "", b"first")).await;
    setup.shows("podstamp_requests_in_flight 1").await;

    let mut second = setup.client().await;
    let response = second.ask(post("/v1/traces", "", &[7; 100_000])).await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert_eq!(response.body[1], 14);

    latch.open();
    assert_eq!(first.response().await.status, 200);
    setup.shows("podstamp_requests_in_flight 0").await;
    let response = second.ask(post("/v1/traces", "", b"second")).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn bytes_too_many_get_503() {
    let setup = Setup::with(accepting(), |settings| settings.limits.in_flight_bytes = 200_000).await;
    let mut half = setup.client().await;
    half.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 150001\r\n\r\n").await;
    half.send([0; 150_000]).await;
    setup.shows("podstamp_in_flight_bytes 150000").await;

    let mut other = setup.client().await;
    let response = other.ask(post("/v1/traces", "", &[0; 60_000])).await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    half.send([0]).await;
    assert_eq!(half.response().await.status, 200);
    assert_eq!(other.ask(post("/v1/traces", "", &[0; 60_000])).await.status, 200);
}

#[tokio::test]
async fn who_waits_for_100_continue_gets_it_or_the_refusal() {
    let setup = Setup::with(accepting(), |settings| settings.limits.body = 1000).await;
    let head = |length: usize| {
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut client = setup.client().await;
    assert_eq!(client.ask(head(4)).await.status, 100);
    assert_eq!(client.ask("body").await.status, 200);
    assert_eq!(client.ask(head(1001)).await.status, 413);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_trickles_gets_408_long_before_its_time_is_over() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.read_timeout = PATIENCE * 10;
        settings.limits.body_grace = Duration::from_millis(50);
        settings.limits.body_rate = 1 << 20;
    })
    .await;
    let mut client = setup.client().await;
    client.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    assert!(client.is_closed().await);
    setup.shows(r#"podstamp_limited_total{limit="body_rate"} 1"#).await;
    setup.shows("podstamp_bodies_on_their_way 0").await;
}

#[tokio::test]
async fn a_head_over_64_kib_gets_431() {
    let setup = Setup::with(accepting(), |settings| settings.limits.header_timeout = PATIENCE * 10).await;
    let mut client = setup.client().await;
    let header = |bytes: usize| format!("x: {}\r\n", "x".repeat(bytes));
    assert_eq!(client.ask(post("/v1/traces", &header(40 << 10), b"")).await.status, 200);
    client.send(format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\n{}", header(63 << 10))).await;
    client.send_what_can_be(header(4 << 10)).await;
    assert_eq!(client.response().await.status, 431);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn connections_over_their_limit_wait_for_a_place() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.limits.connections = Some(1);
    })
    .await;
    let mut first = setup.client().await;
    first.send(post("/v1/traces", "", b"")).await;
    setup.shows("podstamp_requests_in_flight 1").await;
    let mut second = Client::connect(setup.address()).await;
    second.send(post("/v1/traces", "", b"")).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), second.response()).await.is_err());
    latch.open();
    assert_eq!(first.response().await.status, 200);
    // Now that one is idle, and its place is wanted.
    assert_eq!(second.response().await.status, 200);
    assert!(first.is_closed().await);
}

#[tokio::test]
async fn who_has_been_idle_for_the_longest_time_goes_where_places_run_out() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.connections = Some(2);
        settings.limits.per_peer = 1000;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = setup.client().await;
        assert_eq!(client.ask(post("/v1/traces", "", b"")).await.status, 200);
        clients.push(client);
        // More than the grain of the clock that tells them apart.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut third = setup.client().await;
    assert_eq!(third.ask(post("/v1/traces", "", b"")).await.status, 200);
    assert!(clients[0].is_closed().await);
    assert_eq!(clients[1].ask(post("/v1/traces", "", b"")).await.status, 200);
    setup.shows(r#"podstamp_limited_total{limit="connections"} 1"#).await;
    setup.shows("podstamp_connections 2").await;
}

#[tokio::test]
async fn requests_are_refused_while_the_process_takes_too_much_memory() {
    let taken = Arc::new(AtomicU64::new(90));
    let measured = Arc::clone(&taken);
    let memory = Memory::measured_by(move || Some(measured.load(Ordering::Relaxed)));
    let limiter = MemoryLimiter {
        path: "processors.memory_limiter".to_owned(),
        limit: 100,
        refused_from: 80,
        check_interval: Duration::from_millis(5),
    };
    let instruments = Instruments { memory, ..Instruments::default() };
    let limited = |settings: &mut Settings| settings.memory_limiter = Some(limiter);
    let setup = Setup::reporting(instruments, &Network::default(), accepting(), limited).await;

    // The body never comes.
    let mut client = setup.client().await;
    client.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    let refused = setup.grpc().await.export(framed(b"x")).await;
    assert_eq!(refused.code(), "14");
    setup.shows(r#"podstamp_limited_total{limit="memory_limiter"} 2"#).await;
    setup.shows("podstamp_memory_bytes 90").await;
    setup.shows("podstamp_memory_limit_bytes 80").await;

    taken.store(80, Ordering::Relaxed);
    setup.shows("podstamp_memory_bytes 80").await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.status, 200);
    taken.store(81, Ordering::Relaxed);
    setup.shows("podstamp_memory_bytes 81").await;
    assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.status, 503);
}
