//! Reading a Resource: all of its pieces, by protobuf's rules of merging.

use std::borrow::Cow;
use std::ops::Range;

use super::{Attribute, EntityRef, Resource, State, Value};
use crate::bounds::{Bound, MAX_DEPTH, MAX_RESOURCE_PARTS};
use crate::fault::{Broken, FaultKind};
use crate::message::Message;
use crate::wire::{self, Field, LENGTH};

/// Levels that may still be entered within a Resource, an attribute of it, and the attribute's value.
const RESOURCE_DEPTH: u32 = MAX_DEPTH - 2;
const ATTRIBUTE_DEPTH: u32 = RESOURCE_DEPTH - 1;
const VALUE_DEPTH: u32 = ATTRIBUTE_DEPTH - 1;

impl<'a> Resource<'a> {
    /// Reads the pieces of a Resource in `body`, after dropping whatever was read before.
    pub(crate) fn read(&mut self, body: &'a [u8], pieces: &[Field<'a>]) -> Result<(), Broken> {
        self.attributes.clear();
        self.entity_refs.clear();
        self.changed = false;
        for piece in pieces {
            self.read_piece(body, piece.content)?;
        }
        Ok(())
    }

    fn read_piece(&mut self, body: &'a [u8], content: &'a [u8]) -> Result<(), Broken> {
        let mut rest = content;
        while !rest.is_empty() {
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
                // Each branch pushes by itself: a value that both branches returned to one push would be copied byte by byte.
                if let Some((key, text)) = plain_attribute(content) {
                    let value = Value::String(Cow::Borrowed(text));
                    self.attributes.push(Attribute::kept(key, value, origin));
                } else {
                    let (key, value) = read_any_attribute(content)?;
                    self.attributes.push(Attribute::kept(key, value, origin));
                }
            } else {
                Message::EntityRef.check(content, ATTRIBUTE_DEPTH)?;
                self.entity_refs.push(EntityRef { origin, content });
            }
            rest = tail;
        }
        Ok(())
    }
}

impl<'a> Attribute<'a> {
    /// An attribute that is in the request, at `origin`.
    #[inline(always)]
    fn kept(key: &'a str, value: Value<'a>, origin: Range<usize>) -> Self {
        Self { key: Cow::Borrowed(key), value, origin: Some(origin), state: State::Kept }
    }
}

/// Reads an attribute. Of several keys the last counts, several values are merged.
#[inline]
pub(crate) fn read_attribute(bytes: &[u8]) -> Result<(&str, Value<'_>), Broken> {
    match plain_attribute(bytes) {
        Some((key, text)) => Ok((key, Value::String(Cow::Borrowed(text)))),
        None => read_any_attribute(bytes),
    }
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

/// The shape that nearly all attributes have: a key, then a string, all lengths of one byte.
///
/// Tags and lengths below 0x80 are characters too, so that one check of the whole attribute serves both texts: each is a slice
/// that begins and ends between characters.
#[inline]
fn plain_attribute(bytes: &[u8]) -> Option<(&str, &str)> {
    let [0x0a, key_length, rest @ ..] = bytes else {
        return None;
    };
    let key_end = 2 + usize::from(*key_length);
    let [0x12, length, 0x0a, text_length, text @ ..] = rest.get(usize::from(*key_length)..)? else {
        return None;
    };
    let short = *key_length < 0x80 && *length < 0x80;
    if !short || text.len() != usize::from(*text_length) || text.len() + 2 != usize::from(*length) {
        return None;
    }
    let (key, value) = std::str::from_utf8(bytes).ok()?.split_at_checked(key_end)?;
    Some((key.get(2..)?, value.get(4..)?))
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
