//! `google.rpc.Status`, as it comes in protobuf, in JSON and in gRPC's trailers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;

use super::http::Response;

/// Without what OTLP does not use.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Status {
    /// The body of a failure, in the encoding that its content type says.
    pub fn of(response: &Response) -> Self {
        match response.header("content-type") {
            Some("application/x-protobuf") => Self::decode(&*response.body).unwrap(),
            Some("application/json") => json(&response.body),
            other => panic!("{other:?} is no encoding of OTLP: {response:?}"),
        }
    }

    /// The status in the value of `grpc-status-details-bin`.
    pub fn unpadded(base64: &str) -> Self {
        Self::decode(&*STANDARD_NO_PAD.decode(base64).unwrap()).unwrap()
    }

    /// `google.rpc.BadRequest`: each field and what is wrong with it.
    pub fn violations(&self) -> Vec<(String, String)> {
        let found: Option<BadRequest> = self.detail("google.rpc.BadRequest");
        let violations = found.map(|found| found.field_violations).unwrap_or_default();
        violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
    }

    /// `google.rpc.RetryInfo`: seconds.
    pub fn retry_delay(&self) -> Option<f64> {
        let found: RetryInfo = self.detail("google.rpc.RetryInfo")?;
        found.retry_delay.map(|delay| delay.seconds as f64 + f64::from(delay.nanos) / 1e9)
    }

    fn detail<M: Message + Default>(&self, name: &str) -> Option<M> {
        let detail = self.details.iter().find(|detail| detail.type_url.ends_with(&format!("/{name}")))?;
        Some(M::decode(&*detail.value).unwrap())
    }
}

/// By protobuf's JSON mapping, of which an `Any` is the odd part.
fn json(body: &[u8]) -> Status {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap();
    let object = value.as_object().unwrap();
    let known = ["code", "message", "details"];
    assert!(object.keys().all(|key| known.contains(&key.as_str())), "{value}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let details = value["details"].as_array().into_iter().flatten().map(|detail| {
        let type_url = text(&detail["@type"]);
        let value = if type_url.ends_with("/google.rpc.BadRequest") {
            let violations = detail["fieldViolations"].as_array().unwrap().iter();
            let field_violations = violations.map(|violation| FieldViolation {
                field: text(&violation["field"]),
                description: text(&violation["description"]),
            });
            BadRequest { field_violations: field_violations.collect() }.encode_to_vec()
        } else {
            let seconds: f64 = text(&detail["retryDelay"]).strip_suffix('s').unwrap().parse().unwrap();
            let nanos = (seconds.fract() * 1e9).round() as i32;
            RetryInfo { retry_delay: Some(Delay { seconds: seconds as i64, nanos }) }.encode_to_vec()
        };
        Any { type_url, value }
    });
    Status {
        code: value["code"].as_i64().unwrap().try_into().unwrap(),
        message: text(&value["message"]),
        details: details.collect(),
    }
}
