//! Requests that overlap.

use super::*;
use crate::{Latch, Script};

async fn waits_at(latch: &Latch) {
    while latch.waiting() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_request_after_the_other_is_fine_over_any_connections() {
    let agent = builder().strict().start().await.unwrap();
    let mut wire = Wire::to(&agent).await;
    for _ in 0..3 {
        wire.send(&post(&[], &three_spans())).await;
        assert_eq!(wire.reply().await.unwrap(), Some(ok()));
        assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
    }
    assert_eq!(exchange(&agent, &post(&[], b"garbage")).await, None);
    assert_eq!((agent.totals().aborts, agent.totals().spans), (0, 18));
}

#[tokio::test]
async fn a_request_while_another_one_is_not_answered_ends_the_agent() {
    let latch = Latch::default();
    let agent = builder().strict().play(1, Script::Import.behind(&latch)).start().await.unwrap();
    let mut first = Wire::to(&agent).await;
    first.send(&post(&[], &three_spans())).await;
    waits_at(&latch).await;
    let reason = aborts(&agent, &post(&[], &three_spans())).await;
    assert!(reason.starts_with("a request while another one is not answered"), "{reason}");
    // What is for none of its threads to look up may come at any time.
    let document = exchange(&agent, &request("GET / HTTP/1.1", &[], b"")).await.unwrap();
    assert_eq!(document.status, "HTTP/1.1 200 OK");
    latch.open();
    assert_eq!(first.reply().await.unwrap(), Some(ok()));
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
    assert_eq!((agent.totals().aborts, agent.totals().spans), (1, 6));
}

#[tokio::test]
async fn http_2_counts_as_overlap() {
    let agent = builder().strict().start().await.unwrap();
    http2::Http2::to(&agent).await.post(TRACE_PATH, three_spans()).await.unwrap_err();
    assert!(aborted_because(&agent).starts_with("a request over HTTP/2"));
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_the_turn_to_the_next() {
    let latch = Latch::default();
    let agent = builder().strict().play(1, Script::Import.behind(&latch)).start().await.unwrap();
    let mut first = Wire::to(&agent).await;
    first.send(&post(&[], &three_spans())).await;
    waits_at(&latch).await;
    drop(first);
    while latch.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
}
