//! The walk through a span's own fields: where the time goes.

use super::{Checks, Field, Met, skip, tag};
use crate::guard::peers::{KEY_BEGIN, KEY_LENGTHS, Peer};
use crate::message::Message;
use crate::wire::{self, Bound, Broken, FIXED64, FaultKind, LENGTH, MAX_DEPTH, MAX_EDITS, VARINT};

/// Walks a span, and notes what rules are about.
///
/// Fields as encoders write them are stepped over by adding up, and whether the last of them ran past the end is asked once.
/// All other ways to write a field take [`walk_field`].
#[inline]
pub(super) fn walk_span<'a>(span: &'a [u8], checks: &Checks, met: &mut Met<'a>) -> Result<(), Broken> {
    let mut times = Stand { start: span.len(), end: span.len() };
    // How nearly all spans begin: trace_id and span_id.
    let (mut last, mut at) = match span {
        [0x0a, 16, rest @ ..] if chunk(rest, 16) == Some(&[0x12, 8]) => (18, 28),
        _ => (0, 0),
    };
    while let Some(tag_byte) = span.get(at) {
        last = at;
        // Of all fields most are attributes.
        if *tag_byte == ATTRIBUTE
            && let Some(length) = span.get(at + 1)
            && *length < 0x80
        {
            let length = usize::from(*length);
            if checks.peer_family && may_be_peer(span, at + 2, length) {
                met.attribute(span, at + 2, length);
            }
            at += 2 + length;
            continue;
        }
        let step = match (SHORT_FIELDS.get(usize::from(*tag_byte)), span.get(at + 1)) {
            (Some(&LENGTH_FIELD), Some(length)) if *length < 0x80 => 2 + usize::from(*length),
            (Some(&LENGTH_FIELD), Some(low)) => match span.get(at + 2) {
                Some(high) if *high < 0x80 => {
                    let length = usize::from(*low & 0x7f) | usize::from(*high) << 7;
                    if *tag_byte == ATTRIBUTE && checks.peer_family && may_be_long_peer(span, at + 3, length)
                    {
                        met.attribute(span, at + 3, length);
                    }
                    3 + length
                }
                _ => SLOW,
            },
            (Some(&START), _) => {
                times.start = at + 1;
                // The end stands right behind.
                if span.get(at + 9) == Some(&END_TAG) {
                    last = at + 9;
                    times.end = at + 10;
                    18
                } else {
                    9
                }
            }
            (Some(&END), _) => {
                times.end = at + 1;
                9
            }
            (Some(&KIND), Some(0..=5)) => 2,
            (Some(&FLAGS), Some(0x01)) => 6,
            _ => SLOW,
        };
        if step == SLOW {
            let start = span.get(at..).unwrap_or_default();
            at = span.len() - walk_field(span, start, checks, &mut times, met)?.len();
        } else {
            at += step;
        }
    }
    if at > span.len() {
        return Err(Broken::at(span.get(last..).unwrap_or_default(), FaultKind::Truncated));
    }
    let (start, end) = (chunk(span, times.start), chunk(span, times.end));
    let value = |time: Option<&[u8; 8]>| time.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if checks.times.are_odd(value(start), value(end)) {
        met.times.note(&checks.times, start, end);
    }
    Ok(())
}

/// Where a span's times stand, the last ones given. At its end: nowhere, which is 0.
struct Stand {
    start: usize,
    end: usize,
}

/// No field is that short.
const SLOW: usize = 0;

/// What a tag's first byte announces in a span, for the fields that can be stepped over.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is an error")]
static SHORT_FIELDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut number = 1;
    while number < 16 {
        if let Some((_, kind)) = Message::Span.field(number) {
            let tag = (number << 3) as usize | kind.wire() as usize;
            if kind.wire() == LENGTH {
                table[tag] = LENGTH_FIELD;
            }
        }
        number += 1;
    }
    table[6 << 3 | VARINT as usize] = KIND;
    table[7 << 3 | FIXED64 as usize] = START;
    table[END_TAG as usize] = END;
    table[0x85] = FLAGS;
    table
};
const LENGTH_FIELD: u8 = 1;
/// The tag of an attribute, and of the end.
const ATTRIBUTE: u8 = 9 << 3 | LENGTH;
const END_TAG: u8 = 8 << 3 | FIXED64;
/// Times: 64 bits.
const START: u8 = 2;
const END: u8 = 6;
const KIND: u8 = 3;
/// Field 16, 32 bits: the one known field whose tag takes two bytes, 0x85 and 0x01.
const FLAGS: u8 = 4;

/// Whether an attribute may be a peer's address. Of those in the form that encoders write, a key and then a value, few may; any
/// other form takes a closer look, since its key may stand anywhere.
#[inline(always)]
fn may_be_peer(span: &[u8], at: usize, length: usize) -> bool {
    let Some([0x0a, key, first, second]) = chunk(span, at) else { return true };
    let Some([0x12, value]) = chunk(span, at + 2 + usize::from(*key)) else { return true };
    let is_plain = *key < 0x80 && usize::from(*key) + usize::from(*value) + 4 == length;
    !is_plain || KEY_LENGTHS.contains(key) && [*first, *second] == KEY_BEGIN
}

/// The same where its length takes two bytes, and so mostly its value's.
#[inline(always)]
fn may_be_long_peer(span: &[u8], at: usize, length: usize) -> bool {
    let Some([0x0a, key, first, second]) = chunk(span, at) else { return true };
    let Some([0x12, low, high]) = chunk(span, at + 2 + usize::from(*key)) else { return true };
    let value = if *low < 0x80 {
        usize::from(*low) + 4
    } else {
        (usize::from(*low & 0x7f) | usize::from(*high) << 7) + 5
    };
    let is_plain = *key < 0x80 && (*low < 0x80 || *high < 0x80) && usize::from(*key) + value == length;
    !is_plain || KEY_LENGTHS.contains(key) && [*first, *second] == KEY_BEGIN
}

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

impl<'a> Met<'a> {
    /// An attribute of `span`, which its length may take past the end.
    #[inline(never)]
    fn attribute(&mut self, span: &'a [u8], at: usize, length: usize) {
        let attribute = span.get(at..).and_then(|rest| rest.get(..length));
        self.peers.extend(attribute.and_then(|attribute| Peer::read(span, attribute)));
    }

    #[inline]
    fn kind(&mut self, kind: u64, after: &'a [u8], tail: &[u8]) {
        // protobuf reads an enum as the low 32 bits of its varint.
        if kind as u32 > 5
            && let Some(bytes) = after.get(..after.len() - tail.len())
        {
            self.kinds.push(bytes);
        }
    }
}

/// Walks one field of a span, however it is written; gives what follows.
fn walk_field<'a>(
    span: &'a [u8],
    start: &'a [u8],
    checks: &Checks,
    times: &mut Stand,
    met: &mut Met<'a>,
) -> Result<&'a [u8], Broken> {
    let (number, wire, after) = tag(start)?;
    match (number, wire) {
        (6, VARINT) => {
            let (kind, tail) = wire::varint(after).map_err(|kind| Broken::at(start, kind))?;
            if checks.clear_kinds {
                met.kind(kind, after, tail);
                if met.kinds.len() > MAX_EDITS {
                    return Err(Broken::at(start, FaultKind::TooMany(Bound::Edits)));
                }
            }
            Ok(tail)
        }
        (9, LENGTH) => {
            let field = Field::read(start, number, wire, after)?;
            if checks.peer_family {
                met.peers.extend(Peer::read(span, field.content));
            }
            Ok(field.rest(start))
        }
        (7 | 8, FIXED64) => {
            let tail = wire::fixed(after, 8).map_err(|kind| Broken::at(start, kind))?;
            let at = span.len() - after.len();
            if number == 7 {
                times.start = at;
            } else {
                times.end = at;
            }
            Ok(tail)
        }
        _ => skip(Message::Span, start, number, wire, after, MAX_DEPTH - 3),
    }
}
