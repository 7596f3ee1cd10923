//! HTTP/2 with prior knowledge.

use std::error::Error as _;

use agent_hyper::body::HttpBody;
use agent_hyper::client::conn::{Builder as Handshake, SendRequest};
use agent_hyper::{Body, Request, Response, Version};

use super::*;

pub(super) struct Http2(SendRequest<Body>);

impl Http2 {
    pub(super) async fn to(agent: &Agent) -> Self {
        let stream = TcpStream::connect(agent.address()).await.unwrap();
        let (sender, connection) = Handshake::new().http2_only(true).handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn post(&mut self, path: &str, body: Vec<u8>) -> agent_hyper::Result<Response<Body>> {
        let request = Request::post(format!("http://agent{path}"));
        self.0.send_request(request.body(body.into()).unwrap()).await
    }
}

#[tokio::test]
async fn prior_knowledge_is_enough() {
    let agent = start().await;
    let response = Http2::to(&agent).await.post(TRACE_PATH, three_spans()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert!(response.body().is_end_stream());
    let names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["date"]);
    let record = last(&agent);
    assert_eq!((record.version.as_str(), record.spans().count()), ("HTTP/2.0", 3));
}

#[tokio::test]
async fn what_closes_http_1_resets_a_stream_and_leaves_the_connection() {
    let agent = start().await;
    let mut client = Http2::to(&agent).await;
    let error = client.post(TRACE_PATH, b"garbage".to_vec()).await.unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("unexpected internal error"), "{source}");
    assert_eq!(client.post(TRACE_PATH, three_spans()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn grpc_is_not_found() {
    let agent = start().await;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let response = Http2::to(&agent).await.post(path, three_spans()).await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(!response.headers().contains_key("grpc-status"));
    let text = agent_hyper::body::to_bytes(response).await.unwrap();
    assert_eq!(text, "Not Found");
}

#[tokio::test]
async fn a_grpc_frame_on_the_right_path_is_no_traces_data() {
    let agent = start().await;
    let length = u32::try_from(three_spans().len()).unwrap().to_be_bytes();
    let frame = [&[0][..], &length, &three_spans()].concat();
    Http2::to(&agent).await.post(TRACE_PATH, frame).await.unwrap_err();
    assert!(closed_because(&agent).starts_with("cannot decode the body: "));
}

#[tokio::test]
async fn an_abort_ends_the_whole_connection() {
    let agent = start().await;
    let mut client = Http2::to(&agent).await;
    client.post(TRACE_PATH, abort::poison(6)).await.unwrap_err();
    client.post(TRACE_PATH, three_spans()).await.unwrap_err();
    assert_eq!(agent.totals().aborts, 1);
}
