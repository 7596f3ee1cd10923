//! What is answered with 404.

use super::*;

#[tokio::test]
async fn every_other_path_is_not_found() {
    let agent = start().await;
    for path in [
        "/v1/traces",
        "/api/v1/otel/trace/",
        "/api/v1/otel/trace/v1/traces",
        "/api/v1/otel/traces",
        "/API/v1/otel/trace",
        "/api/v1/otel/%74race",
        "/",
    ] {
        let length = format!("content-length: {}", three_spans().len());
        let request = request(&format!("POST {path} HTTP/1.1"), &[&length], &three_spans());
        assert_eq!(exchange(&agent, &request).await, Some(not_found()), "{path}");
    }
    assert_eq!(agent.totals().spans, 0);
}

#[tokio::test]
async fn every_other_method_is_not_found_rather_than_not_allowed() {
    let agent = start().await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = request(&format!("{method} {TRACE_PATH} HTTP/1.1"), &[], b"");
        assert_eq!(exchange(&agent, &request).await, Some(not_found()), "{method}");
    }
}

#[tokio::test]
async fn head_is_not_found_and_has_no_body() {
    let agent = start().await;
    for path in [TRACE_PATH, "/"] {
        let mut wire = Wire::to(&agent).await;
        wire.send(&request(&format!("HEAD {path} HTTP/1.1"), &["connection: close"], b"")).await;
        let mut answer = String::new();
        wire.0.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_small_body_for_a_wrong_path_leaves_the_connection_open() {
    let agent = start().await;
    let mut wire = Wire::to(&agent).await;
    wire.send(&request("POST /v1/traces HTTP/1.1", &["content-length: 3"], b"abc")).await;
    assert_eq!(wire.reply().await.unwrap(), Some(not_found()));
    wire.send(&post(&[], &three_spans())).await;
    assert_eq!(wire.reply().await.unwrap(), Some(ok()));
}
