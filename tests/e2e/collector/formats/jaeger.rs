//! What Jaeger's clients send: thrift, compact over UDP and binary over HTTP, and protobuf over gRPC.
//!
//! <https://github.com/jaegertracing/jaeger-idl>

mod thrift;

use std::net::{SocketAddr, UdpSocket};

use podstamp_test_support::blocking::grpc::{Grpc, framed};
use podstamp_test_support::blocking::http::Client;
use prost::Message as _;

use thrift::Value;

/// A span of this service and pod, as an agent's client sends it over UDP.
pub(super) fn send_compact(to: SocketAddr, service: &str, pod: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&thrift::call("emitBatch", &batch(service, pod)), to).unwrap();
}

/// The same in one POST. Returns the status of the answer.
pub(super) fn post_binary(to: SocketAddr, service: &str, pod: &str) -> u16 {
    let headers = [("content-type", "application/vnd.apache.thrift.binary")];
    Client::connect(to).send("POST", "/api/traces", &headers, &thrift::binary(&batch(service, pod))).status
}

/// The same in one call. Returns gRPC's status.
pub(super) fn call(to: SocketAddr, service: &str, pod: &str) -> i32 {
    let tag = Tag { key: "hostname".to_owned(), text: pod.to_owned() };
    let process = Process { service_name: service.to_owned(), tags: vec![tag] };
    let span = Span { trace_id: vec![7; 16], span_id: vec![9; 8], operation_name: "work".to_owned() };
    let request = PostSpans { batch: Some(Batch { spans: vec![span], process: Some(process) }) };
    let frame = framed(&request.encode_to_vec());
    Grpc::connect(to).call_path("/jaeger.api_v2.CollectorService/PostSpans", frame).code()
}

/// `jaeger.thrift`'s Batch.
fn batch(service: &str, pod: &str) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let tag = Value::Struct(vec![(1, text("hostname")), (2, Value::I32(0)), (3, text(pod))]);
    let process = Value::Struct(vec![(1, text(service)), (2, Value::List(vec![tag]))]);
    let span = Value::Struct(vec![
        (1, Value::I64(7)),
        (2, Value::I64(7)),
        (3, Value::I64(9)),
        (4, Value::I64(0)),
        (5, text("work")),
        (7, Value::I32(1)),
        (8, Value::I64(1_700_000_000_000_000)),
        (9, Value::I64(20_000)),
    ]);
    Value::Struct(vec![(1, process), (2, Value::List(vec![span]))])
}

#[derive(Clone, PartialEq, prost::Message)]
struct PostSpans {
    #[prost(message, optional, tag = "1")]
    batch: Option<Batch>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Batch {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<Span>,
    #[prost(message, optional, tag = "2")]
    process: Option<Process>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Process {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(message, repeated, tag = "2")]
    tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Tag {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "3")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes, tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes, tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    operation_name: String,
}
