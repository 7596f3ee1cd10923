//! Stopping.

use std::sync::Arc;
use std::time::Duration;

use podstamp_agent::Gate;
use tokio::net::TcpStream;

use crate::support::{Fake, Reaction, Setup, Upstream, post};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_in_flight_finishes_and_nothing_new_is_taken() {
    let gate = Gate::default();
    let held = gate.clone();
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
    assert_eq!(readiness.missing(), Some("draining"));
    // The listener is another task's to close, which may come to it a moment later.
    while TcpStream::connect(address).await.is_ok() {
        assert!(!stopping.is_finished(), "it takes connections while it drains");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    gate.open();
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
