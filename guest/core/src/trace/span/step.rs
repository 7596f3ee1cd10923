//! Stepping over the fields of a span that need no closer look, in the form in which encoders write them.
//!
//! Most of a walk's time is spent here, and the walk through a body waits for one thing: where the next field begins. So a field is
//! looked at wherever it ends. The bytes that are looked at, `wide`, go on behind the span, by [`BEHIND`] of them where the body
//! does, and whoever calls asks once whether the last field ended where the span does.

use super::{ATTRIBUTE, END, FLAGS, KIND, START, Stand};
use crate::guard::peers::{self, is_plainly_harmless};
use crate::message::Message;
use crate::wire::LENGTH;

/// Bytes behind a span that are looked at.
pub(super) const BEHIND: usize = WINDOW - 1;

/// Bytes of a field that are looked at at most, but for texts: the tag and the length of an attribute, those of its key, a key, and
/// those of its value.
const WINDOW: usize = 4 + MAX_KEY + 2;

/// Bytes of the longest key of a short attribute.
const MAX_KEY: usize = 0x3f;

/// Steps over the fields with which nearly all spans begin: ids, name, kind and times. The span ends `behind` bytes before `wide`
/// does. Gives all of `wide` where the span begins in another way.
#[inline(always)]
pub(super) fn step_over_head<'a>(wide: &'a [u8], behind: usize, times: &mut Stand<'a>) -> &'a [u8] {
    let other = wide;
    let Some(ids) = wide.first_chunk::<30>() else { return other };
    if chunk(ids, 0) != Some(&[0x0a, 16]) || chunk(ids, 18) != Some(&[0x12, 8]) {
        return other;
    }
    let parent = if chunk(ids, 28) == Some(&[0x22, 8]) { 10 } else { 0 };
    let Some([0x2a, name @ 0..0x80, rest @ ..]) = wide.get(28 + parent..) else { return other };
    let Some(rest) = rest.get(usize::from(*name)..) else { return other };
    let Some([KIND, 0..=5, START, start @ .., END, _, _, _, _, _, _, _, _]) = rest.first_chunk::<20>() else {
        return other;
    };
    let (Some(end), Some(rest)) = (chunk(rest, 12), rest.get(20..)) else { return other };
    if rest.len() < behind {
        return other;
    }
    *times = Stand { start: Some(start), end: Some(end) };
    rest
}

/// Steps over fields; gives the bytes from the first field on that needs a closer look. `peers` tells whether an attribute with a
/// peer's address does.
#[inline(never)]
pub(super) fn step_over<'a>(mut wide: &'a [u8], peers: bool, times: &mut Stand<'a>) -> &'a [u8] {
    loop {
        // Most fields are attributes.
        wide = step_over_attributes(wide);
        let Some(window) = wide.first_chunk::<WINDOW>() else { break };
        let [tag, low, high, ..] = *window;
        if has_length(tag) {
            let (length, content) = match (usize::from(low), usize::from(high)) {
                (length @ 0..0x80, _) => (length, wide.get(2..)),
                (low, high @ 0..0x80) => (low & 0x7f | high << 7, wide.get(3..)),
                _ => break,
            };
            let Some((content, tail)) = content.and_then(|content| content.split_at_checked(length)) else {
                break;
            };
            if tag == ATTRIBUTE && peers && needs_look(content) && !is_plainly_harmless(content) {
                break;
            }
            wide = tail;
            continue;
        }
        let length = match (tag, low) {
            (KIND, 0..=5) => 2,
            (START, _) => {
                times.start = chunk(window, 1);
                9
            }
            (END, _) => {
                times.end = chunk(window, 1);
                9
            }
            (FLAGS, 0x01) => 6,
            _ => break,
        };
        let Some(tail) = wide.get(length..) else { break };
        wide = tail;
    }
    wide
}

#[inline(always)]
fn step_over_attributes(mut wide: &[u8]) -> &[u8] {
    // Two in a turn: in the sandbox, each turn of a loop asks whether there is time left.
    while let Some(second) = step_over_short(wide) {
        let Some(third) = step_over_short(second) else { return second };
        wide = third;
    }
    wide
}

/// Steps over an attribute whose length takes one byte, the form of which says that it is not a peer's address.
///
/// It has to be a key and then a value. In any other form all may be a peer's, since the key may stand anywhere.
#[inline(always)]
fn step_over_short(wide: &[u8]) -> Option<&[u8]> {
    let window = wide.first_chunk::<WINDOW>()?;
    // Read by itself: the next attribute waits for this byte.
    let [_, length, ..] = *window;
    if u32::from_le_bytes(*window.first_chunk()?) & SHORT_BITS != SHORT {
        return None;
    }
    let head = u32::from_le_bytes(*chunk(window, 2)?);
    let key = head >> 8 & MAX_KEY as u32;
    let value = u32::from(u16::from_le_bytes(*chunk(window, 4 + key as usize)?));
    // The value's tag, and a length that goes to the end: what is left of the attribute's without the key and four bytes.
    if value + (4 << 8) - VALUE != u32::from(length).wrapping_sub(key) << 8 || has_peers_key(head) {
        return None;
    }
    wide.get(2 + usize::from(length)..)
}

/// Whether an attribute may be a peer's address, however long it is.
fn needs_look(attribute: &[u8]) -> bool {
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
    !is_plain || has_peers_key(head)
}

/// Whether an attribute that begins with `head` may have the key of a peer's address.
#[inline(always)]
fn has_peers_key(head: u32) -> bool {
    // What they all begin with is asked first: few other keys do.
    head >> 16 == ANY_HEAD >> 16 && HEADS.contains(&head)
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

/// Some head, the two characters of which are those of all [`HEADS`].
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is an error")]
const ANY_HEAD: u32 = {
    let [first, others @ ..] = HEADS;
    let mut at = 0;
    while at < others.len() {
        assert!(others[at] >> 16 == first >> 16);
        at += 1;
    }
    first
};

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

/// The tags within an attribute.
const KEY: u32 = 1 << 3 | LENGTH as u32;
const VALUE: u32 = 2 << 3 | LENGTH as u32;

/// What the first four bytes of a short attribute have in common: its tag, a length below 0x80, the key's tag, a length up to
/// [`MAX_KEY`].
const SHORT: u32 = KEY << 16 | ATTRIBUTE as u32;
const SHORT_BITS: u32 = u32::from_le_bytes([0xff, 0x80, 0xff, !(MAX_KEY as u8)]);

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}
