//! Reading a Resource: all of its pieces, by protobuf's rules of merging.

use std::borrow::Cow;

use super::key::{Key, Places};
use super::{Attribute, EntityRef, Resource, Value};
use crate::bounds::{Bound, MAX_DEPTH, MAX_RESOURCE_PARTS};
use crate::fault::{Broken, FaultKind};
use crate::message::Message;
use crate::wire::{self, Field, LENGTH};
use crate::words::is_ascii;

/// Levels that may still be entered within a Resource, an attribute of it, and the attribute's value.
const RESOURCE_DEPTH: u32 = MAX_DEPTH - 2;
const ATTRIBUTE_DEPTH: u32 = RESOURCE_DEPTH - 1;
const VALUE_DEPTH: u32 = ATTRIBUTE_DEPTH - 1;

/// Attributes of most resources, those that rules add included. A request whose resources are all known by their bytes needs no room.
const USUAL: usize = 24;

impl<'a> Resource<'a> {
    /// Reads the pieces of a Resource in `body`, after dropping whatever was read before.
    pub(crate) fn read(&mut self, body: &'a [u8], pieces: &[Field<'a>]) -> Result<(), Broken> {
        self.attributes.clear();
        if self.attributes.capacity() == 0 {
            self.attributes.reserve_exact(USUAL);
        }
        self.entity_refs.clear();
        (self.changed, self.replaced, self.received) = (false, false, 0);
        self.places = Places::default();
        for piece in pieces {
            self.read_piece(body, piece.content)?;
        }
        Ok(())
    }

    fn read_piece(&mut self, body: &'a [u8], content: &'a [u8]) -> Result<(), Broken> {
        let mut rest = content;
        loop {
            rest = self.read_plain(body, rest);
            if rest.is_empty() {
                return Ok(());
            }
            let start = rest;
            let broken = |kind| Broken::at(start, kind);
            let (number, wire, after) = wire::tag(start).map_err(broken)?;
            let known = Message::Resource.field(number);
            if known.is_some_and(|(_, kind)| kind.wire() != wire) {
                return Err(broken(FaultKind::Mismatch { field: number, wire }));
            }
            if known.is_none() || wire != LENGTH {
                rest = wire::skip(number, wire, after, RESOURCE_DEPTH).map_err(broken)?;
                continue;
            }
            let (content, tail) = wire::length_delimited(after).map_err(broken)?;
            let begin = wire::offset_in(body, start);
            let origin = begin..begin + start.len() - tail.len();
            if self.attributes.len() + self.entity_refs.len() >= MAX_RESOURCE_PARTS {
                return Err(broken(FaultKind::TooMany(Bound::ResourceParts)));
            }
            if number == 1 {
                let (key, value) = read_any_attribute(content)?;
                self.add_read(Attribute::kept(Key::checked(key.as_bytes()), value, origin));
            } else {
                Message::EntityRef.check(content, ATTRIBUTE_DEPTH)?;
                self.entity_refs.push(EntityRef { origin, content });
            }
            rest = tail;
        }
    }

    /// Reads attributes as encoders write nearly all of them; gives the rest from the first one on that needs a closer look.
    fn read_plain(&mut self, body: &'a [u8], content: &'a [u8]) -> &'a [u8] {
        let room = MAX_RESOURCE_PARTS - self.attributes.len() - self.entity_refs.len();
        let mut begin = wire::offset_in(body, content);
        let mut rest = content;
        for _ in 0..room {
            let [ATTRIBUTE, length @ 0..0x80, after @ ..] = rest else { break };
            let Some((attribute, tail)) = after.split_at_checked(usize::from(*length)) else { break };
            let end = begin + 2 + attribute.len();
            match plain_attribute(attribute) {
                // Each branch adds by itself: a value that both returned would be copied byte by byte.
                Some((key, Plain::Text(text))) if is_ascii(attribute) => {
                    self.add_read(Attribute::text(Key::checked(key), text, begin..end));
                }
                Some((key, Plain::Int(number))) if is_ascii(key) => {
                    self.add_read(Attribute::kept(Key::checked(key), Value::Int(number), begin..end));
                }
                _ => break,
            }
            (begin, rest) = (end, tail);
        }
        rest
    }
}

/// The tag of an attribute.
const ATTRIBUTE: u8 = 1 << 3 | LENGTH;

/// Reads an attribute. Of several keys the last counts, several values are merged.
#[inline]
pub(crate) fn read_attribute(bytes: &[u8]) -> Result<(&str, Value<'_>), Broken> {
    if let Some((key, Plain::Text(text))) = plain_attribute(bytes)
        && let (Ok(key), Ok(text)) = (std::str::from_utf8(key), std::str::from_utf8(text))
    {
        return Ok((key, Value::String(Cow::Borrowed(text))));
    }
    read_any_attribute(bytes)
}

#[inline(never)]
fn read_any_attribute(bytes: &[u8]) -> Result<(&str, Value<'_>), Broken> {
    Message::KeyValue.check(bytes, ATTRIBUTE_DEPTH)?;
    let mut key = "";
    let mut value: Option<Cow<'_, [u8]>> = None;
    for_fields(bytes, |number, content| match (number, content) {
        (1, Content::Bytes(text)) => key = wire::text(text).unwrap_or_default(),
        (2, Content::Bytes(piece)) => match &mut value {
            Some(value) => value.to_mut().extend_from_slice(piece),
            None => value = Some(Cow::Borrowed(piece)),
        },
        _ => (),
    });
    let value = match value {
        None => Value::Empty,
        Some(Cow::Borrowed(bytes)) => decode(bytes),
        Some(Cow::Owned(bytes)) => decode(&bytes).into_owned(),
    };
    Ok((key, value))
}

/// A value in a shape that nearly all values have.
enum Plain<'a> {
    /// A string, which has not been checked to be UTF-8.
    Text(&'a [u8]),
    Int(i64),
}

/// Key and value of an attribute in the shape that nearly all have: a key, which has not been checked to be UTF-8, then a string or an
/// integer, all lengths of one byte.
#[inline(always)]
fn plain_attribute(bytes: &[u8]) -> Option<(&[u8], Plain<'_>)> {
    let [0x0a, key_length @ 0..0x80, rest @ ..] = bytes else {
        return None;
    };
    let (key, value) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, length @ 0..0x80, value @ ..] = value else {
        return None;
    };
    if value.len() != usize::from(*length) {
        return None;
    }
    match value {
        [0x0a, length, text @ ..] if text.len() == usize::from(*length) => Some((key, Plain::Text(text))),
        [0x18, number @ ..] => match wire::varint(number) {
            Ok((number, [])) => Some((key, Plain::Int(number.cast_signed()))),
            _ => None,
        },
        _ => None,
    }
}

/// Reads an `AnyValue` that has been checked. Of a oneof the last member counts; the same message twice is merged.
pub(crate) fn decode(bytes: &[u8]) -> Value<'_> {
    let mut value = Value::Empty;
    for_fields(bytes, |number, content| {
        value = match (number, content, std::mem::replace(&mut value, Value::Empty)) {
            (1, Content::Bytes(text), _) => {
                Value::String(Cow::Borrowed(std::str::from_utf8(text).unwrap_or_default()))
            }
            (2, Content::Number(number), _) => Value::Bool(number != 0),
            (3, Content::Number(number), _) => Value::Int(number.cast_signed()),
            (4, Content::Number(number), _) => Value::Double(f64::from_bits(number)),
            (5, Content::Bytes(more), Value::Array(old)) => Value::Array(joined(old, more)),
            (5, Content::Bytes(bytes), _) => Value::Array(Cow::Borrowed(bytes)),
            (6, Content::Bytes(more), Value::Map(old)) => Value::Map(joined(old, more)),
            (6, Content::Bytes(bytes), _) => Value::Map(Cow::Borrowed(bytes)),
            (7, Content::Bytes(bytes), _) => Value::Bytes(Cow::Borrowed(bytes)),
            (_, _, old) => old,
        };
    });
    value
}

fn joined<'a>(old: Cow<'a, [u8]>, more: &[u8]) -> Cow<'a, [u8]> {
    let mut joined = old.into_owned();
    joined.extend_from_slice(more);
    Cow::Owned(joined)
}

/// The content of a field.
pub(crate) enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Calls `visit` for each field of a message that has been checked; groups and 32-bit fields are passed over.
pub(crate) fn for_fields<'a>(bytes: &'a [u8], mut visit: impl FnMut(u32, Content<'a>)) {
    let mut rest = bytes;
    while let Ok((number, wire, after)) = wire::tag(rest) {
        let read = match wire {
            wire::VARINT => wire::varint(after).map(|(value, tail)| (Content::Number(value), tail)),
            LENGTH => wire::length_delimited(after).map(|(bytes, tail)| (Content::Bytes(bytes), tail)),
            wire::FIXED64 => match after.split_first_chunk::<8>() {
                Some((word, tail)) => Ok((Content::Number(u64::from_le_bytes(*word)), tail)),
                None => return,
            },
            _ => match wire::skip(number, wire, after, VALUE_DEPTH) {
                Ok(tail) => {
                    rest = tail;
                    continue;
                }
                Err(_) => return,
            },
        };
        let Ok((content, tail)) = read else {
            return;
        };
        visit(number, content);
        rest = tail;
    }
}
