//! Further exporters: what they get, what they cannot do to the first one, what becomes of what they do not take.

use std::time::Duration;

use podstamp::sandbox::Ended;
use podstamp::settings::CopyTarget;
use podstamp_core::interface::{Content, Mended, Next, Outbound, Part, Upstream as To, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::post;
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::time::timeout;

use crate::support::{Fake, Setup, answer, outbound};

/// Forwards to `first`, with copies for the others.
fn copying(first: &Upstream, others: &[&Upstream]) -> Fake {
    let first = first.url();
    let copies: Vec<_> =
        others.iter().map(|other| To { url: other.url(), headers: Vec::new(), timeout: 60_000 }).collect();
    Fake::answering(move |_| {
        let outbound = outbound(&first, Content::Replaced(b"stamped".to_vec()));
        Ok(Verdict::Forward(Outbound { copies: copies.clone(), ..outbound }))
    })
}

async fn with_copies(fake: Fake, names: &[&str]) -> Setup {
    draining_within(PATIENCE, fake, names).await
}

async fn draining_within(drain_timeout: Duration, fake: Fake, names: &[&str]) -> Setup {
    let copies =
        names.iter().map(|name| CopyTarget { name: (*name).to_owned(), ..CopyTarget::default() }).collect();
    Setup::with(fake, |settings| {
        settings.copies = copies;
        settings.drain_timeout = drain_timeout;
    })
    .await
}

#[tokio::test]
async fn every_exporter_gets_the_same_and_the_first_one_answers() {
    let first = Upstream::new(|_, _| Reaction::answer(200, "first")).await;
    let canary = Upstream::new(|_, _| Reaction::answer(200, "canary")).await;
    let broken = Upstream::new(|_, _| Reaction::answer(500, "broken")).await;
    let setup = with_copies(copying(&first, &[&canary, &broken]), &["canary", "otlphttp/broken"]).await;
    let mut client = setup.client().await;
    for _ in 0..2 {
        assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.text(), "first");
    }
    // Three spans a request, says the filter.
    setup.shows(r#"podstamp_copied_spans_total{upstream="canary",outcome="delivered"} 6"#).await;
    setup.shows(r#"podstamp_copied_spans_total{upstream="otlphttp/broken",outcome="failed"} 6"#).await;
    setup.shows(r#"podstamp_copied_spans_total{upstream="canary",outcome="dropped"} 0"#).await;
    for upstream in [&first, &canary, &broken] {
        assert!(upstream.requests().iter().all(|request| request.body == b"stamped"));
        assert_eq!(upstream.requests().len(), 2);
    }
    setup.shows(r#"podstamp_spans_total{outcome="accepted"} 6"#).await;
    setup.shows(r#"podstamp_upstream_attempts_total{outcome="2xx"} 2"#).await;
    setup.shows(r#"podstamp_upstream_attempts_total{outcome="5xx"} 0"#).await;
}

#[tokio::test]
async fn the_filter_is_told_whose_attempt_it_was() {
    let first = Upstream::accepting().await;
    let busy = Upstream::new(|number, _| Reaction::answer(if number == 0 { 503 } else { 200 }, "")).await;
    let fake =
        copying(&first, &[&busy]).concluding(|attempt, ended| match (attempt.upstream, attempt.number) {
            (1, 1) => Ok(Next::Retry(1)),
            (0, 1) | (1, 2) => Ok(Next::Answer(answer(200, ""))),
            _ => panic!("{attempt:?} {ended:?}"),
        });
    let setup = with_copies(fake, &["busy"]).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"x")).await.status, 200);
    setup.shows(r#"podstamp_copied_spans_total{upstream="busy",outcome="delivered"} 3"#).await;
    assert_eq!(busy.requests().len(), 2);
}

#[tokio::test]
async fn a_copy_on_which_its_upstream_closes_is_mended_like_the_first_exporters() {
    let first = Upstream::accepting().await;
    let strict = Upstream::new(|_, request| match &request.body[..] {
        b"bad\xff" => Reaction::Close,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let (url, copy) = (first.url(), To { url: strict.url(), headers: Vec::new(), timeout: 60_000 });
    let fake = Fake::answering(move |incoming| {
        // A request that is prepared anew is the same, but for its body.
        assert!(incoming.headers.iter().any(|header| header.name == "x-forwarded-for"), "{incoming:?}");
        let outbound = outbound(&url, Content::Unchanged);
        Ok(Verdict::Forward(Outbound { copies: vec![copy.clone()], ..outbound }))
    })
    .concluding(|attempt, ended| match ended {
        Ended::Closed(body) => {
            assert_eq!(attempt.upstream, 1);
            let body = body.iter().map(|byte| if *byte == 0xff { b'?' } else { *byte }).collect();
            Ok(Next::Mend(Mended { body, texts: 1 }))
        }
        Ended::Response { status, .. } => Ok(Next::Answer(answer(*status, ""))),
        other => panic!("{other:?}"),
    });
    let setup = with_copies(fake, &["strict"]).await;
    let request = post("/v1/traces", "x-forwarded-for: 10.1.2.3\r\n", b"bad\xff");
    assert_eq!(setup.client().await.ask(request).await.status, 200);
    setup.shows(r#"podstamp_copied_spans_total{upstream="strict",outcome="delivered"} 3"#).await;
    setup.shows(r#"podstamp_guard_repairs_total{rule="text_mended"} 1"#).await;
    let bodies = |upstream: &Upstream| -> Vec<_> {
        upstream.requests().into_iter().map(|request| request.body).collect()
    };
    assert_eq!(bodies(&first), [b"bad\xff"]);
    assert_eq!(bodies(&strict), [b"bad\xff", b"bad?"]);
}

#[tokio::test]
async fn of_a_copy_in_parts_what_arrived_counts_as_delivered() {
    let first = Upstream::accepting().await;
    let busy =
        Upstream::new(|_, request| Reaction::answer(if request.body == b"two" { 503 } else { 200 }, ""))
            .await;
    let (url, copy) = (first.url(), To { url: busy.url(), headers: Vec::new(), timeout: 60_000 });
    let fake = Fake::answering(move |_| {
        let part = |end, spans| Part { end, spans, memory: 1 };
        let parts = vec![part(3, 1), part(6, 2)];
        let outbound = outbound(&url, Content::Unchanged);
        Ok(Verdict::Forward(Outbound { copies: vec![copy.clone()], parts, ..outbound }))
    });
    let setup = with_copies(fake, &["busy"]).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"onetwo")).await.status, 200);
    setup.shows(r#"podstamp_copied_spans_total{upstream="busy",outcome="failed"} 2"#).await;
    setup.shows(r#"podstamp_copied_spans_total{upstream="busy",outcome="delivered"} 1"#).await;
}

#[tokio::test]
async fn an_exporter_that_hangs_holds_nobody_up_and_its_losses_are_counted() {
    let first = Upstream::accepting().await;
    let hanging = Upstream::new(|_, _| Reaction::Silence).await;
    let setup = with_copies(copying(&first, &[&hanging]), &["hanging"]).await;
    let mut client = setup.client().await;
    for _ in 0..1_104 {
        assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.status, 200);
    }
    // Four on their way, a thousand in the queue.
    setup.shows(r#"podstamp_copied_spans_total{upstream="hanging",outcome="dropped"} 300"#).await;
}

#[tokio::test]
async fn large_copies_that_nobody_takes_do_not_fill_the_memory() {
    let first = Upstream::accepting().await;
    let hanging = Upstream::new(|_, _| Reaction::Silence).await;
    let setup = with_copies(copying(&first, &[&hanging]), &["hanging"]).await;
    let mut client = setup.client().await;
    let body = vec![0; 1 << 20];
    for _ in 0..80 {
        assert_eq!(client.ask(post("/v1/traces", "", &body)).await.status, 200);
    }
    // 64 MiB of room; each takes a little over one.
    setup.shows(r#"podstamp_copied_spans_total{upstream="hanging",outcome="dropped"} 51"#).await;
}

#[tokio::test]
async fn what_is_queued_leaves_before_the_server_ends() {
    let first = Upstream::accepting().await;
    let latch = Latch::default();
    let slow = Upstream::behind(&latch).await;
    // The client is not to wait that long.
    let setup = draining_within(10 * PATIENCE, copying(&first, &[&slow]), &["slow"]).await;
    let mut client = setup.client().await;
    for _ in 0..12 {
        assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.status, 200);
    }
    let Setup { server, instruments } = setup;
    let stopping = tokio::spawn(server.shutdown());
    assert!(client.is_closed().await);
    latch.open();
    assert!(timeout(PATIENCE, stopping).await.expect("it waits for nothing").unwrap());
    // The requests that waited for the one connection went together.
    let arrived: Vec<_> = slow.requests().into_iter().flat_map(|request| request.body).collect();
    assert_eq!(arrived, b"stamped".repeat(12));
    let shown = instruments.metrics.encode().unwrap();
    assert!(
        shown.contains(r#"podstamp_copied_spans_total{upstream="slow",outcome="delivered"} 36"#),
        "{shown}"
    );
}

#[tokio::test]
async fn what_does_not_leave_in_time_is_lost_and_counted() {
    let first = Upstream::accepting().await;
    let hanging = Upstream::new(|_, _| Reaction::Silence).await;
    let setup = draining_within(Duration::from_millis(100), copying(&first, &[&hanging]), &["hanging"]).await;
    let mut client = setup.client().await;
    for _ in 0..9 {
        assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.status, 200);
    }
    drop(client);
    let Setup { server, instruments } = setup;
    server.shutdown().await;
    let shown = instruments.metrics.encode().unwrap();
    let lost: u64 = ["failed", "dropped"]
        .iter()
        .map(|outcome| {
            let line = format!(r#"podstamp_copied_spans_total{{upstream="hanging",outcome="{outcome}"}} "#);
            let (_, rest) = shown.split_once(&line).unwrap();
            rest.lines().next().unwrap().parse::<u64>().unwrap()
        })
        .sum();
    assert_eq!(lost, 27, "{shown}");
}
