//! Spans, read out of ResourceSpans that were walked.

use super::limits::Limits;
use super::texts::Texts;
use crate::interface::{ExaminedAttribute, ExaminedSpan};
use crate::resource::read::read_attribute;
use crate::wire::{self, FIXED64, Fields, LENGTH, VARINT};

/// The spans of a request, as far as there is room for them.
pub(super) fn read_spans(
    request: &[u8],
    texts: Texts,
    payloads: bool,
    limits: &mut Limits,
) -> Vec<ExaminedSpan> {
    let mut told = Vec::new();
    for resource_spans in messages(request, 1) {
        for scope_spans in messages(resource_spans, 2) {
            for span in messages(scope_spans, 2) {
                if !limits.has_spans() {
                    return told;
                }
                let span = read_span(span, texts, payloads);
                if !limits.take_span(&span) {
                    return told;
                }
                told.push(span);
            }
        }
    }
    told
}

/// Reads a span. Of a field that comes twice the last one counts.
fn read_span(span: &[u8], texts: Texts, payloads: bool) -> ExaminedSpan {
    let mut told = ExaminedSpan::default();
    for (number, wire, after) in Fields::of(span) {
        match (number, wire) {
            (1, LENGTH) => told.trace_id = id(after),
            (2, LENGTH) => told.span_id = id(after),
            (4, LENGTH) => told.parent_span_id = id(after),
            (5, LENGTH) => told.name = texts.cut_bytes(content(after)),
            (6, VARINT) => told.kind = number_of(after),
            (7, FIXED64) => told.start = fixed(after),
            (8, FIXED64) => told.end = fixed(after),
            (9, LENGTH) if payloads && told.attributes.len() < MAX_ATTRIBUTES => {
                // One that is broken has deepflow-agent refuse the batch; the diagnosis finds it then.
                if let Ok((key, value)) = read_attribute(content(after)) {
                    let (key, value) = (texts.cut(key), texts.value(&value));
                    told.attributes.push(ExaminedAttribute { key, value });
                }
            }
            (15, LENGTH) => read_status(content(after), texts, payloads, &mut told),
            _ => (),
        }
    }
    told
}

fn read_status(status: &[u8], texts: Texts, payloads: bool, told: &mut ExaminedSpan) {
    for (number, wire, after) in Fields::of(status) {
        match (number, wire) {
            (2, LENGTH) if payloads => told.status_message = texts.cut_bytes(content(after)),
            (3, VARINT) => told.error = number_of(after) == ERROR,
            _ => (),
        }
    }
}

/// The messages in the field `field` of a message.
fn messages(message: &[u8], field: u32) -> impl Iterator<Item = &[u8]> {
    let found = Fields::of(message).filter(move |(number, wire, _)| (*number, *wire) == (field, LENGTH));
    found.map(|(_, _, after)| content(after))
}

/// The content of a length-delimited field that was stepped over before, so that it is whole.
fn content(after: &[u8]) -> &[u8] {
    wire::length_delimited(after).map_or(&[], |(content, _)| content)
}

fn id(after: &[u8]) -> Vec<u8> {
    let id = content(after);
    id.get(..MAX_ID).unwrap_or(id).to_vec()
}

/// The number of an enum, which has 32 bits.
fn number_of(after: &[u8]) -> u32 {
    wire::varint(after).map_or(0, |(number, _)| number as u32)
}

fn fixed(after: &[u8]) -> u64 {
    after.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;

/// Attributes of a span: the limit that SDKs have unless it is configured.
const MAX_ATTRIBUTES: usize = 128;

/// Bytes of an id: twice what the longest one may have.
const MAX_ID: usize = 32;
