//! What the upstream does not take: queued, acknowledged, and sent when the upstream takes it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use flate2::read::GzDecoder;
use podstamp::sandbox::Ended;
use podstamp::settings::{self, CopyTarget, Settings};
use podstamp_core::config::{self, Compression, FileStorage, SendingQueue};
use podstamp_core::interface::{Mended, Next, Outbound, Part, Upstream as To, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::post;
use podstamp_test_support::upstream::{Reaction, Request, Upstream};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Fake, Setup, answer, outbound, shows};

/// Forwards to `upstream`, and takes what is no success as the filter does.
fn forwarding(upstream: &Upstream) -> Fake {
    concluding(Fake::forwarding(upstream.url()))
}

fn concluding(fake: Fake) -> Fake {
    fake.concluding(|_, ended| {
        Ok(match ended {
            Ended::Response { status: 503, .. } => Next::Retry(1),
            Ended::Response { status, .. } => Next::Answer(answer(*status, "the upstream's")),
            Ended::Closed(body) if body.contains(&0xff) => {
                let body = body.iter().map(|byte| if *byte == 0xff { b'?' } else { *byte }).collect();
                Next::Mend(Mended { body, texts: 1 })
            }
            Ended::Closed(_) | Ended::NotConnected(_) => Next::Retry(1),
            Ended::Away { .. } | Ended::Waited => Next::Answer(answer(503, "away")),
            Ended::TimedOut => Next::Answer(answer(504, "late")),
            Ended::Oversized => Next::Answer(answer(500, "oversized")),
        })
    })
}

/// A queue towards `upstream` that takes over after a while that no test waits for.
fn queue(upstream: &Upstream, sending: SendingQueue) -> settings::Queue {
    let document = json!({
        "receivers": {"otlp": {"protocols": {"http": null}}},
        "exporters": {"otlphttp": {"traces_endpoint": upstream.url()}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlphttp"]}}},
    });
    let exporter = config::parse(&document).unwrap().traces.exporter;
    settings::Queue { sending, memory: 1 << 20, patience: 10 * PATIENCE, exporter }
}

fn in_memory() -> SendingQueue {
    SendingQueue { num_consumers: 2, ..SendingQueue::default() }
}

fn on_disk(folder: &Path) -> SendingQueue {
    let storage = FileStorage {
        directory: folder.to_str().unwrap().to_owned(),
        create_directory: true,
        ..FileStorage::default()
    };
    SendingQueue { storage: Some(storage), ..in_memory() }
}

async fn queueing(upstream: &Upstream, sending: SendingQueue) -> Setup {
    changed(upstream, sending, |_, _| ()).await
}

async fn changed(
    upstream: &Upstream,
    sending: SendingQueue,
    change: impl FnOnce(&mut Settings, &mut settings::Queue),
) -> Setup {
    let mut queue = queue(upstream, sending);
    Setup::with(forwarding(upstream), |settings| {
        change(settings, &mut queue);
        settings.upstream.queue = Some(queue);
    })
    .await
}

/// Answers with a status that can be changed.
async fn with_status(status: &Arc<AtomicU16>) -> Upstream {
    let status = Arc::clone(status);
    Upstream::new(move |_, _| Reaction::answer(status.load(Ordering::Relaxed), "")).await
}

fn bodies(requests: &[Request]) -> Vec<Vec<u8>> {
    requests.iter().map(|request| request.body.clone()).collect()
}

fn counted(what: &str, outcome: &str, count: u64) -> String {
    format!(
        r#"podstamp_queue_{what}_total{{upstream="otlphttp",signal="traces",outcome="{outcome}"}} {count}"#
    )
}

fn size(size: u64) -> String {
    format!(r#"podstamp_queue_size{{upstream="otlphttp",signal="traces"}} {size}.0"#)
}

#[tokio::test]
async fn nothing_is_queued_while_the_upstream_takes_requests() {
    let upstream = Upstream::accepting().await;
    let setup = queueing(&upstream, in_memory()).await;
    let mut client = setup.client().await;
    for _ in 0..3 {
        let response = client.ask(post("/v1/traces", "", b"spans")).await;
        assert_eq!((response.status, response.text()), (200, "the upstream's"));
    }
    setup.shows(&counted("requests", "enqueued", 0)).await;
    setup.shows(r#"podstamp_queue_capacity{upstream="otlphttp",signal="traces"} 1000.0"#).await;
}

#[tokio::test]
async fn what_an_upstream_does_not_take_is_acknowledged_and_arrives_when_it_does() {
    let status = Arc::new(AtomicU16::new(503));
    let upstream = with_status(&status).await;
    let setup = queueing(&upstream, in_memory()).await;
    let mut client = setup.client().await;
    for name in ["one", "two", "three"] {
        let response = client.ask(post("/v1/traces", "", name.as_bytes())).await;
        assert_eq!(response.status, 200);
        assert!(response.body.is_empty());
    }
    setup.shows(&counted("requests", "enqueued", 3)).await;
    setup.shows(&counted("spans", "enqueued", 9)).await;
    setup.shows(&size(3)).await;
    status.store(200, Ordering::Relaxed);
    setup.shows(&counted("spans", "delivered", 9)).await;
    setup.shows(&size(0)).await;
    let all = bodies(&upstream.requests()).concat();
    assert!(all.ends_with(b"onetwothree") || all.ends_with(b"twothree"), "oldest first, and merged: {all:?}");
    // The way is free again.
    assert_eq!(client.ask(post("/v1/traces", "", b"four")).await.text(), "the upstream's");
    setup.shows(&counted("requests", "enqueued", 3)).await;
    setup.shows(r#"podstamp_spans_total{outcome="accepted"} 12"#).await;
}

#[tokio::test]
async fn a_request_that_is_under_way_when_patience_ends_is_not_sent_twice() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = changed(&upstream, in_memory(), |_, queue| queue.patience = Duration::from_millis(20)).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"slow")).await.status, 200);
    setup.shows(&size(1)).await;
    // Nobody waits for what is known to be slow.
    assert_eq!(client.ask(post("/v1/traces", "", b"next")).await.status, 200);
    setup.shows(&size(2)).await;
    latch.open();
    setup.shows(&counted("requests", "delivered", 2)).await;
    assert_eq!(bodies(&upstream.requests()), [b"slow", b"next"]);
}

#[tokio::test]
async fn a_request_that_breaks_off_after_it_was_queued_is_sent_again() {
    let latch = Latch::default();
    let held = latch.clone();
    let upstream = Upstream::new(move |number, _| match number {
        0 => Reaction::Held(held.clone(), b"no HTTP".to_vec()),
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = changed(&upstream, in_memory(), |_, queue| queue.patience = Duration::from_millis(20)).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"slow")).await.status, 200);
    setup.shows(&size(1)).await;
    latch.open();
    setup.shows(&counted("requests", "delivered", 1)).await;
    assert_eq!(bodies(&upstream.requests()), [b"slow", b"slow"]);
}

#[tokio::test]
async fn nothing_is_queued_where_each_request_is_tried_once_or_clients_wait_for_the_outcome() {
    let waiting = SendingQueue { wait_for_result: true, ..in_memory() };
    for (sending, retries) in [(in_memory(), false), (waiting, true)] {
        let upstream = with_status(&Arc::new(AtomicU16::new(503))).await;
        let setup = changed(&upstream, sending, |settings, queue| {
            queue.exporter.retry.enabled = retries;
            settings.upstream.patience = Duration::from_millis(50);
        })
        .await;
        let response = setup.client().await.ask(post("/v1/traces", "", b"spans")).await;
        assert!(matches!(response.status, 503 | 504), "{}", response.status);
        assert!(!setup.instruments.metrics.encode().unwrap().contains("podstamp_queue_size{"));
    }
}

#[tokio::test]
async fn a_refusal_is_the_clients_to_know() {
    let upstream = with_status(&Arc::new(AtomicU16::new(400))).await;
    let setup = queueing(&upstream, in_memory()).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"bad")).await.status, 400);
    setup.shows(&size(0)).await;
    setup.shows(&counted("requests", "enqueued", 0)).await;
}

#[tokio::test]
async fn what_is_refused_out_of_the_queue_leaves_it_and_its_neighbours_arrive() {
    let is_back = Arc::new(AtomicUsize::new(0));
    let back = Arc::clone(&is_back);
    let upstream = Upstream::new(move |_, request| match back.load(Ordering::Relaxed) {
        0 => Reaction::answer(503, ""),
        _ if request.body.windows(3).any(|window| window == b"bad") => Reaction::answer(400, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = queueing(&upstream, in_memory()).await;
    let mut client = setup.client().await;
    for body in ["one", "bad", "two"] {
        assert_eq!(client.ask(post("/v1/traces", "", body.as_bytes())).await.status, 200);
    }
    is_back.store(1, Ordering::Relaxed);
    setup.shows(&counted("requests", "delivered", 2)).await;
    setup.shows(&counted("requests", "refused", 1)).await;
    setup.shows(&size(0)).await;
}

#[tokio::test]
async fn what_ends_the_upstream_each_time_lets_the_others_pass_and_stays() {
    let is_back = Arc::new(AtomicUsize::new(0));
    let back = Arc::clone(&is_back);
    let upstream = Upstream::new(move |_, request| match back.load(Ordering::Relaxed) {
        0 => Reaction::answer(503, ""),
        _ if request.body.windows(4).any(|window| window == b"kill") => Reaction::Close,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = queueing(&upstream, in_memory()).await;
    let mut client = setup.client().await;
    for body in ["kill", "one", "two"] {
        assert_eq!(client.ask(post("/v1/traces", "", body.as_bytes())).await.status, 200);
    }
    is_back.store(1, Ordering::Relaxed);
    setup.shows(&counted("requests", "delivered", 2)).await;
    setup.shows(&size(1)).await;
    setup.shows(&counted("requests", "refused", 0)).await;
}

#[tokio::test]
async fn what_the_upstream_closes_on_is_mended_out_of_the_queue_too() {
    let is_back = Arc::new(AtomicUsize::new(0));
    let back = Arc::clone(&is_back);
    let upstream = Upstream::new(move |_, request| match back.load(Ordering::Relaxed) {
        0 => Reaction::answer(503, ""),
        _ if request.body.contains(&0xff) => Reaction::Close,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let setup = queueing(&upstream, in_memory()).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"caf\xff")).await.status, 200);
    is_back.store(1, Ordering::Relaxed);
    setup.shows(&counted("requests", "delivered", 1)).await;
    assert_eq!(upstream.requests().last().unwrap().body, b"caf?");
}

#[tokio::test]
async fn a_full_queue_leaves_clients_to_what_there_is_without_one() {
    for sending in [
        SendingQueue { queue_size: 1, ..in_memory() },
        SendingQueue { queue_size: 5, sizer: config::Sizer::Items, ..in_memory() },
        SendingQueue { queue_size: 6, sizer: config::Sizer::Bytes, ..in_memory() },
    ] {
        let upstream = with_status(&Arc::new(AtomicU16::new(503))).await;
        let setup = changed(&upstream, sending.clone(), |settings, _| {
            settings.upstream.patience = Duration::from_millis(50);
        })
        .await;
        let mut client = setup.client().await;
        assert_eq!(client.ask(post("/v1/traces", "", b"fits")).await.status, 200, "{sending:?}");
        let refused = client.ask(post("/v1/traces", "", b"not")).await.status;
        assert!(matches!(refused, 503 | 504), "{refused} {sending:?}");
        setup.shows(&counted("requests", "enqueued", 1)).await;
        setup.shows(&size(sending.queue_size.min(if sending.queue_size == 5 { 3 } else { 4 }))).await;
    }
}

#[tokio::test]
async fn a_client_may_wait_for_room() {
    let status = Arc::new(AtomicU16::new(503));
    let upstream = with_status(&status).await;
    let sending = SendingQueue { queue_size: 1, block_on_overflow: true, ..in_memory() };
    let setup = changed(&upstream, sending, |settings, _| settings.upstream.patience = PATIENCE).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"fits")).await.status, 200);
    client.send(post("/v1/traces", "", b"waits")).await;
    status.store(200, Ordering::Relaxed);
    assert_eq!(client.response().await.status, 200);
    setup.shows(&size(0)).await;
}

#[tokio::test]
async fn what_nobody_takes_is_given_up_after_the_time_that_the_configuration_says() {
    let upstream = with_status(&Arc::new(AtomicU16::new(503))).await;
    let setup = changed(&upstream, in_memory(), |_, queue| queue.exporter.retry.max_elapsed_time = 1).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"spans")).await.status, 200);
    setup.shows(&counted("spans", "expired", 3)).await;
    setup.shows(&size(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_in_memory_leaves_before_the_server_ends() {
    let status = Arc::new(AtomicU16::new(503));
    let upstream = with_status(&status).await;
    let setup = queueing(&upstream, in_memory()).await;
    let instruments = setup.instruments.clone();
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"spans")).await.status, 200);
    let stopping = tokio::spawn(setup.server.shutdown());
    status.store(200, Ordering::Relaxed);
    assert!(stopping.await.unwrap());
    assert_eq!(upstream.requests().last().unwrap().body, b"spans");
    shows(&instruments, &counted("spans", "delivered", 3)).await;
    shows(&instruments, &counted("spans", "lost", 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_does_not_leave_memory_in_time_is_counted_as_lost() {
    let upstream = with_status(&Arc::new(AtomicU16::new(503))).await;
    let setup =
        changed(&upstream, in_memory(), |settings, _| settings.drain_timeout = Duration::from_millis(100))
            .await;
    let instruments = setup.instruments.clone();
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"spans")).await.status, 200);
    setup.server.shutdown().await;
    shows(&instruments, &counted("spans", "lost", 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_on_disk_outlives_the_server() {
    let folder = TempDir::new().unwrap();
    let status = Arc::new(AtomicU16::new(503));
    let upstream = with_status(&status).await;
    for round in 1..=2 {
        let setup = queueing(&upstream, on_disk(folder.path())).await;
        setup.shows(&size(round - 1)).await;
        let mut client = setup.client().await;
        let body = format!("round {round};");
        assert_eq!(client.ask(post("/v1/traces", "", body.as_bytes())).await.status, 200);
        setup.shows(&size(round)).await;
        assert!(setup.server.shutdown().await);
    }
    status.store(200, Ordering::Relaxed);
    let setup = queueing(&upstream, on_disk(folder.path())).await;
    setup.shows(&counted("spans", "delivered", 6)).await;
    setup.shows(&size(0)).await;
    let delivered: Vec<_> = upstream.requests().into_iter().map(|request| request.body).collect();
    assert!(delivered.concat().ends_with(b"round 1;round 2;"), "{delivered:?}");
    setup.server.shutdown().await;
    let before = upstream.requests().len();
    let setup = queueing(&upstream, on_disk(folder.path())).await;
    setup.shows(&size(0)).await;
    setup.server.shutdown().await;
    assert_eq!(upstream.requests().len(), before, "what was delivered is gone");
}

#[tokio::test]
async fn a_folder_that_another_has_is_named_with_its_key() {
    let folder = TempDir::new().unwrap();
    let upstream = Upstream::accepting().await;
    let _setup = queueing(&upstream, on_disk(folder.path())).await;
    let settings = Settings {
        listeners: Vec::new(),
        upstream: settings::Upstream {
            queue: Some(queue(&upstream, on_disk(folder.path()))),
            ..settings::Upstream::default()
        },
        ..Settings::default()
    };
    let filter = Arc::new(forwarding(&upstream));
    let error = podstamp::server::Server::bind(&settings, filter, &Default::default()).await.unwrap_err();
    assert!(error.to_string().starts_with("extensions.file_storage.directory: "), "{error}");
}

#[tokio::test]
async fn compressed_bodies_are_merged_out_of_the_queue_into_one_member() {
    let status = Arc::new(AtomicU16::new(503));
    let upstream = with_status(&status).await;
    let setup = changed(&upstream, in_memory(), |settings, _| {
        settings.upstream.compression = Compression::Gzip { level: 1 };
    })
    .await;
    let mut client = setup.client().await;
    for body in ["first", "one,", "two,", "three"] {
        assert_eq!(client.ask(post("/v1/traces", "", body.as_bytes())).await.status, 200);
    }
    status.store(200, Ordering::Relaxed);
    setup.shows(&counted("requests", "delivered", 4)).await;
    let last = upstream.requests().last().unwrap().clone();
    let mut plain = String::new();
    GzDecoder::new(&last.body[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "one,two,three");
}

#[tokio::test]
async fn of_a_batch_in_parts_what_the_upstream_has_not_taken_is_queued() {
    let is_back = Arc::new(AtomicUsize::new(0));
    let back = Arc::clone(&is_back);
    let upstream = Upstream::new(move |_, request| {
        let takes = request.body == b"one" || back.load(Ordering::Relaxed) > 0;
        Reaction::answer(if takes { 200 } else { 503 }, "")
    })
    .await;
    let url = upstream.url();
    let fake = concluding(Fake::answering(move |_| {
        let parts = [3, 6, 11].map(|end| Part { end, spans: 1, memory: 0 }).to_vec();
        let content = podstamp_core::interface::Content::Unchanged;
        Ok(Verdict::Forward(Outbound { parts, ..outbound(&url, content) }))
    }));
    let queue = queue(&upstream, in_memory());
    let setup = Setup::with(fake, |settings| settings.upstream.queue = Some(queue)).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"onetwothree")).await.status, 200);
    setup.shows(&counted("requests", "enqueued", 2)).await;
    is_back.store(1, Ordering::Relaxed);
    setup.shows(&counted("requests", "delivered", 2)).await;
    let ones = bodies(&upstream.requests()).iter().filter(|body| *body == b"one").count();
    assert_eq!(ones, 1);
}

#[tokio::test]
async fn a_copys_upstream_has_a_queue_of_its_own() {
    let first = Upstream::accepting().await;
    let status = Arc::new(AtomicU16::new(503));
    let away = with_status(&status).await;
    let (url, copy) = (first.url(), To { url: away.url(), headers: Vec::new(), timeout: 60_000 });
    let fake = concluding(Fake::answering(move |_| {
        let content = podstamp_core::interface::Content::Unchanged;
        Ok(Verdict::Forward(Outbound { copies: vec![copy.clone()], ..outbound(&url, content) }))
    }));
    let queue = queue(&away, in_memory());
    let setup = Setup::with(fake, |settings| {
        let upstream = settings::Upstream { queue: Some(queue), ..settings::Upstream::default() };
        settings.copies = vec![CopyTarget { name: "away".to_owned(), upstream }];
    })
    .await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"spans")).await.status, 200);
    setup.shows(r#"podstamp_copied_spans_total{upstream="away",outcome="queued"} 3"#).await;
    setup.shows(&size(1)).await;
    status.store(200, Ordering::Relaxed);
    setup.shows(&counted("spans", "delivered", 3)).await;
    assert_eq!(first.requests().len(), 1);
}
