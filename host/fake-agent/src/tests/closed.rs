//! What is answered with a closed connection, or by hyper itself.

use super::*;

async fn closes(agent: &Agent, headers: &[&str], body: &[u8]) {
    assert_eq!(exchange(agent, &post(headers, body)).await, None, "{headers:?}");
    assert_ne!(closed_because(agent), "");
    assert_eq!(last(agent).resources, []);
}

#[tokio::test]
async fn json_closes_the_connection() {
    let agent = start().await;
    for body in ["{}", r#"{"resourceSpans":[]}"#] {
        closes(&agent, &["content-type: application/json"], body.as_bytes()).await;
    }
}

#[tokio::test]
async fn what_is_no_traces_data_closes_the_connection() {
    let agent = start().await;
    let whole = three_spans();
    closes(&agent, &[], b"garbage").await;
    closes(&agent, &[], &whole[..whole.len() - 1]).await;
    // Right in its framing, wrong in the wire type of `resource_spans`.
    closes(&agent, &[], &[0x08, 0x01]).await;
}

#[tokio::test]
async fn a_string_that_is_no_utf_8_closes_the_connection() {
    let agent = start().await;
    let mut body = three_spans();
    let name = body.windows(4).position(|bytes| bytes == b"cart").unwrap();
    body[name] = 0xff;
    closes(&agent, &[], &body).await;
}

#[tokio::test]
async fn attributes_of_a_scope_are_looked_into() {
    let agent = start().await;
    let mut resource = resource(&[], 1);
    let scope = InstrumentationScope { attributes: vec![attribute("lib", "value")], ..Default::default() };
    resource.scope_spans[0].scope = Some(scope);
    let mut body = body([resource]);
    assert_eq!(exchange(&agent, &post(&[], &body)).await, Some(ok()));
    let value = body.windows(5).position(|bytes| bytes == b"value").unwrap();
    body[value] = 0xff;
    closes(&agent, &[], &body).await;
}

#[tokio::test]
async fn compression_other_than_gzip_closes_the_connection() {
    let agent = start().await;
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58][..], &three_spans()].concat();
    closes(&agent, &["content-encoding: GZIP"], &gzip(&three_spans())).await;
    closes(&agent, &["content-encoding: gzip, gzip"], &gzip(&gzip(&three_spans()))).await;
    closes(&agent, &["content-encoding: deflate"], &zlib(&three_spans())).await;
    closes(&agent, &["content-encoding: zstd"], &zstd).await;
    closes(&agent, &[], &gzip(&three_spans())).await;
}

#[tokio::test]
async fn a_body_that_is_not_the_gzip_it_says_closes_the_connection() {
    let agent = start().await;
    let whole = gzip(&three_spans());
    closes(&agent, &["content-encoding: gzip"], &three_spans()).await;
    closes(&agent, &["content-encoding: gzip"], &whole[..whole.len() - 1]).await;
    closes(&agent, &["content-encoding: gzip"], b"").await;
}

#[tokio::test]
async fn a_gzip_bomb_is_inflated_whole_before_it_is_judged() {
    let agent = start().await;
    closes(&agent, &["content-encoding: gzip"], &gzip(&vec![0; 20_000_000])).await;
    assert_eq!(last(&agent).decoded_bytes, 20_000_000);
}

#[tokio::test]
async fn a_body_that_ends_early_is_answered_with_500() {
    let agent = start().await;
    let request = post(&[], &three_spans());
    let mut wire = Wire::to(&agent).await;
    wire.send(&request[..request.len() - 1]).await;
    wire.end().await;
    let answer = wire.reply().await.unwrap().unwrap();
    assert_eq!(answer.status, "HTTP/1.1 500 Internal Server Error");
    let text = "error reading a body from connection: end of file before message length reached";
    assert_eq!(answer.body, text);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn broken_chunks_are_answered_with_500() {
    let agent = start().await;
    let line = format!("POST {TRACE_PATH} HTTP/1.1");
    let mut wire = Wire::to(&agent).await;
    wire.send(&request(&line, &["transfer-encoding: chunked"], b"zz\r\n")).await;
    let answer = wire.reply().await.unwrap().unwrap();
    assert_eq!(answer.status, "HTTP/1.1 500 Internal Server Error");
    assert!(answer.body.starts_with("error reading a body from connection: "), "{answer:?}");
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn what_is_no_http_is_answered_with_400() {
    let agent = start().await;
    let mut wire = Wire::to(&agent).await;
    wire.send(b"nonsense\r\n\r\n").await;
    let answer = wire.reply().await.unwrap().unwrap();
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("HTTP/1.1 400 Bad Request", ""));
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn an_agent_that_is_stopped_refuses_connections() {
    let agent = start().await;
    let address = agent.address();
    let mut idle = Wire::to(&agent).await;
    idle.send(&post(&[], &three_spans())).await;
    assert_eq!(idle.reply().await.unwrap(), Some(ok()));
    agent.shutdown().await;
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(idle.is_closed().await);
}

#[tokio::test]
async fn dropping_an_agent_closes_what_is_open() {
    let agent = start().await;
    let mut wire = Wire::to(&agent).await;
    wire.send(&post(&[], &three_spans())).await;
    assert_eq!(wire.reply().await.unwrap(), Some(ok()));
    drop(agent);
    assert!(wire.is_closed().await);
}
