//! OTLP's answers to a client, in its own encoding.

use serde_json::json;

use super::{JSON, PROTOBUF};
use crate::exchange::{Answer, Encoding, Header};
use crate::resource::read::{Content, for_fields};
use crate::wire::{self, BodyFault, put_field, put_varint};

/// The codes of `google.rpc.Code` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Internal = 13,
    Unavailable = 14,
}

/// What an upstream did not take: `ExportTracePartialSuccess`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartialSuccess {
    rejected_spans: i64,
    error_message: String,
}

/// An `ExportTraceServiceResponse`. Its `partial_success` stays unset on full success, as OTLP demands.
pub(super) fn success(encoding: Encoding, partial: Option<PartialSuccess>) -> Answer {
    let body = match encoding {
        Encoding::Protobuf => partial.map(|partial| partial.protobuf()).unwrap_or_default(),
        Encoding::Json => match partial {
            None => b"{}".to_vec(),
            Some(partial) => {
                let PartialSuccess { rejected_spans, error_message } = partial;
                json!({"partialSuccess": {
                    "rejectedSpans": rejected_spans.to_string(),
                    "errorMessage": error_message,
                }})
                .to_string()
                .into_bytes()
            }
        },
    };
    Answer { status: 200, headers: vec![content_type(encoding)], body, notice: None }
}

/// A `google.rpc.Status`; the place of a fault goes along as `google.rpc.BadRequest`.
pub(super) fn failure(
    status: u16,
    encoding: Encoding,
    code: Code,
    message: &str,
    fault: Option<&BodyFault>,
) -> Answer {
    let body = match encoding {
        Encoding::Protobuf => {
            let mut body = vec![0x08];
            put_varint(&mut body, code as u64);
            put_field(&mut body, 2, message.as_bytes());
            if let Some(fault) = fault {
                put_field(&mut body, 3, &bad_request(fault));
            }
            body
        }
        Encoding::Json => {
            let mut body = json!({"code": code as u32, "message": message});
            if let (Some(fault), Some(body)) = (fault, body.as_object_mut()) {
                let violation = json!({"field": fault.path, "description": fault.kind.to_string()});
                body.insert(
                    "details".to_owned(),
                    json!([{"@type": BAD_REQUEST, "fieldViolations": [violation]}]),
                );
            }
            body.to_string().into_bytes()
        }
    };
    Answer { status, headers: vec![content_type(encoding)], body, notice: None }
}

/// What the body of an upstream's 2xx says of losses. An upstream that answers in no encoding of OTLP says nothing.
pub(super) fn partial_success(headers: &[Header], body: &[u8]) -> Option<PartialSuccess> {
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
                (1, Content::Number(number)) => read.rejected_spans = number.cast_signed(),
                (2, Content::Bytes(text)) => read.error_message = String::from_utf8_lossy(text).into_owned(),
                _ => (),
            });
        }
    });
    partial.filter(|partial| *partial != PartialSuccess::default())
}

impl PartialSuccess {
    fn protobuf(&self) -> Vec<u8> {
        let mut partial = Vec::new();
        if self.rejected_spans != 0 {
            partial.push(0x08);
            put_varint(&mut partial, self.rejected_spans.cast_unsigned());
        }
        if !self.error_message.is_empty() {
            put_field(&mut partial, 2, self.error_message.as_bytes());
        }
        let mut body = Vec::with_capacity(partial.len() + 1 + wire::varint_len(partial.len() as u64));
        put_field(&mut body, 1, &partial);
        body
    }
}

/// `google.protobuf.Any` of `BadRequest { field_violations { field, description } }`.
fn bad_request(fault: &BodyFault) -> Vec<u8> {
    let mut violation = Vec::new();
    put_field(&mut violation, 1, fault.path.as_bytes());
    put_field(&mut violation, 2, fault.kind.to_string().as_bytes());
    let mut bad_request = Vec::new();
    put_field(&mut bad_request, 1, &violation);
    let mut any = Vec::new();
    put_field(&mut any, 1, BAD_REQUEST.as_bytes());
    put_field(&mut any, 2, &bad_request);
    any
}

fn content_type(encoding: Encoding) -> Header {
    Header::new(
        "content-type",
        match encoding {
            Encoding::Protobuf => PROTOBUF,
            Encoding::Json => JSON,
        },
    )
}

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
