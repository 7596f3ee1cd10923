//! Metrics and logs: where they are taken, where they go, and what is said where they are not carried.

use podstamp::settings::{CopyTarget, Route, Upstream as Meeting};
use podstamp_core::interface::{Content, Next, Outbound, Signal, Upstream as To, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::client::{framed, post};
use podstamp_test_support::upstream::{Reaction, Upstream};

use crate::support::{Fake, Setup, answer, outbound};

/// Forwards each signal to a path of its own, and says in the answer whose attempt that was.
fn by_signal(upstream: &Upstream, copy: Option<&Upstream>) -> Fake {
    let url = upstream.url();
    let copy = copy.map(|copy| To { url: copy.url(), headers: Vec::new(), timeout: 60_000 });
    Fake::answering(move |incoming| {
        let outbound = outbound(&format!("{url}/{}", incoming.signal.name()), Content::Unchanged);
        Ok(Verdict::Forward(Outbound { copies: copy.iter().cloned().collect(), ..outbound }))
    })
    .concluding(|attempt, _| Ok(Next::Answer(answer(200, attempt.signal.name()))))
}

fn route(path: &str) -> Option<Route> {
    Some(Route { path: path.to_owned(), ..Route::default() })
}

#[tokio::test]
async fn each_signal_has_its_path_its_service_and_its_upstream() {
    let upstream = Upstream::accepting().await;
    let setup = Setup::with(by_signal(&upstream, None), |settings| {
        settings.metrics = route("/v1/metrics");
        settings.logs = route("/of/logs");
    })
    .await;
    let mut client = setup.client().await;
    let grpc = setup.grpc().await;
    let over_grpc = [("content-type", "application/grpc")];
    for (signal, path) in
        [(Signal::Traces, "/v1/traces"), (Signal::Metrics, "/v1/metrics"), (Signal::Logs, "/of/logs")]
    {
        let name = signal.name();
        assert_eq!(client.ask(post(path, "", b"x")).await.text(), name);
        let answered = grpc.post(signal.grpc_path(), framed(b"x"), &over_grpc).await;
        assert_eq!(answered.status, 200, "{name}");
        setup
            .shows(&format!("podstamp_signal_requests_total{{signal=\"{name}\",outcome=\"accepted\"}} 2"))
            .await;
        let to = format!("/api/v1/otel/trace/{name} ");
        let sent = upstream.requests().iter().filter(|request| request.head.contains(&to)).count();
        assert_eq!(sent, 2, "{name}");
    }
    // The default path is none where another one is configured.
    let response = client.ask(post("/v1/logs", "", b"x")).await;
    assert_eq!(response.status, 404);
    assert!(response.text().contains("nothing is here"), "{}", response.text());
}

#[tokio::test]
async fn a_signal_that_is_not_carried_is_told_how_to_turn_it_off() {
    let upstream = Upstream::accepting().await;
    let setup =
        Setup::with(by_signal(&upstream, None), |settings| settings.metrics = route("/v1/metrics")).await;
    let response = setup.client().await.ask(post("/v1/logs", "", b"x")).await;
    assert_eq!(response.status, 404);
    let text = "podstamp carries no logs here: set OTEL_LOGS_EXPORTER=none";
    assert!(response.text().ends_with(text), "{}", response.text());
    let headers = [("content-type", "application/grpc")];
    let answered = setup.grpc().await.post(Signal::Logs.grpc_path(), framed(b"x"), &headers).await;
    assert_eq!((answered.code(), answered.message()), ("12", text));
    setup.shows("podstamp_refused_requests_total{reason=\"signal\"} 2").await;
}

#[tokio::test]
async fn requests_of_two_signals_never_go_together() {
    let latch = Latch::default();
    let held = latch.clone();
    let upstream = Upstream::new(move |number, _| match number {
        0 => Reaction::behind(&held, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    // All to one URL, as one upstream may take all signals.
    let url = upstream.url();
    let fake = Fake::answering(move |_| Ok(Verdict::Forward(outbound(&url, Content::Unchanged))));
    let setup = Setup::with(fake, |settings| {
        let upstream = Meeting { connections: Some(1), ..Meeting::default() };
        settings.metrics = Some(Route { path: "/v1/metrics".to_owned(), upstream, copies: Vec::new() });
    })
    .await;
    let mut clients = Vec::new();
    for (number, (path, body)) in [
        ("/v1/traces", "first;"),
        ("/v1/traces", "span;"),
        ("/v1/metrics", "point;"),
        ("/v1/traces", "span;"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = setup.client().await;
        client.send(post(path, "", body.as_bytes())).await;
        clients.push(client);
        match number {
            0 => {
                while upstream.requests().is_empty() {
                    tokio::task::yield_now().await;
                }
            }
            waiting => setup.shows(&format!("podstamp_upstream_waiting {waiting}")).await,
        }
    }
    latch.open();
    for client in &mut clients {
        assert_eq!(client.response().await.status, 200);
    }
    let bodies: Vec<_> =
        upstream.requests().into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect();
    assert_eq!(bodies, ["first;", "span;span;", "point;"]);
}

#[tokio::test]
async fn copies_of_a_signal_are_counted_by_it() {
    let (first, canary) = (Upstream::accepting().await, Upstream::accepting().await);
    let setup = Setup::with(by_signal(&first, Some(&canary)), |settings| {
        let copies = vec![CopyTarget { name: "canary".to_owned(), ..CopyTarget::default() }];
        settings.logs = Some(Route { path: "/v1/logs".to_owned(), copies, ..Route::default() });
    })
    .await;
    assert_eq!(setup.client().await.ask(post("/v1/logs", "", b"x")).await.status, 200);
    let line = "podstamp_copied_requests_total{signal=\"logs\",upstream=\"canary\",outcome=\"delivered\"} 1";
    setup.shows(line).await;
}
