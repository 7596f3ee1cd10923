//! Writing the changes to a Resource.

use std::collections::BTreeSet;

use super::{Attribute, Resource, State, Value};
use crate::edit::draft::Draft;
use crate::resource::read::{Content, for_fields};
use crate::wire::{self, Field, put_field, put_varint, varint_len};

/// Tag of `ResourceSpans.resource`, of `Resource.attributes` and of `KeyValue.key`: field 1, length-delimited.
const FIELD_1: u8 = 0x0a;

impl<'a> Resource<'a> {
    /// Writes the whole Resource field for ResourceSpans that had none.
    pub(crate) fn write_new(&self, out: &mut Vec<u8>) {
        out.push(FIELD_1);
        put_varint(out, self.added().map(attribute_len).sum::<usize>() as u64);
        self.write_added(out);
    }

    /// How many bytes the attributes take that are added; `None` where anything else is changed.
    pub(crate) fn only_added(&self) -> Option<usize> {
        (!self.replaced).then(|| self.added().map(attribute_len).sum())
    }

    /// Drafts the edits to a Resource that came in one piece. Unchanged fields keep their bytes.
    pub(crate) fn write_changes(&self, body: &[u8], piece: Field<'_>, draft: &mut Draft) {
        if !self.changed {
            return;
        }
        let replaced = self.replaced.then(|| self.replaced());
        for (range, attribute) in replaced.into_iter().flatten() {
            draft.edit(range.start, range.len(), |out| {
                if let Some(attribute) = attribute {
                    put_attribute(out, attribute);
                }
            });
        }
        let end = wire::offset_in(body, piece.content) + piece.content.len();
        draft.edit(end, 0, |out| self.write_added(out));
        draft.enclose(body, piece);
    }

    /// Writes a Resource that came in several pieces as one field.
    pub(crate) fn write_merged(&self, body: &[u8], pieces: &[Field<'_>], out: &mut Vec<u8>) {
        // The pieces mean the same put end to end: fields merge in their order.
        let mut replaced = self.replaced().peekable();
        let mut content = Vec::new();
        for piece in pieces {
            let begin = wire::offset_in(body, piece.content);
            let end = begin + piece.content.len();
            let mut at = begin;
            while let Some((range, attribute)) = replaced.next_if(|(range, _)| range.end <= end) {
                content.extend_from_slice(body.get(at..range.start).unwrap_or_default());
                if let Some(attribute) = attribute {
                    put_attribute(&mut content, attribute);
                }
                at = range.end;
            }
            content.extend_from_slice(body.get(at..end).unwrap_or_default());
        }
        self.write_added(&mut content);
        put_field(out, 1, &content);
    }

    /// The ranges of the request that are replaced, in order, with the attribute that takes their place, if one does.
    fn replaced(&self) -> impl Iterator<Item = (std::ops::Range<usize>, Option<&Attribute<'a>>)> {
        let attributes = self.attributes.iter().filter_map(|attribute| {
            let origin = attribute.origin.clone()?;
            match attribute.state {
                State::Kept => None,
                State::Written => Some((origin, Some(attribute))),
                State::Removed => Some((origin, None)),
            }
        });
        let references = self.stale_references().map(|origin| (origin, None));
        let mut replaced: Vec<_> = attributes.chain(references).collect();
        replaced.sort_by_key(|(range, _)| range.start);
        replaced.into_iter()
    }

    /// Entity references that name an attribute which was removed: OTLP demands that their keys exist in `attributes`.
    fn stale_references(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let removed = self.attributes.iter().any(|attribute| attribute.state == State::Removed);
        let concerned = if removed { self.entity_refs.as_slice() } else { &[] };
        // There may be as many keys in the references as there are attributes. A set that grows is less code than a sorted list.
        let mut live = BTreeSet::new();
        if !concerned.is_empty() {
            live.extend(self.live().map(|attribute| attribute.key.as_bytes()));
        }
        concerned.iter().filter_map(move |reference| {
            let mut stale = false;
            for_fields(reference.content, |number, content| {
                if let (3 | 4, Content::Bytes(key)) = (number, content) {
                    stale |= !live.contains(key);
                }
            });
            stale.then(|| reference.origin.clone())
        })
    }

    fn added(&self) -> impl Iterator<Item = &Attribute<'a>> {
        let behind = self.attributes.get(self.received..).unwrap_or_default();
        behind.iter().filter(|attribute| attribute.state != State::Removed)
    }

    /// Appends the attributes that are added.
    pub(crate) fn write_added(&self, out: &mut Vec<u8>) {
        for attribute in self.added() {
            put_attribute(out, attribute);
        }
    }
}

/// Appends an attribute with its tag.
fn put_attribute(out: &mut Vec<u8>, attribute: &Attribute<'_>) {
    let key = attribute.key.as_bytes();
    // Most lengths take one byte.
    if let Value::String(text) = attribute.value()
        && let Ok(whole @ 0..0x80) = u8::try_from(key.len() + text.len() + 6)
    {
        let (key_len, text_len) = (key.len() as u8, text.len() as u8);
        out.extend_from_slice(&[FIELD_1, whole, FIELD_1, key_len]);
        out.extend_from_slice(key);
        out.extend_from_slice(&[0x12, text_len + 2, FIELD_1, text_len]);
        out.extend_from_slice(text.as_bytes());
    } else {
        put_any_attribute(out, attribute);
    }
}

#[inline(never)]
fn put_any_attribute(out: &mut Vec<u8>, attribute: &Attribute<'_>) {
    out.push(FIELD_1);
    put_varint(out, key_value_len(attribute) as u64);
    put_field(out, 1, attribute.key.as_bytes());
    out.push(0x12);
    put_varint(out, value_len(attribute.value()) as u64);
    put_value(out, attribute.value());
}

/// Appends an `AnyValue`.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Empty => (),
        Value::String(text) => put_field(out, 1, text.as_bytes()),
        Value::Bool(bool) => out.extend_from_slice(&[0x10, u8::from(*bool)]),
        Value::Int(number) => {
            out.push(0x18);
            put_varint(out, number.cast_unsigned());
        }
        Value::Double(number) => {
            out.push(0x21);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Array(bytes) => put_field(out, 5, bytes),
        Value::Map(bytes) => put_field(out, 6, bytes),
        Value::Bytes(bytes) => put_field(out, 7, bytes),
    }
}

/// How many bytes [`put_attribute`] appends.
fn attribute_len(attribute: &Attribute<'_>) -> usize {
    field_len(key_value_len(attribute))
}

fn key_value_len(attribute: &Attribute<'_>) -> usize {
    field_len(attribute.key.as_bytes().len()) + field_len(value_len(attribute.value()))
}

/// How many bytes [`put_value`] appends.
fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Empty => 0,
        Value::String(text) => field_len(text.len()),
        Value::Bool(_) => 2,
        Value::Int(number) => 1 + varint_len(number.cast_unsigned()),
        Value::Double(_) => 9,
        Value::Array(bytes) | Value::Map(bytes) | Value::Bytes(bytes) => field_len(bytes.len()),
    }
}

/// Length of a length-delimited field with a number up to 15.
fn field_len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}
