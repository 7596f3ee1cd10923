//! OTLP's answers to a client, in its own encoding.

use serde_json::json;

use crate::base64;
use crate::fault::BodyFault;
use crate::interface::{Answer, Encoding, Header, Level, Notice, Signal};
use crate::resource::read::{Content, for_fields};
use crate::wire::{self, put_field, put_varint};

/// The codes of `google.rpc.Code` that OTLP's answers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are gRPC's own, by their own names")]
pub enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Why a request is not accepted: a `google.rpc.Status`.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// HTTP status code.
    pub status: u16,
    /// Status code of gRPC.
    pub code: Code,
    /// The reason, for people.
    pub message: &'a str,
    /// The fault in the body, which goes along as `google.rpc.BadRequest`.
    pub fault: Option<&'a BodyFault>,
    /// Milliseconds after which the client may try again: Retry-After, and for gRPC `google.rpc.RetryInfo`, without which
    /// a client gives up on RESOURCE_EXHAUSTED.
    pub retry_after: Option<u32>,
}

impl<'a> Failure<'a> {
    /// A failure without a fault in the body, after which the client is not asked to try again.
    pub fn new(status: u16, code: Code, message: &'a str) -> Self {
        Self { status, code, message, fault: None, retry_after: None }
    }

    /// The answer for a client.
    pub fn answer(&self, encoding: Encoding) -> Answer {
        let mut headers = vec![Header::new("content-type", media_type(encoding))];
        let body = match encoding {
            Encoding::Protobuf => self.protobuf(),
            Encoding::Json => self.json(),
            Encoding::Grpc => {
                headers.push(Header::new("grpc-status", &(self.code as u8).to_string()));
                headers.push(Header::new("grpc-message", &percent_encoded(self.message)));
                if self.fault.is_some() || self.retry_after.is_some() {
                    let details = base64::encode(&self.protobuf());
                    headers.push(Header::new("grpc-status-details-bin", details.trim_end_matches('=')));
                }
                Vec::new()
            }
        };
        if let Some(retry_after) = self.retry_after
            && encoding != Encoding::Grpc
        {
            headers.push(Header::new("retry-after", &retry_after.div_ceil(1000).max(1).to_string()));
        }
        Answer { status: self.status, headers, body, notice: None }
    }

    fn protobuf(&self) -> Vec<u8> {
        let mut body = vec![0x08];
        put_varint(&mut body, self.code as u64);
        put_field(&mut body, 2, self.message.as_bytes());
        if let Some(fault) = self.fault {
            put_field(&mut body, 3, &any(BAD_REQUEST, &bad_request(fault)));
        }
        if let Some(retry_after) = self.retry_after {
            put_field(&mut body, 3, &any(RETRY_INFO, &retry_info(retry_after)));
        }
        body
    }

    fn json(&self) -> Vec<u8> {
        let mut body = json!({"code": self.code as u8, "message": self.message});
        let mut details = Vec::new();
        if let Some(fault) = self.fault {
            let violation = json!({"field": fault.path, "description": fault.kind.to_string()});
            details.push(json!({"@type": BAD_REQUEST, "fieldViolations": [violation]}));
        }
        if let Some(retry_after) = self.retry_after {
            let delay = format!("{}.{:03}s", retry_after / 1000, retry_after % 1000);
            details.push(json!({"@type": RETRY_INFO, "retryDelay": delay}));
        }
        if let (false, Some(body)) = (details.is_empty(), body.as_object_mut()) {
            body.insert("details".to_owned(), details.into());
        }
        body.to_string().into_bytes()
    }
}

/// What an upstream did not take: `ExportTracePartialSuccess`, or the same for another signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartialSuccess {
    /// Number of spans, data points or log records.
    rejected: i64,
    error_message: String,
}

/// An `ExportTraceServiceResponse`, or the same for another signal. Its `partial_success` stays unset on full success, as OTLP
/// demands.
pub(crate) fn success(signal: Signal, encoding: Encoding, partial: Option<PartialSuccess>) -> Answer {
    let mut headers = vec![Header::new("content-type", media_type(encoding))];
    if encoding == Encoding::Grpc {
        headers.push(Header::new("grpc-status", "0"));
    }
    let body = match encoding {
        Encoding::Protobuf | Encoding::Grpc => partial.map(|partial| partial.protobuf()).unwrap_or_default(),
        Encoding::Json => match partial {
            None => b"{}".to_vec(),
            Some(partial) => {
                let PartialSuccess { rejected, error_message } = partial;
                let name = match signal {
                    Signal::Traces => "rejectedSpans",
                    Signal::Metrics => "rejectedDataPoints",
                    Signal::Logs => "rejectedLogRecords",
                };
                json!({"partialSuccess": {name: rejected.to_string(), "errorMessage": error_message}})
                    .to_string()
                    .into_bytes()
            }
        },
    };
    Answer { status: 200, headers, body, notice: None }
}

/// The partial success in the body of an upstream's 2xx response. `None` also where the response is not protobuf, the
/// encoding of every request that podstamp sends.
pub(crate) fn partial_success(headers: &[Header], body: &[u8]) -> Option<PartialSuccess> {
    let protobuf = headers.iter().any(|header| {
        header.name == "content-type" && header.value.to_ascii_lowercase().starts_with(PROTOBUF.as_bytes())
    });
    if !protobuf {
        return None;
    }
    let mut partial = None;
    for_fields(body, |number, content| {
        if let (1, Content::Bytes(bytes)) = (number, content) {
            let read = partial.get_or_insert_with(PartialSuccess::default);
            for_fields(bytes, |number, content| match (number, content) {
                (1, Content::Number(number)) => read.rejected = number.cast_signed(),
                (2, Content::Bytes(text)) => read.error_message = shortened(text),
                _ => (),
            });
        }
    });
    partial.filter(|partial| *partial != PartialSuccess::default())
}

/// An upstream's message, cut at [`MAX_MESSAGE`]: a client need not read more than 4 MiB of a response, and the count of what
/// was rejected must not be lost with a long message.
fn shortened(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..MAX_MESSAGE).unwrap_or(text)).into_owned()
}

impl PartialSuccess {
    /// A warning: a partial success in which nothing is rejected.
    pub(crate) fn warning(error_message: String) -> Self {
        Self { rejected: 0, error_message }
    }

    fn protobuf(&self) -> Vec<u8> {
        let mut partial = Vec::new();
        if self.rejected != 0 {
            partial.push(0x08);
            put_varint(&mut partial, self.rejected.cast_unsigned());
        }
        if !self.error_message.is_empty() {
            put_field(&mut partial, 2, self.error_message.as_bytes());
        }
        let mut body = Vec::with_capacity(partial.len() + 1 + wire::varint_len(partial.len() as u64));
        put_field(&mut body, 1, &partial);
        body
    }
}

/// `google.protobuf.Any`.
fn any(type_url: &str, message: &[u8]) -> Vec<u8> {
    let mut any = Vec::new();
    put_field(&mut any, 1, type_url.as_bytes());
    put_field(&mut any, 2, message);
    any
}

/// `BadRequest { field_violations { field, description } }`.
fn bad_request(fault: &BodyFault) -> Vec<u8> {
    let mut violation = Vec::new();
    put_field(&mut violation, 1, fault.path.as_bytes());
    put_field(&mut violation, 2, fault.kind.to_string().as_bytes());
    let mut bad_request = Vec::new();
    put_field(&mut bad_request, 1, &violation);
    bad_request
}

/// `RetryInfo { retry_delay { seconds, nanos } }`.
fn retry_info(delay: u32) -> Vec<u8> {
    let mut duration = vec![0x08];
    put_varint(&mut duration, u64::from(delay / 1000));
    duration.push(0x10);
    put_varint(&mut duration, u64::from(delay % 1000) * 1_000_000);
    let mut retry_info = Vec::new();
    put_field(&mut retry_info, 1, &duration);
    retry_info
}

/// A message as gRPC encodes it for a header: `%`, and each byte that is not printable ASCII, as `%XX`.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..0x20 | 0x7f.. => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// An answer with a notice for the operator.
pub(crate) fn noted(answer: Answer, level: Level, key: &'static str, message: String) -> Answer {
    Answer { notice: Some(Notice { level, key: key.into(), message }), ..answer }
}

/// The media type of an encoding.
pub fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => JSON,
        Encoding::Grpc => GRPC,
    }
}

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";
const GRPC: &str = "application/grpc";

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Bytes of an upstream's message that are passed on.
const MAX_MESSAGE: usize = 4096;
