//! From the bytes of a request to what the agent would send on.

use std::io::{self, Read};
use std::net::IpAddr;

use agent_flate2::read::GzDecoder;
use agent_hyper::HeaderMap;
use agent_hyper::body::Buf;
use agent_hyper::header::CONTENT_ENCODING;
use prost::Message;

use crate::host_ip::{self, Fallback};
use crate::message::{ResourceSpans, Span, TracesData};
use crate::record::{ResourceRecord, SpanRecord, hex};
use crate::value::Attribute;

/// Why the agent gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Not gzip, whatever the header says.
    #[error("cannot inflate the body: {0}")]
    Inflate(#[from] io::Error),
    /// No protobuf, or not of this shape.
    #[error("cannot decode the body: {0}")]
    Decode(#[from] prost::DecodeError),
    /// `SpanKind::try_from(span.kind).unwrap()` in a process that is built with `panic = "abort"`.
    #[error("span {name:?} (trace {trace_id}, span {span_id}) has kind {kind}, outside 0..=5")]
    Kind {
        /// The value on the wire.
        kind: i32,
        /// Name of the span.
        name: String,
        /// In hexadecimal.
        trace_id: String,
        /// In hexadecimal.
        span_id: String,
    },
    /// A script closes the connection.
    #[error("the script says so")]
    Scripted,
}

/// The body without its encoding.
///
/// Only the exact value `gzip` counts; of several gzip members the first one, and nothing limits its size.
pub(crate) fn decompress(body: impl Buf, headers: &HeaderMap) -> Result<Vec<u8>, Fault> {
    let mut reader = body.reader();
    let mut decoded = Vec::new();
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value == "gzip") {
        GzDecoder::new(reader).read_to_end(&mut decoded)?;
    } else {
        reader.read_to_end(&mut decoded)?;
    }
    Ok(decoded)
}

/// Decodes the body, adds what the agent adds, and trips over what the agent trips over.
pub(crate) fn import(body: &[u8], peer: IpAddr) -> Result<Vec<ResourceRecord>, Fault> {
    let mut fallback = Fallback::new(peer);
    TracesData::decode(body)?
        .resource_spans
        .into_iter()
        .map(|resource_spans| import_resource(resource_spans, &mut fallback))
        .collect()
}

fn import_resource(message: ResourceSpans, fallback: &mut Fallback) -> Result<ResourceRecord, Fault> {
    let has_resource = message.resource.is_some();
    let mut wire_host_ip = None;
    let mut attributes = Vec::new();
    if let Some(mut resource) = message.resource {
        wire_host_ip = host_ip::on_the_wire(&resource);
        fallback.apply(&mut resource);
        attributes = resource.attributes.into_iter().map(Attribute::from).collect();
    }
    let spans = message.scope_spans.into_iter().flat_map(|scope_spans| scope_spans.spans);
    Ok(ResourceRecord {
        server_address: host_ip::server_address(&attributes),
        has_resource,
        attributes,
        wire_host_ip,
        spans: spans.map(import_span).collect::<Result<_, _>>()?,
    })
}

fn import_span(span: Span) -> Result<SpanRecord, Fault> {
    let (trace_id, span_id) = (hex(&span.trace_id), hex(&span.span_id));
    if !KINDS.contains(&span.kind) {
        return Err(Fault::Kind { kind: span.kind, name: span.name, trace_id, span_id });
    }
    Ok(SpanRecord {
        trace_id,
        span_id,
        parent_span_id: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
    })
}

/// The kinds that opentelemetry-proto has: unspecified, internal, server, client, producer, consumer.
const KINDS: std::ops::RangeInclusive<i32> = 0..=5;
