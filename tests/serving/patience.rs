//! An upstream that is away, or does not answer: how long clients wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use podstamp::sandbox::Ended;
use podstamp_core::interface::{Answer, Header, Next};
use podstamp_fake_agent::Latch;
use podstamp_test_support::client::{framed, post};
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Fake, Setup, answer};

/// Waits for so long, milliseconds.
async fn patient(milliseconds: u64, fake: Fake) -> Setup {
    Setup::with(fake, |settings| settings.upstream.patience = Duration::from_millis(milliseconds)).await
}

/// A filter that tries again after `wait` milliseconds where no connection could be made.
fn retrying(url: String, wait: u32) -> Fake {
    Fake::forwarding(url).concluding(move |_, ended| {
        Ok(match ended {
            Ended::NotConnected(_) => Next::Retry(wait),
            Ended::Waited => Next::Answer(answer(503, "waited")),
            Ended::Away { reason, .. } => Next::Answer(answer(503, &format!("away: {reason}"))),
            Ended::Response { status, .. } => Next::Answer(answer(*status, "")),
            other => Next::Answer(answer(500, &format!("{other:?}"))),
        })
    })
}

/// A port where nobody listens until it is told to, and its address.
fn silent() -> (TcpSocket, String) {
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/", bound.local_addr().unwrap());
    (bound, url)
}

#[tokio::test]
async fn a_client_waits_no_longer_than_its_patience_and_the_agent_gets_no_second_request_meanwhile() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = patient(50, Fake::forwarding(upstream.url())).await;
    let mut client = setup.client().await;
    let response = client.ask(post("/v1/traces", "", b"first")).await;
    assert_eq!((response.status, response.text()), (504, "timed out"));
    // The agent has the first one still, so that waiting cannot help.
    setup.shows("podstamp_upstream_away 1").await;
    let response = client.ask(post("/v1/traces", "", b"second")).await;
    assert_eq!((response.status, response.text()), (503, "away"));
    setup.shows("podstamp_upstream_unsent_total{reason=\"away\"} 1").await;
    latch.open();
    setup.shows("podstamp_upstream_away 0").await;
    // The client was told to come again: here are the duplicates, for operators who count them.
    setup.shows("podstamp_upstream_unheard_total 1").await;
    assert_eq!(client.ask(post("/v1/traces", "", b"third")).await.status, 200);
    let bodies: Vec<_> = upstream.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [b"first".to_vec(), b"third".to_vec()]);
    assert!(upstream.requests().iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn an_upstream_that_nobody_reaches_is_away_until_one_request_arrives() {
    let (bound, url) = silent();
    let setup = patient(50, retrying(url, 1)).await;
    let mut client = setup.client().await;
    // Whoever comes first waits for as long as clients wait; the one behind that does not.
    let first = client.ask(post("/v1/traces", "", b"one")).await;
    assert!(first.text() == "waited" || first.text().starts_with("away: "), "{}", first.text());
    let response = client.ask(post("/v1/traces", "", b"one")).await;
    assert_eq!(response.status, 503);
    assert!(response.text().starts_with("away: "), "{}", response.text());
    assert!(response.text().contains("refused"), "{}", response.text());
    setup.shows("podstamp_upstream_away 1").await;
    let listener = bound.listen(16).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(take_all(stream));
        }
    });
    while client.ask(post("/v1/traces", "", b"two")).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.shows("podstamp_upstream_away 0").await;
    assert_eq!(client.ask(post("/v1/traces", "", b"three")).await.status, 200);
}

async fn take_all(mut stream: TcpStream) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        let is_whole = |body: &[u8]| request.ends_with(body);
        if is_whole(b"two") || is_whole(b"three") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            request.clear();
        }
    }
}

#[tokio::test]
async fn whoever_waits_for_another_attempt_is_told_when_there_is_no_use_in_it() {
    let (_bound, url) = silent();
    // So long that the test would not end.
    let setup = patient(50, retrying(url, 3_600_000)).await;
    let mut first = setup.client().await;
    first.send(post("/v1/traces", "", b"first")).await;
    setup.shows("podstamp_upstream_attempts_total{outcome=\"not_connected\"} 1").await;
    let mut others = Vec::new();
    // Each of these tries as well, until one finds that it has been long enough.
    while !setup.instruments.metrics.encode().unwrap().contains("podstamp_upstream_away 1\n") {
        let mut other = setup.client().await;
        other.send(post("/v1/traces", "", b"other")).await;
        others.push(other);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(first.response().await.text().starts_with("away: "));
    for mut other in others {
        assert!(other.response().await.text().starts_with("away: "));
    }
}

#[tokio::test]
async fn without_a_limit_of_connections_one_upstream_is_away_and_another_is_not() {
    let (_bound, away) = silent();
    let here = Upstream::accepting().await;
    let url = here.url();
    let fake = Fake::answering(move |incoming| {
        let url = if &incoming.body[..] == b"away" { &away } else { &url };
        Ok(crate::support::forward(url, podstamp_core::interface::Content::Unchanged))
    });
    let setup = Setup::with(fake, |settings| {
        settings.upstream.patience = Duration::from_millis(20);
        settings.upstream.connections = None;
    })
    .await;
    let mut client = setup.client().await;
    while client.ask(post("/v1/traces", "", b"away")).await.text() != "away" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.ask(post("/v1/traces", "", b"here")).await.status, 200);
    setup.shows("podstamp_upstream_away 1").await;
}

#[tokio::test]
async fn a_slow_answer_beside_quick_ones_makes_no_upstream_away() {
    let latch = Latch::default();
    let held = latch.clone();
    let upstream = Upstream::new(move |_, request| match &request.body[..] {
        b"slow" => Reaction::behind(&held, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.upstream.patience = Duration::from_millis(200);
        settings.upstream.connections = None;
    })
    .await;
    let mut slow = setup.client().await;
    slow.send(post("/v1/traces", "", b"slow")).await;
    while upstream.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"quick")).await.status, 200);
    assert_eq!(slow.response().await.status, 504);
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"quick")).await.status, 200);
    setup.shows("podstamp_upstream_away 0").await;
    latch.open();
    setup.shows("podstamp_upstream_unheard_total 1").await;
}

/// As the filter answers by gRPC.
fn told(ended: &Ended) -> Answer {
    let message = match ended {
        Ended::Response { .. } => return told_as("0", ""),
        Ended::Waited => "waited",
        Ended::TimedOut => "timed out",
        other => return told_as("13", &format!("{other:?}")),
    };
    told_as("14", message)
}

fn told_as(code: &str, message: &str) -> Answer {
    let headers = vec![
        Header::new("content-type", "application/grpc"),
        Header::new("grpc-status", code),
        Header::new("grpc-message", message),
    ];
    Answer { status: if code == "0" { 200 } else { 503 }, headers, body: Vec::new(), notice: None }
}

#[tokio::test]
async fn a_client_that_says_how_long_it_waits_is_answered_in_time() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let patience = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&patience);
    let fake = Fake::forwarding(upstream.url()).concluding(move |attempt, ended| {
        seen.store(attempt.patience as usize, Ordering::Relaxed);
        Ok(Next::Answer(told(ended)))
    });
    // Ten seconds, as SDKs have them, are more than podstamp's own patience.
    let setup = Setup::new(fake).await;
    let client = setup.grpc().await;
    let on_its_way = client.export_with(framed(b"first"), &[("grpc-timeout", "100m")]).await;
    assert_eq!((on_its_way.code(), on_its_way.message()), ("14", "timed out"));
    assert!(patience.load(Ordering::Relaxed) <= 90, "{patience:?}");
    // The first one keeps the connection.
    let waiting = client.export_with(framed(b"second"), &[("grpc-timeout", "50000u")]).await;
    assert_eq!((waiting.code(), waiting.message()), ("14", "waited"));
    setup.shows("podstamp_upstream_unsent_total{reason=\"waited\"} 1").await;
    latch.open();
    for timeout in ["10S", "99999999H", "soon"] {
        assert_eq!(client.export_with(framed(b"x"), &[("grpc-timeout", timeout)]).await.code(), "0");
    }
    let long = patience.load(Ordering::Relaxed);
    assert!((7_000..=8_000).contains(&long), "{long}");
}
