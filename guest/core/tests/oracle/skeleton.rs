//! A request taken apart, with prost's own primitives, just far enough to compare the fields that the filter must not touch.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A field as it stands in its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawField {
    pub(crate) number: u32,
    /// Tag, length and content.
    pub(crate) whole: Vec<u8>,
    /// The bytes behind tag and length, or behind the tag of a field without a length.
    pub(crate) content: Vec<u8>,
    /// Where the content begins in `whole`.
    pub(crate) header: usize,
    pub(crate) wire: WireType,
}

/// The fields of a message that prost accepts.
pub(crate) fn fields(message: &[u8]) -> Vec<RawField> {
    let mut rest = message;
    let mut fields = Vec::new();
    while rest.has_remaining() {
        let start = rest;
        let (number, wire) = decode_key(&mut rest).unwrap();
        let mut after = rest;
        if wire == WireType::LengthDelimited {
            decode_varint(&mut after).unwrap();
        }
        let header = start.len() - after.len();
        skip_field(wire, number, &mut rest, DecodeContext::default()).unwrap();
        let whole = start[..start.len() - rest.len()].to_vec();
        let content = whole[header..].to_vec();
        fields.push(RawField { number, whole, content, header, wire });
    }
    fields
}

/// A part of a request that has to stay byte for byte, whatever happens to Resources and, where those are cleared, to kinds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Any field of the request besides ResourceSpans.
    Other(Vec<u8>),
    /// Fields of ResourceSpans besides the Resource.
    Spans(Vec<Vec<u8>>),
}

pub(crate) fn skeleton(body: &[u8], wipe_kinds: bool) -> Vec<Part> {
    let parts = fields(body).into_iter().map(|field| {
        if field.number != 1 {
            return Part::Other(field.whole);
        }
        let inner = fields(&field.content).into_iter().filter(|inner| inner.number != 1);
        Part::Spans(
            inner
                .map(
                    |inner| if inner.number == 2 && wipe_kinds { without_kinds(&inner) } else { inner.whole },
                )
                .collect(),
        )
    });
    parts.collect()
}

/// The pieces in which each Resource came.
pub(crate) fn resource_pieces(body: &[u8]) -> Vec<Vec<RawField>> {
    let spans = fields(body).into_iter().filter(|field| field.number == 1);
    spans
        .map(|field| fields(&field.content).into_iter().filter(|inner| inner.number == 1).collect())
        .collect()
}

/// ScopeSpans with the bytes of each span's kinds overwritten, their number kept.
fn without_kinds(scope_spans: &RawField) -> Vec<u8> {
    let mut out = scope_spans.whole[..scope_spans.header].to_vec();
    for field in fields(&scope_spans.content) {
        if field.number != 2 {
            out.extend(field.whole);
            continue;
        }
        out.extend_from_slice(&field.whole[..field.header]);
        for field in fields(&field.content) {
            out.extend_from_slice(&field.whole[..field.header]);
            if field.number == 6 {
                out.resize(out.len() + field.content.len(), 0xee);
            } else {
                out.extend(field.content);
            }
        }
    }
    out
}
