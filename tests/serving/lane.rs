//! The lane: one connection to an agent, one request at a time, and what becomes of the requests that wait meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use podstamp::sandbox::Ended;
use podstamp::settings::CopyTarget;
use podstamp_core::config::Compression;
use podstamp_core::interface::{Content, Next, Outbound, Part, Upstream as To, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::client::{Client, post};
use podstamp_test_support::codings::gunzipped;
use podstamp_test_support::upstream::{Reaction, Upstream};

use crate::support::{Fake, Setup, answer, outbound};

/// Holds the first request until the latch is open, and closes on every one with `guilty` in it.
async fn held(latch: &Latch) -> Upstream {
    let latch = latch.clone();
    Upstream::new(move |number, request| match number {
        0 => Reaction::behind(&latch, ""),
        _ if contains(&request.body, b"guilty") => Reaction::Close,
        _ => Reaction::answer(200, ""),
    })
    .await
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// A client whose request is on its way, and then some whose requests wait.
async fn waiting(setup: &Setup, upstream: &Upstream, bodies: &[&[u8]]) -> (Client, Vec<Client>) {
    let mut first = setup.client().await;
    first.send(post("/v1/traces", "", b"first;")).await;
    while upstream.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut others = Vec::new();
    for (number, body) in (1..).zip(bodies) {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", "", body)).await;
        setup.shows(&format!("podstamp_upstream_waiting {number}")).await;
        others.push(client);
    }
    (first, others)
}

fn bodies(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|request| String::from_utf8(request.body.clone()).unwrap()).collect()
}

#[tokio::test]
async fn what_waits_for_the_one_connection_goes_together() {
    let latch = Latch::default();
    let upstream = held(&latch).await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let (mut first, others) = waiting(&setup, &upstream, &[b"second;", b"third;", b"fourth;"]).await;
    assert_eq!(upstream.requests().len(), 1, "one request at a time");
    latch.open();
    assert_eq!(first.response().await.status, 200);
    for mut client in others {
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!(bodies(&upstream), ["first;", "second;third;fourth;"]);
    assert!(upstream.requests().iter().all(|request| request.connection == 0));
    setup.shows("podstamp_upstream_merged_total 3").await;
    setup.shows("podstamp_upstream_waiting 0").await;
    setup.shows("podstamp_upstream_attempts_total{outcome=\"2xx\"} 2").await;
}

#[tokio::test]
async fn of_what_went_together_only_the_guilty_request_is_refused() {
    let latch = Latch::default();
    let upstream = held(&latch).await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let (mut first, mut others) = waiting(&setup, &upstream, &[b"second;", b"guilty;", b"fourth;"]).await;
    latch.open();
    assert_eq!(first.response().await.status, 200);
    let mut answers = Vec::new();
    for client in &mut others {
        let response = client.response().await;
        answers.push((response.status, response.text().to_owned()));
    }
    assert_eq!(answers, [(200, String::new()), (400, "closed on 7 bytes".to_owned()), (200, String::new())]);
    // Where a connection was used before, it may have been closed for being idle: once more.
    let expected = ["first;", "second;guilty;fourth;", "second;", "guilty;", "guilty;", "fourth;"];
    assert_eq!(bodies(&upstream), expected);
}

#[tokio::test]
async fn whoever_goes_away_leaves_the_queue() {
    let latch = Latch::default();
    let upstream = held(&latch).await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let (mut first, mut others) = waiting(&setup, &upstream, &[b"second;", b"third;"]).await;
    drop(others.remove(0));
    setup.shows("podstamp_upstream_waiting 1").await;
    latch.open();
    assert_eq!(first.response().await.status, 200);
    assert_eq!(others.remove(0).response().await.status, 200);
    assert_eq!(bodies(&upstream), ["first;", "third;"]);
}

#[tokio::test]
async fn other_upstreams_get_as_many_connections_as_there_are_requests() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup =
        Setup::with(Fake::forwarding(upstream.url()), |settings| settings.upstream.connections = None).await;
    let mut clients = Vec::new();
    for count in 1..=3 {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", "", b"body")).await;
        while upstream.requests().len() < count {
            tokio::task::yield_now().await;
        }
        clients.push(client);
    }
    latch.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
    let mut connections: Vec<_> = upstream.requests().iter().map(|request| request.connection).collect();
    connections.sort_unstable();
    assert_eq!(connections, [0, 1, 2]);
}

/// An agent may have 768 MiB, and is killed over that.
#[tokio::test]
async fn requests_on_their_way_to_an_agent_take_so_much_of_its_memory_together_and_no_more() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let url = upstream.url();
    let fake = Fake::answering(move |incoming| {
        let part = Part { end: incoming.body.len() as u32, spans: 1, memory: 100 << 20 };
        Ok(Verdict::Forward(Outbound { parts: vec![part], ..outbound(&url, Content::Unchanged) }))
    });
    let setup = Setup::with(fake, |settings| settings.upstream.connections = Some(4)).await;
    let mut clients = Vec::new();
    for count in 1..=2 {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", "", b"large;")).await;
        while upstream.requests().len() < count {
            tokio::task::yield_now().await;
        }
        clients.push(client);
    }
    let mut third = setup.client().await;
    third.send(post("/v1/traces", "", b"third;")).await;
    setup.shows("podstamp_upstream_waiting 1").await;
    assert_eq!(upstream.requests().len(), 2, "two connections are free, and 56 MiB");
    latch.open();
    for client in clients.iter_mut().chain([&mut third]) {
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!(bodies(&upstream), ["large;", "large;", "third;"]);
}

#[tokio::test]
async fn a_request_that_timed_out_has_its_connection_ended_before_the_next_one_goes() {
    let upstream = Upstream::new(|number, _| match number {
        0 => Reaction::Silence,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = Setup::new(Fake::forwarding_within(100, upstream.url())).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"first")).await.status, 504);
    // This upstream never looks whether its peer has gone: the lane waits for it in vain, and the client's time passes.
    let response = client.ask(post("/v1/traces", "", b"second")).await;
    assert_eq!((response.status, response.text()), (503, "waited"));
    assert_eq!(bodies(&upstream), ["first"]);
}

#[tokio::test]
async fn a_connection_closed_for_being_idle_is_replaced_and_the_request_sent_again_once() {
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&connections);
    // The second request of the first connection meets a close, as if that had crossed it.
    let upstream = Upstream::new(move |number, request| {
        seen.store(request.connection, Ordering::Relaxed);
        if number == 1 { Reaction::Close } else { Reaction::answer(200, "") }
    })
    .await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let mut client = setup.client().await;
    for body in [b"one", b"two"] {
        assert_eq!(client.ask(post("/v1/traces", "", body)).await.status, 200);
    }
    assert_eq!(bodies(&upstream), ["one", "two", "two"]);
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_body_in_parts_is_sent_part_by_part_and_answered_once() {
    let upstream = Upstream::new(|_, request| {
        Reaction::answer(if contains(&request.body, b"full") { 503 } else { 200 }, "")
    })
    .await;
    let url = upstream.url();
    let fake = Fake::answering(move |_| {
        let part = |end| Part { end, spans: 1, memory: 1 };
        let parts = vec![part(3), part(7), part(10)];
        Ok(Verdict::Forward(Outbound { parts, ..outbound(&url, Content::Unchanged) }))
    })
    .concluding(|attempt, ended| match ended {
        Ended::Response { status, .. } => {
            Ok(Next::Answer(answer(*status, &format!("{} ahead", attempt.delivered))))
        }
        other => panic!("{other:?}"),
    });
    let setup = Setup::new(fake).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"onetwo!end")).await.status, 200);
    let response = client.ask(post("/v1/traces", "", b"onefullend")).await;
    assert_eq!((response.status, response.text()), (503, "1 ahead"));
    assert_eq!(bodies(&upstream), ["one", "two!", "end", "one", "full"]);
    // Of the second one the first part has arrived, whatever its client was told.
    setup.shows("podstamp_spans_total{outcome=\"accepted\"} 4").await;
    setup.shows("podstamp_spans_total{outcome=\"failed\"} 2").await;
    let response = client.ask(post("/v1/traces", "", b"short")).await;
    assert_eq!(response.status, 500, "the parts do not end where the body does");
}

#[tokio::test]
async fn copies_to_the_same_agent_share_its_connection() {
    let latch = Latch::default();
    let upstream = held(&latch).await;
    let url = upstream.url();
    let to = To { url: url.clone(), headers: Vec::new(), timeout: 60_000 };
    let fake = Fake::answering(move |_| {
        let copies = vec![to.clone()];
        Ok(Verdict::Forward(Outbound { copies, ..outbound(&url, Content::Unchanged) }))
    })
    .concluding(|_, ended| match ended {
        Ended::Response { status, .. } => Ok(Next::Answer(answer(*status, ""))),
        other => panic!("{other:?}"),
    });
    let setup = Setup::with(fake, |settings| {
        settings.copies = vec![CopyTarget { name: "same".to_owned(), ..CopyTarget::default() }];
    })
    .await;
    let mut client = setup.client().await;
    client.send(post("/v1/traces", "", b"body")).await;
    setup.shows("podstamp_upstream_waiting 1").await;
    assert_eq!(upstream.requests().len(), 1);
    latch.open();
    assert_eq!(client.response().await.status, 200);
    setup.shows("podstamp_copied_spans_total{upstream=\"same\",outcome=\"delivered\"} 3").await;
    assert!(upstream.requests().iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn what_is_compressed_is_merged_into_one_member() {
    let latch = Latch::default();
    let upstream = held(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.upstream.compression = Compression::Gzip { level: 1 };
    })
    .await;
    let (mut first, others) = waiting(&setup, &upstream, &[b"second;", b"third;"]).await;
    latch.open();
    assert_eq!(first.response().await.status, 200);
    for mut client in others {
        assert_eq!(client.response().await.status, 200);
    }
    let merged = upstream.requests().pop().unwrap();
    assert_eq!(gunzipped(&merged.body), b"second;third;");
}
