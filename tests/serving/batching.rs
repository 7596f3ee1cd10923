//! `batch`: small requests leave as one, and each client gets the outcome.

use std::time::Duration;

use podstamp::settings::{Batch, Settings};
use podstamp_core::config::Compression;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, post};
use podstamp_test_support::codings::gunzipped;
use podstamp_test_support::upstream::{Reaction, Upstream};

use crate::support::{Fake, Setup};

/// Each request of the fake filter has three spans.
const SPANS: u32 = 3;

async fn batching(upstream: &Upstream, batch: Batch, change: impl FnOnce(&mut Settings)) -> Setup {
    let change = |settings: &mut Settings| {
        settings.upstream.batch = Some(batch);
        settings.upstream.patience = 10 * PATIENCE;
        change(settings);
    };
    Setup::with(Fake::forwarding_within(u32::MAX, upstream.url()), change).await
}

/// A batch that leaves when it has so many requests.
fn of(requests: u32) -> Batch {
    Batch { timeout: 4 * PATIENCE, size: requests * SPANS, max_size: 0 }
}

/// Clients whose requests came one after the other, and wait.
async fn waiting(setup: &Setup, bodies: &[&str]) -> Vec<Client> {
    let mut clients = Vec::new();
    for (number, body) in (1..).zip(bodies) {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", "", body.as_bytes())).await;
        setup.shows(&format!("podstamp_upstream_waiting {number}")).await;
        clients.push(client);
    }
    clients
}

fn bodies(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|request| String::from_utf8(request.body.clone()).unwrap()).collect()
}

#[tokio::test]
async fn requests_leave_as_one_once_there_are_enough_of_them() {
    for connections in [Some(1), None] {
        let upstream = Upstream::accepting().await;
        let setup = batching(&upstream, of(3), |settings| settings.upstream.connections = connections).await;
        let mut clients = waiting(&setup, &["a;", "b;"]).await;
        assert_eq!(upstream.requests().len(), 0);
        let mut last = setup.client().await;
        assert_eq!(last.ask(post("/v1/traces", "", b"c;")).await.status, 200);
        for client in &mut clients {
            assert_eq!(client.response().await.status, 200);
        }
        assert_eq!(bodies(&upstream), ["a;b;c;"]);
        setup.shows("podstamp_upstream_merged_total 3").await;
        setup.shows("podstamp_upstream_waiting 0").await;
    }
}

#[tokio::test]
async fn a_batch_leaves_when_its_time_is_up() {
    let upstream = Upstream::accepting().await;
    let batch = Batch { timeout: Duration::from_millis(30), ..of(100) };
    let setup = batching(&upstream, batch, |_| ()).await;
    for body in [b"a;", b"b;"] {
        assert_eq!(setup.client().await.ask(post("/v1/traces", "", body)).await.status, 200);
    }
    assert_eq!(bodies(&upstream), ["a;", "b;"]);
}

#[tokio::test]
async fn a_batch_never_has_more_than_it_may() {
    let upstream = Upstream::accepting().await;
    let batch = Batch { max_size: 2 * SPANS, ..of(100) };
    let setup = batching(&upstream, batch, |_| ()).await;
    let mut clients = waiting(&setup, &["a;", "b;"]).await;
    let mut third = setup.client().await;
    third.send(post("/v1/traces", "", b"c;")).await;
    for client in &mut clients {
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!(bodies(&upstream), ["a;b;"]);
    setup.shows("podstamp_upstream_waiting 1").await;

    // One that is larger by itself goes as it is.
    let batch = Batch { timeout: Duration::from_millis(30), max_size: 1, size: 1 };
    let setup = batching(&upstream, batch, |_| ()).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"d;")).await.status, 200);
    assert_eq!(bodies(&upstream), ["a;b;", "d;"]);
}

#[tokio::test]
async fn each_client_gets_the_outcome_of_all() {
    let upstream = Upstream::new(|_, _| Reaction::answer(503, "")).await;
    let setup = batching(&upstream, of(2), |_| ()).await;
    let mut clients = waiting(&setup, &["a;"]).await;
    let mut last = setup.client().await;
    assert_eq!(last.ask(post("/v1/traces", "", b"b;")).await.status, 503);
    assert_eq!(clients[0].response().await.status, 503);
    assert_eq!(bodies(&upstream), ["a;b;"]);
}

#[tokio::test]
async fn no_client_waits_for_others_longer_than_it_waits_at_all() {
    let upstream = Upstream::accepting().await;
    let setup = batching(&upstream, of(100), |settings| settings.upstream.patience = PATIENCE / 4).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"a;")).await.status, 200);
    assert_eq!(bodies(&upstream), ["a;"]);
}

#[tokio::test]
async fn a_request_whose_client_has_gone_is_not_sent() {
    let upstream = Upstream::accepting().await;
    let setup = batching(&upstream, of(2), |_| ()).await;
    drop(waiting(&setup, &["a;"]).await);
    setup.shows("podstamp_upstream_waiting 0").await;
    let mut clients = waiting(&setup, &["b;"]).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"c;")).await.status, 200);
    assert_eq!(clients[0].response().await.status, 200);
    assert_eq!(bodies(&upstream), ["b;c;"]);
}

#[tokio::test]
async fn bodies_that_are_compressed_here_leave_as_one_member() {
    let upstream = Upstream::accepting().await;
    let compressed = |settings: &mut Settings| settings.upstream.compression = Compression::Gzip { level: 1 };
    let setup = batching(&upstream, of(2), compressed).await;
    let mut clients = waiting(&setup, &["a;"]).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"b;")).await.status, 200);
    assert_eq!(clients[0].response().await.status, 200);
    let sent: Vec<_> = upstream.requests().iter().map(|request| gunzipped(&request.body)).collect();
    assert_eq!(sent, [b"a;b;"]);
}

#[tokio::test]
async fn what_is_held_at_the_end_leaves() {
    let upstream = Upstream::accepting().await;
    let batch = Batch { timeout: Duration::from_millis(300), ..of(100) };
    let setup = batching(&upstream, batch, |_| ()).await;
    let mut clients = waiting(&setup, &["a;"]).await;
    assert!(setup.server.shutdown().await, "nothing was broken off");
    assert_eq!(clients[0].response().await.status, 200);
    assert_eq!(bodies(&upstream), ["a;"]);
}
