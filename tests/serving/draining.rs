//! Stopping.

use std::sync::Arc;
use std::time::Duration;

use podstamp_fake_agent::Latch;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, Http2, framed, post};
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::net::TcpStream;

use crate::support::{Fake, Setup, shows};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_in_flight_finishes_and_nothing_new_is_taken() {
    let latch = Latch::default();
    let held = latch.clone();
    let upstream = Upstream::new(move |number, _| match number {
        0 => Reaction::answer(200, "at once"),
        _ => Reaction::behind(&held, "done"),
    })
    .await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let address = setup.address();
    let mut idle = setup.client().await;
    assert_eq!(idle.ask(post("/v1/traces", "", b"before")).await.status, 200);
    let mut busy = setup.client().await;
    busy.send(post("/v1/traces", "", b"in flight")).await;
    setup.shows("podstamp_requests_in_flight 1").await;

    let readiness = Arc::clone(&setup.instruments.readiness);
    readiness.pods_loaded();
    assert_eq!(readiness.missing(), None);
    let stopping = tokio::spawn(setup.server.shutdown());
    assert!(idle.is_closed().await, "who has no request is let go at once");
    assert_eq!(readiness.missing().as_deref(), Some("draining"));
    // The listener is another task's to close, which may come to it a moment later.
    while TcpStream::connect(address).await.is_ok() {
        assert!(!stopping.is_finished(), "it takes connections while it drains");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    latch.open();
    let response = busy.response().await;
    assert_eq!((response.status, response.text()), (200, "done"));
    assert_eq!(response.header("connection"), Some("close"));
    assert!(busy.is_closed().await);
    assert!(stopping.await.unwrap(), "nothing was broken off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_does_not_finish_in_time_is_broken_off() {
    let upstream = Upstream::new(|_, _| Reaction::Silence).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.drain_timeout = Duration::from_millis(100)
    });
    let setup = setup.await;
    let mut client = setup.client().await;
    client.send(post("/v1/traces", "", b"body")).await;
    setup.shows("podstamp_requests_in_flight 1").await;
    assert!(!setup.server.shutdown().await);
    assert!(client.is_closed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_connected_by_then_gets_an_answer_and_is_told_to_go() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    // The first connection is served, the second waits for its place, and the others wait in the listener's backlog.
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.limits.connections = Some(1);
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", "", b"body")).await;
        clients.push(client);
    }
    setup.shows("podstamp_requests_in_flight 1").await;
    let instruments = setup.instruments.clone();
    let stopping = tokio::spawn(setup.server.shutdown());
    shows(&instruments, "podstamp_requests_in_flight 5").await;
    latch.open();
    for client in &mut clients {
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        assert!(client.is_closed().await);
    }
    assert!(stopping.await.unwrap(), "nothing was broken off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_connects_over_http2_just_before_the_end_is_answered_and_then_told_to_go() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.limits.connections = Some(1);
    })
    .await;
    let mut busy = setup.client().await;
    busy.send(post("/v1/traces", "", b"body")).await;
    setup.shows("podstamp_requests_in_flight 1").await;
    let address = setup.server.grpc_address().unwrap();
    let connecting = tokio::spawn(async move {
        let (client, closed) = Http2::connect_watched(address).await;
        let answered = client.export(framed(b"x")).await;
        (answered, closed)
    });
    // The connection is in a backlog that nobody looks at before the end.
    let waiting = TcpStream::connect(address).await.unwrap();
    let instruments = setup.instruments.clone();
    let stopping = tokio::spawn(setup.server.shutdown());
    shows(&instruments, "podstamp_requests_in_flight 2").await;
    latch.open();
    let (answered, closed) = connecting.await.unwrap();
    assert_eq!(answered.status, 200);
    closed.await.unwrap();
    assert_eq!(busy.response().await.status, 200);
    assert!(stopping.await.unwrap(), "nothing was broken off");
    drop(waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn for_the_drain_delay_it_is_not_ready_and_takes_requests_all_the_same() {
    let upstream = Upstream::accepting().await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.drain_delay = PATIENCE * 10;
        settings.drain_timeout = PATIENCE * 20;
    })
    .await;
    let (address, readiness) = (setup.address(), Arc::clone(&setup.instruments.readiness));
    readiness.pods_loaded();
    let stopping = tokio::spawn(setup.server.shutdown());
    while readiness.missing().as_deref() != Some("draining") {
        tokio::task::yield_now().await;
    }
    let response = Client::connect(address).await.ask(post("/v1/traces", "", b"late")).await;
    assert_eq!((response.status, response.header("connection")), (200, None));
    stopping.abort();
}
