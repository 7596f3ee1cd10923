//! The encodings of OTLP/HTTP.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use podstamp_test_support::blocking::http::{Client, JSON, PROTOBUF, Response};
use podstamp_test_support::spans;
use prost::Message;

/// An encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub(crate) const BOTH: [Self; 2] = [Self::Protobuf, Self::Json];

    pub(crate) fn header(self) -> (&'static str, &'static str) {
        match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        }
    }

    /// A request with one span.
    pub(crate) fn batch(self) -> Vec<u8> {
        match self {
            Self::Protobuf => spans::export(&[("shop", "web-1")]),
            Self::Json => spans::export_json(&[("shop", "web-1")]),
        }
    }

    /// A body that cannot be decoded.
    pub(crate) fn broken(self) -> Vec<u8> {
        match self {
            Self::Protobuf => spans::with_a_number_for_text(spans::export(&[("MARK", "web-1")]), "MARK"),
            Self::Json => br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": true}]}]}]}"#.to_vec(),
        }
    }

    pub(crate) fn send(self, client: &mut Client, body: &[u8]) -> Response {
        client.send("POST", "/v1/traces", &[self.header()], body)
    }

    /// The body of a success.
    pub(crate) fn success(self, response: &Response) -> ExportTraceServiceResponse {
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
