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
use podstamp_agent::{Answer, Script};
use prost::Message;

use crate::http::{Client, JSON, PROTOBUF, Response};
use crate::spans;

/// What a client of OTLP/HTTP speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    const BOTH: [Self; 2] = [Self::Protobuf, Self::Json];

    fn header(self) -> (&'static str, &'static str) {
        match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        }
    }

    /// A request with one span.
    fn batch(self) -> Vec<u8> {
        match self {
            Self::Protobuf => spans::export(&[("shop", "web-1")]),
            Self::Json => spans::export_json(&[("shop", "web-1")]),
        }
    }

    /// One that cannot be decoded.
    fn broken(self) -> Vec<u8> {
        match self {
            Self::Protobuf => {
                let mut body = spans::export(&[("MARK", "web-1")]);
                let at = body.windows(4).position(|window| window == b"MARK").unwrap();
                body[at] = 0xff;
                body
            }
            Self::Json => br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": true}]}]}]}"#.to_vec(),
        }
    }

    fn send(self, client: &mut Client, body: &[u8]) -> Response {
        client.send("POST", "/v1/traces", &[self.header()], body)
    }

    /// What a success says.
    fn success(self, response: &Response) -> ExportTraceServiceResponse {
        assert_eq!(response.status, 200, "{}", response.message());
        assert_eq!(response.header("content-type"), Some(self.header().1));
        match self {
            Self::Protobuf => ExportTraceServiceResponse::decode(&*response.body).unwrap(),
            Self::Json => {
                let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
                let partial_success = value.get("partialSuccess").map(|partial| {
                    // A 64-bit number is a string in JSON.
                    let rejected = partial["rejectedSpans"].as_str().unwrap();
                    let error_message = partial["errorMessage"].as_str().unwrap().to_owned();
                    ExportTracePartialSuccess { rejected_spans: rejected.parse().unwrap(), error_message }
                });
                assert!(value.as_object().unwrap().len() <= 1, "{value}");
                ExportTraceServiceResponse { partial_success }
            }
        }
    }
}

/// Import, and tell of spans that were not.
fn partly(rejected_spans: i64, error_message: &str) -> Script {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.to_owned() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let answer = Answer::new(200).unwrap().header("content-type", "application/x-protobuf").unwrap();
    Script::ImportThen(answer.body(body))
}

/// An answer with this status and no body.
fn status(status: u16) -> Script {
    Script::Answer(Answer::new(status).unwrap())
}

/// The same that says when to come again.
fn throttled(status: u16, retry_after: &str) -> Script {
    Script::Answer(Answer::new(status).unwrap().header("retry-after", retry_after).unwrap())
}
