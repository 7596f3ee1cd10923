//! OTLP's demands on servers and clients (opentelemetry-proto, docs/specification.md), one test each.
//!
//! `s`: a server of OTLP/HTTP, `c`: a client of OTLP/HTTP, `g`: OTLP/gRPC, `j`: the JSON encoding.

mod client;
mod grpc;
mod http;
mod json;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use podstamp_fake_agent::{Answer, Script};
use prost::Message;

/// Import, and tell of spans that were not.
pub(crate) fn partly(rejected_spans: i64, error_message: &str) -> Script {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.to_owned() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let answer = Answer::new(200).unwrap().header("content-type", "application/x-protobuf").unwrap();
    Script::ImportThen(answer.body(body))
}

/// An answer with this status and no body.
pub(crate) fn status(status: u16) -> Script {
    Script::Answer(Answer::new(status).unwrap())
}

/// A failure that says when to come again.
pub(crate) fn throttled(status: u16, retry_after: &str) -> Script {
    Script::Answer(Answer::new(status).unwrap().header("retry-after", retry_after).unwrap())
}
