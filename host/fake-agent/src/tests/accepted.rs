//! What is answered with 200.

use super::*;

async fn accepts(agent: &Agent, request: &[u8], spans: usize) {
    assert_eq!(exchange(agent, request).await, Some(ok()));
    assert_eq!(last(agent).spans().count(), spans);
}

#[tokio::test]
async fn protobuf_is_accepted_whatever_the_content_type() {
    let agent = start().await;
    for headers in [&["content-type: application/x-protobuf"][..], &["content-type: application/json"], &[]] {
        accepts(&agent, &post(headers, &three_spans()), 3).await;
    }
}

#[tokio::test]
async fn the_answer_has_two_headers_and_keeps_the_connection() {
    let agent = start().await;
    let mut wire = Wire::to(&agent).await;
    for _ in 0..3 {
        wire.send(&post(&[], &three_spans())).await;
        let answer = wire.reply().await.unwrap().unwrap();
        assert_eq!(answer.headers, ["content-length: 0", "date"]);
        assert_eq!(answer, ok());
    }
}

#[tokio::test]
async fn gzip_is_inflated() {
    let agent = start().await;
    accepts(&agent, &post(&["content-encoding: gzip"], &gzip(&three_spans())), 3).await;
    let record = last(&agent);
    assert_eq!(record.wire_bytes, gzip(&three_spans()).len() as u64);
    assert_eq!(record.decoded_bytes, three_spans().len() as u64);
}

#[tokio::test]
async fn every_other_content_encoding_counts_as_none() {
    let agent = start().await;
    for encoding in ["identity", "GZIP", "x-gzip", "gzip, gzip", "deflate", "zstd", "made-up"] {
        accepts(&agent, &post(&[&format!("content-encoding: {encoding}")], &three_spans()), 3).await;
    }
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    let agent = start().await;
    accepts(&agent, &post(&[], b""), 0).await;
    accepts(&agent, &request(&format!("POST {TRACE_PATH} HTTP/1.1"), &[], b""), 0).await;
    assert_eq!(agent.totals().requests, 2);
}

#[tokio::test]
async fn a_chunked_body_is_accepted() {
    let agent = start().await;
    let body = three_spans();
    let (head, tail) = body.split_at(7);
    let mut chunks = Vec::new();
    for chunk in [head, tail, b""] {
        chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    let line = format!("POST {TRACE_PATH} HTTP/1.1");
    accepts(&agent, &request(&line, &["transfer-encoding: chunked"], &chunks), 3).await;
    assert_eq!(last(&agent).content_length, None);
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it() {
    let agent = start().await;
    let request = post(&["expect: 100-continue"], &three_spans());
    let (head, body) = request.split_at(request.len() - three_spans().len());
    let mut wire = Wire::to(&agent).await;
    wire.send(head).await;
    assert_eq!(wire.reply().await.unwrap().unwrap().status, "HTTP/1.1 100 Continue");
    wire.send(body).await;
    assert_eq!(wire.reply().await.unwrap(), Some(ok()));
}

#[tokio::test]
async fn the_query_does_not_matter() {
    let agent = start().await;
    let length = format!("content-length: {}", three_spans().len());
    let line = format!("POST {TRACE_PATH}?x=1 HTTP/1.1");
    accepts(&agent, &request(&line, &[&length], &three_spans()), 3).await;
    assert_eq!(last(&agent).path, "/api/v1/otel/trace?x=1");
}

#[tokio::test]
async fn of_two_gzip_members_the_second_is_lost() {
    let agent = start().await;
    let members = [gzip(&three_spans()), gzip(&body([resource(&[], 5)]))].concat();
    accepts(&agent, &post(&["content-encoding: gzip"], &members), 3).await;
}

#[tokio::test]
async fn an_upgrade_to_h2c_is_ignored() {
    let agent = start().await;
    let headers = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"];
    accepts(&agent, &post(&headers, &three_spans()), 3).await;
    assert_eq!(last(&agent).version, "HTTP/1.1");
}

#[tokio::test]
async fn http_1_0_is_accepted_and_closed_after_the_answer() {
    let agent = start().await;
    let length = format!("content-length: {}", three_spans().len());
    let mut wire = Wire::to(&agent).await;
    wire.send(&request(&format!("POST {TRACE_PATH} HTTP/1.0"), &[&length], &three_spans())).await;
    let answer = wire.reply().await.unwrap().unwrap();
    assert_eq!(answer, Reply { status: "HTTP/1.0 200 OK".into(), ..ok() });
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn fields_newer_than_the_agent_are_no_fault() {
    let agent = start().await;
    let mut body = three_spans();
    // Field 1000, once `instrumentation_library_spans`, and an unknown field with bytes that are not UTF-8.
    for (tag, bytes) in [(&[0xc2, 0x3e][..], &[0xff; 3][..]), (&[0x7a], &[0xfe; 4])] {
        body.extend_from_slice(tag);
        body.push(bytes.len() as u8);
        body.extend_from_slice(bytes);
    }
    accepts(&agent, &post(&[], &body), 3).await;
}

#[tokio::test]
async fn get_of_the_root_gives_a_document() {
    let agent = start().await;
    let answer = exchange(&agent, &request("GET / HTTP/1.1", &[], b"")).await.unwrap();
    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    assert!(answer.headers.contains(&"content-type: application/pdf".to_owned()));
    assert!(answer.body.starts_with("%PDF-"));
}

#[tokio::test]
async fn a_head_of_500_kb_is_taken() {
    let agent = start().await;
    let headers: Vec<_> = (0..50).map(|index| format!("x-{index}: {}", "a".repeat(10_000))).collect();
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    accepts(&agent, &post(&headers, &three_spans()), 3).await;
}

#[tokio::test]
async fn the_other_endpoints_take_whatever_comes() {
    let agent = start().await;
    for path in [
        "/api/v1/prometheus",
        "/api/v1/telegraf",
        "/api/v1/profile/ingest?name=x",
        "/api/v1/log",
        "/v0.4/traces",
    ] {
        let post = request(&format!("POST {path} HTTP/1.1"), &["content-length: 7"], b"garbage");
        accepts(&agent, &post, 0).await;
        assert_eq!(last(&agent).decoded_bytes, 7);
        let get = request(&format!("GET {path} HTTP/1.1"), &[], b"");
        assert_eq!(exchange(&agent, &get).await, Some(not_found()), "{path}");
    }
    let headers = ["content-length: 7", "content-encoding: gzip"];
    assert_eq!(
        exchange(&agent, &request("POST /api/v1/telegraf HTTP/1.1", &headers, b"garbage")).await,
        None
    );
}
