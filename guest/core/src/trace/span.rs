//! The walk through a span's own fields, which takes most of a walk's time.

use super::field::{skip, tag};
use super::met::Met;
use crate::bounds::{Bound, MAX_DEPTH, MAX_EDITS};
use crate::fault::{Broken, FaultKind};
use crate::guard::checks::Checks;
use crate::guard::peers::{self, Peer, is_plainly_harmless};
use crate::message::Message;
use crate::wire::{self, FIXED64, Field, LENGTH, VARINT};

/// Walks a span, and notes the fields that rules may change.
///
/// Fields as encoders write them are stepped over; all other ways to write a field take [`walk_field`].
#[inline(always)]
pub(super) fn walk_span<'a>(span: &'a [u8], checks: &Checks, met: &mut Met<'a>) -> Result<(), Broken> {
    let mut times = Stand { start: None, end: None };
    // Nearly all spans begin with trace_id and span_id.
    let mut rest = match span {
        [0x0a, 16, rest @ ..] if chunk(rest, 16) == Some(&[0x12, 8]) => span.get(28..).unwrap_or(span),
        _ => span,
    };
    loop {
        rest = step_over(rest, checks.peer_family, &mut times);
        if rest.is_empty() {
            break;
        }
        rest = walk_field(span, rest, checks, &mut times, met)?;
    }
    let value = |time: Option<&[u8; 8]>| time.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if checks.times.are_odd(value(times.start), value(times.end)) {
        met.times.note(&checks.times, times.start, times.end);
    }
    Ok(())
}

/// Steps over fields; gives the rest of the span from the first field that needs a closer look, or nothing.
#[inline(never)]
fn step_over<'a>(mut rest: &'a [u8], peers: bool, times: &mut Stand<'a>) -> &'a [u8] {
    while let [tag, low, after @ ..] = rest {
        // Most fields are attributes.
        if *tag == ATTRIBUTE && *low < 0x80 {
            let Some((attribute, tail)) = after.split_at_checked(usize::from(*low)) else { break };
            if peers && needs_look(attribute) && !is_plainly_harmless(attribute) {
                break;
            }
            rest = tail;
            continue;
        }
        if has_length(*tag) {
            let length = usize::from(*low);
            let (length, content) = match after.split_first() {
                _ if length < 0x80 => (length, after),
                Some((high, content)) if *high < 0x80 => (length & 0x7f | usize::from(*high) << 7, content),
                _ => break,
            };
            let Some((content, tail)) = content.split_at_checked(length) else { break };
            if *tag == ATTRIBUTE && peers && needs_look_if_long(content) && !is_plainly_harmless(content) {
                break;
            }
            rest = tail;
            continue;
        }
        match (*tag, *low) {
            (KIND, 0..=5) => rest = after,
            (START, _) => {
                let Some((start, tail)) = rest.get(1..).and_then(<[u8]>::split_first_chunk) else { break };
                times.start = Some(start);
                rest = tail;
                // Mostly the end follows at once.
                if let [END, tail @ ..] = tail
                    && let Some((end, tail)) = tail.split_first_chunk()
                {
                    times.end = Some(end);
                    rest = tail;
                }
            }
            (END, _) => {
                let Some((end, tail)) = rest.get(1..).and_then(<[u8]>::split_first_chunk) else { break };
                times.end = Some(end);
                rest = tail;
            }
            (FLAGS, 0x01) => {
                let Some(tail) = after.get(4..) else { break };
                rest = tail;
            }
            _ => break,
        }
    }
    rest
}

/// The bytes of a span's times; of several the last ones.
struct Stand<'a> {
    start: Option<&'a [u8; 8]>,
    end: Option<&'a [u8; 8]>,
}

/// Whether a tag of one byte is that of a field with a length.
#[inline(always)]
fn has_length(tag: u8) -> bool {
    tag < 0x80 && tag & 7 == LENGTH && WITH_LENGTH >> (tag >> 3) & 1 == 1
}

/// A bit for each field with a length.
const WITH_LENGTH: u16 = {
    let mut bits = 0;
    let mut number = 1;
    while number < 16 {
        if let Some((_, kind)) = Message::Span.field(number)
            && kind.wire() == LENGTH
        {
            bits |= 1 << number;
        }
        number += 1;
    }
    bits
};

/// Tags.
const KIND: u8 = 6 << 3 | VARINT;
const START: u8 = 7 << 3 | FIXED64;
const END: u8 = 8 << 3 | FIXED64;
const ATTRIBUTE: u8 = 9 << 3 | LENGTH;
/// Field 16, 32 bits: the one known field whose tag takes two bytes, 0x85 and 0x01.
const FLAGS: u8 = 0x85;

/// Whether an attribute may be a peer's address, so that it needs a closer look. In the form that encoders write, a key and then
/// a value, few attributes may; in any other form all may, since the key may stand anywhere.
///
/// The walk spends most of its time here. One answer covers both reasons for a closer look, and [`is_plainly_harmless`] is asked
/// only then: in the sandbox each further way out of the loop would cost a jump for every attribute.
#[inline(always)]
fn needs_look(attribute: &[u8]) -> bool {
    let Some(head) = attribute.first_chunk() else { return true };
    let head = u32::from_le_bytes(*head);
    let key = head >> 8 & 0xff;
    let Some(value) = chunk(attribute, 2 + key as usize) else { return true };
    let value = u32::from(u16::from_le_bytes(*value));
    // Plain is the key's tag and length, the key, the value's tag, and a length that goes to the end.
    let plain = (attribute.len() as u32).wrapping_sub(key + 4) << 8 | VALUE;
    let is_plain = (value ^ plain) | (head & 0xff ^ KEY) == 0;
    !is_plain | has_peers_key(head)
}

/// As [`needs_look`], for an attribute whose length takes two bytes, as its value's mostly does too.
#[inline(always)]
fn needs_look_if_long(attribute: &[u8]) -> bool {
    let Some(head) = attribute.first_chunk() else { return true };
    let head = u32::from_le_bytes(*head);
    let key = head >> 8 & 0xff;
    let Some([tag, low, high]) = chunk(attribute, 2 + key as usize) else { return true };
    let value = match (*low, *high) {
        (0..0x80, _) => usize::from(*low) + 4,
        (_, 0..0x80) => (usize::from(*low & 0x7f) | usize::from(*high) << 7) + 5,
        _ => return true,
    };
    let is_plain = head & 0xff == KEY
        && key < 0x80
        && u32::from(*tag) == VALUE
        && key as usize + value == attribute.len();
    !is_plain | has_peers_key(head)
}

/// Whether an attribute that begins with `head` may have the key of a peer's address.
#[inline(always)]
fn has_peers_key(head: u32) -> bool {
    HEADS.iter().fold(false, |found, known| found | (head == *known))
}

/// How attributes with these keys begin: tag, length and two characters.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is an error")]
const HEADS: [u32; peers::KEYS.len()] = {
    let mut heads = [0; peers::KEYS.len()];
    let mut at = 0;
    while at < heads.len() {
        let key = peers::KEYS[at].as_bytes();
        heads[at] = u32::from_le_bytes([KEY as u8, key.len() as u8, key[0], key[1]]);
        at += 1;
    }
    heads
};

/// The tags within an attribute.
const KEY: u32 = 1 << 3 | LENGTH as u32;
const VALUE: u32 = 2 << 3 | LENGTH as u32;

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

impl<'a> Met<'a> {
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

/// Walks one field of a span, however it is written; gives the bytes that follow.
fn walk_field<'a>(
    span: &'a [u8],
    start: &'a [u8],
    checks: &Checks,
    times: &mut Stand<'a>,
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
            *(if number == 7 { &mut times.start } else { &mut times.end }) = after.first_chunk();
            Ok(tail)
        }
        _ => skip(Message::Span, start, number, wire, after, MAX_DEPTH - 3),
    }
}

#[cfg(test)]
mod tests {
    use crate::guard::Rules;
    use crate::trace::walk;
    use crate::wire::{put_field, put_varint};

    /// A field whose length takes `padding` bytes more than it has to.
    fn field(tag: u8, padding: usize, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        put_varint(&mut bytes, content.len() as u64);
        if padding > 0 {
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.extend(std::iter::repeat_n(0x80, padding - 1));
            bytes.push(0);
        }
        [bytes, content.to_vec()].concat()
    }

    #[test]
    fn a_peers_key_is_found_however_its_attribute_is_written() {
        let value = |text: &str| field(0x12, 0, &field(0x0a, 0, text.as_bytes()));
        let plain = |padding, name: &str| field(0x0a, padding, name.as_bytes());
        let long = field(0x7a, 0, &[7; 200]);
        for name in super::peers::KEYS {
            let (key, address) = (plain(0, name), value("2001:db8::7"));
            let forms = [
                [key.clone(), address.clone()].concat(),
                [address.clone(), key.clone()].concat(),
                [plain(0, "http.method"), key.clone(), address.clone()].concat(),
                [plain(0, name).as_slice(), &value("GET"), &key, &address].concat(),
                [plain(0, "a"), address.clone(), key.clone()].concat(),
                [plain(2, name), address.clone()].concat(),
                [key.clone(), field(0x12, 1, &field(0x0a, 3, b"2001:db8::7"))].concat(),
                [vec![0x78, 1], key.clone(), address.clone()].concat(),
                [key.clone(), address.clone(), vec![0x78, 1]].concat(),
                [long.clone(), key.clone(), address.clone()].concat(),
                [key.clone(), long.clone(), address.clone()].concat(),
                [key.clone(), address.clone(), long.clone()].concat(),
                [plain(0, &"a".repeat(150)), address.clone(), key.clone()].concat(),
            ];
            for (number, form) in forms.iter().enumerate() {
                for padding in [0, 1, 3] {
                    let other = field(0x4a, 0, &[plain(0, "network.type"), value("ipv6")].concat());
                    let attribute = field(0x4a, padding, form);
                    let span = [other.clone(), attribute, other].concat();
                    let mut resource = Vec::new();
                    let own = [plain(0, "app.host.ip"), value("10.1.2.3")].concat();
                    put_field(&mut resource, 1, &own);
                    let spans = field(0x12, 0, &field(0x12, 0, &span));
                    let body = field(0x0a, 0, &[field(0x0a, 0, &resource), spans].concat());
                    let walked = walk(&body, &Rules::AGENT.checks(None), |_| ()).unwrap();
                    assert_eq!(walked.peers_renamed, 1, "{name}, form {number}, {padding} bytes longer");
                    let out = walked.edits.apply(&body).unwrap();
                    let read = out.windows(name.len()).rposition(|part| part == name.as_bytes());
                    // Where the key comes twice (form 3), the last one counts.
                    assert_eq!(read.is_some(), number == 3, "{name}, form {number}, {padding} bytes longer");
                }
            }
        }
    }
}
