//! Faults to order.

use std::time::{Duration, Instant};

use super::*;
use crate::{Answer, Error, Latch, Script};

fn unavailable() -> Script {
    Script::Answer(Answer::new(503).unwrap().header("retry-after", "1").unwrap().body("busy"))
}

#[tokio::test]
async fn the_first_requests_can_be_answered_otherwise() {
    let agent = builder().play(2, unavailable()).start().await.unwrap();
    let mut wire = Wire::to(&agent).await;
    for _ in 0..2 {
        wire.send(&post(&[], &three_spans())).await;
        let answer = wire.reply().await.unwrap();
        let headers = ["retry-after: 1", "content-length: 4", "date"];
        assert_eq!(answer, Some(reply("503 Service Unavailable", &headers, "busy")));
        assert_eq!(last(&agent).outcome, Outcome::Answered(503));
    }
    wire.send(&post(&[], &three_spans())).await;
    assert_eq!(wire.reply().await.unwrap(), Some(ok()));
    assert_eq!((agent.totals().requests, agent.totals().spans), (3, 3));
}

#[tokio::test]
async fn other_paths_use_no_script_up() {
    let agent = builder().play(1, unavailable()).start().await.unwrap();
    exchange(&agent, &request("GET / HTTP/1.1", &[], b"")).await;
    let answer = exchange(&agent, &post(&[], &three_spans())).await.unwrap();
    assert_eq!(answer.status, "HTTP/1.1 503 Service Unavailable");
}

#[tokio::test]
async fn disabled_integration_answers_before_it_has_the_body() {
    let agent = builder().play_always(Script::Disabled).start().await.unwrap();
    let request = post(&[], &[0; 1000]);
    assert_eq!(exchange(&agent, &request[..request.len() - 1000]).await, Some(ok()));
    assert_eq!((last(&agent).wire_bytes, last(&agent).content_length), (0, Some(1000)));
}

#[tokio::test]
async fn disabled_integration_takes_garbage() {
    let agent = builder().play_always(Script::Disabled).start().await.unwrap();
    for body in [&b"garbage"[..], b"{}", &abort::poison(6)] {
        assert_eq!(exchange(&agent, &post(&[], body)).await, Some(ok()));
    }
    assert_eq!(agent.totals().spans, 0);
}

#[tokio::test]
async fn a_connection_can_be_closed_without_an_answer() {
    let agent = start().await;
    agent.play(1, Script::Close);
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, None);
    assert_eq!(closed_because(&agent), "the script says so");
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
}

#[tokio::test]
async fn the_answer_to_an_import_can_differ() {
    let agent = start().await;
    let typed = Answer::new(200).unwrap().header("content-type", "application/x-protobuf").unwrap();
    agent.play_always(Script::ImportThen(typed.body(*b"\x0a\x00")));
    let answer = exchange(&agent, &post(&[], &three_spans())).await.unwrap();
    assert_eq!(answer.headers, ["content-type: application/x-protobuf", "content-length: 2", "date"]);
    assert_eq!(last(&agent).spans().count(), 3);
    assert_eq!(exchange(&agent, &post(&[], b"garbage")).await, None);
}

#[tokio::test]
async fn an_answer_can_wait_to_be_let_through() {
    let (first, second) = (Latch::default(), Latch::default());
    let agent = builder().play(1, Script::Import.behind(&second).behind(&first)).start().await.unwrap();
    let mut wire = Wire::to(&agent).await;
    wire.send(&post(&[], &three_spans())).await;
    has_come_to(&first).await;
    second.open();
    // Another request overtakes it.
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
    assert_eq!(agent.totals().spans, 3);
    first.open();
    assert_eq!(wire.reply().await.unwrap(), Some(ok()));
    assert_eq!(agent.totals().spans, 6);
}

#[tokio::test]
async fn an_answer_can_come_late() {
    let agent = start().await;
    let (short, long) = (Duration::from_millis(20), Duration::from_millis(60));
    agent.play_always(Script::Import.after(short).after(long));
    let start = Instant::now();
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
    assert!(start.elapsed() >= short + long);
}

#[tokio::test]
async fn shutdown_lets_a_late_answer_out() {
    let latch = Latch::default();
    let agent = builder().play(1, Script::Import.behind(&latch)).start().await.unwrap();
    let mut wire = Wire::to(&agent).await;
    wire.send(&post(&[], &three_spans())).await;
    has_come_to(&latch).await;
    tokio::join!(agent.shutdown(), async { latch.open() });
    let answer = wire.reply().await.unwrap().unwrap();
    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    assert!(wire.is_closed().await);
}

#[test]
fn what_http_does_not_have_cannot_be_scripted() {
    assert!(matches!(Answer::new(99), Err(Error::Status(99))));
    let answer = Answer::new(200).unwrap();
    assert!(matches!(answer.clone().header("a b", "c"), Err(Error::Header { .. })));
    assert!(matches!(answer.header("a", "b\nc"), Err(Error::Header { .. })));
}

async fn has_come_to(latch: &Latch) {
    while latch.waiting() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_can_be_closed_in_the_midst_of_a_body() {
    let agent = start().await;
    agent.play(1, Script::CloseInBody);
    let request = post(&[], &three_spans());
    assert_eq!(exchange(&agent, &request[..request.len() - 10]).await, None);
    assert_eq!(closed_because(&agent), "the script says so");
    assert_eq!(agent.totals().spans, 0);
}

#[tokio::test]
async fn a_connection_can_be_closed_when_its_request_is_imported() {
    let agent = start().await;
    agent.play(1, Script::ImportThenClose);
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, None);
    assert_eq!(closed_because(&agent), "the script says so");
    assert_eq!(agent.totals().spans, 3);
}

#[tokio::test]
async fn a_record_says_when_its_request_came_and_when_it_was_dealt_with() {
    let agent = start().await;
    agent.play(1, Script::Import.after(Duration::from_millis(20)));
    exchange(&agent, &post(&[], &three_spans())).await;
    let record = last(&agent);
    assert!(record.began_unix_nano > 1_700_000_000_000_000_000, "{record:?}");
    assert!(record.ended_unix_nano - record.began_unix_nano >= 20_000_000, "{record:?}");
}
