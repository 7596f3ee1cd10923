//! A resource's attributes with pending changes.
//!
//! The view borrows from the request. Changes stay in it until [`crate::trace`] turns them into edits, so that all untouched
//! attributes keep their bytes.

mod attribute;
mod ends;
mod key;
pub(crate) mod read;
pub(crate) mod write;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

pub(crate) use attribute::{Attribute, State};
use ends::latest_end;
use key::{Key, Places, Print};

/// The attributes of one resource, in their order.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) entity_refs: Vec<EntityRef<'a>>,
    pub(crate) changed: bool,
    /// How many of the attributes were read: those behind them were added.
    received: usize,
    /// Whether an attribute that was read is written anew, or any is left out, for which entity references may be left out too.
    replaced: bool,
    /// Where the attributes stand that have a certain key.
    places: Places,
    /// The content of the ResourceSpans around the resource; empty where that is unknown, and for other signals.
    spans: &'a [u8],
    /// Whether anybody has asked about the spans.
    spans_read: Cell<bool>,
    /// Bytes that patterns of rules were held against, in all resources that were read here.
    pub(crate) matched: usize,
}

/// A reference to an entity, which names attributes of the resource.
#[derive(Clone, Debug)]
pub(crate) struct EntityRef<'a> {
    /// The whole field in the request, its tag included.
    pub(crate) origin: Range<usize>,
    /// The message.
    pub(crate) content: &'a [u8],
}

/// An attribute's value: an `AnyValue`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value, or one of a kind that this version does not know.
    Empty,
    /// `string_value`.
    String(Cow<'a, str>),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// `bytes_value`.
    Bytes(Cow<'a, [u8]>),
    /// `array_value`: the bytes of the ArrayValue message.
    Array(Cow<'a, [u8]>),
    /// `kvlist_value`: the bytes of the KeyValueList message.
    Map(Cow<'a, [u8]>),
}

/// How far [`Resource::fill`] is with a key.
enum Filling<'a> {
    /// No attribute with the key was met.
    Waits(Cow<'a, str>),
    /// An attribute with the key stays as it is.
    Found,
    /// An attribute with the key has the text now.
    Set,
}

impl<'a> Value<'a> {
    /// A string value.
    pub fn string(text: impl Into<Cow<'a, str>>) -> Self {
        Self::String(text.into())
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value has no content.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::String(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Array(_) | Self::Map(_) => false,
        }
    }

    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Empty => Value::Empty,
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Bool(bool) => Value::Bool(bool),
            Self::Int(number) => Value::Int(number),
            Self::Double(number) => Value::Double(number),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Array(bytes) => Value::Array(Cow::Owned(bytes.into_owned())),
            Self::Map(bytes) => Value::Map(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl<'a> Resource<'a> {
    /// When the last of the resource's spans ended, in nanoseconds since 1970. `None` where it has no spans, or one without an
    /// end. Each call looks at all spans.
    pub(crate) fn latest_end(&self) -> Option<u64> {
        self.spans_read.set(true);
        latest_end(self.spans)
    }

    /// Gives the resource the content of the ResourceSpans around it.
    pub(crate) fn set_spans(&mut self, spans: &'a [u8]) {
        self.spans = spans;
        self.spans_read.set(false);
    }

    /// Whether anything that was decided about the resource depends on its spans.
    pub(crate) fn depends_on_spans(&self) -> bool {
        self.spans_read.get()
    }

    /// The value of the first attribute with that key, as the Collector reads duplicates.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.all(key).next()
    }

    /// The text of an attribute, where it is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// How many attributes have that key.
    pub fn count(&self, key: &str) -> usize {
        self.all(key).count()
    }

    /// The values of all attributes with that key, in their order.
    #[inline]
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &Value<'a>> {
        self.named(key).map(Attribute::value)
    }

    /// Bytes of all texts under that key together.
    pub(crate) fn text_len(&self, key: &str) -> usize {
        self.named(key).filter_map(Attribute::text_len).sum()
    }

    #[inline]
    fn named(&self, key: &str) -> impl Iterator<Item = &Attribute<'a>> {
        let print = Print::of(key.as_bytes());
        let within = self.attributes.get(self.places.within(self.attributes.len(), print));
        let mut rest = within.unwrap_or_default();
        std::iter::from_fn(move || next_named(&mut rest, key, print))
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.live().map(|attribute| (attribute.key.as_str(), attribute.value()))
    }

    /// Replaces the first attribute with that key and drops further ones; adds it where there is none.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.set_key(key.into().into(), value);
    }

    fn set_key(&mut self, key: Key<'a>, value: Value<'a>) {
        let mut value = Some(value);
        let within = self.places.within(self.attributes.len(), key.print());
        for attribute in self.attributes.get_mut(within).unwrap_or_default() {
            if attribute.state == State::Removed || attribute.key != key {
                continue;
            }
            match value.take() {
                Some(value) => {
                    self.replaced |= attribute.origin.is_some();
                    attribute.write(value);
                }
                None => {
                    self.replaced = true;
                    attribute.state = State::Removed;
                }
            }
            self.changed = true;
        }
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// Adds an attribute unless there is one with its key, whatever that one's value. True if it was added.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: Value<'a>) -> bool {
        let key = key.into();
        if self.get(&key).is_some() {
            return false;
        }
        self.push(key.into(), value);
        true
    }

    /// Sets each key to its text where the key is missing or blank. Of several texts for a key the first counts.
    ///
    /// All keys are set in one pass: there may be as many texts as there are attributes.
    pub(crate) fn fill(&mut self, mut texts: Vec<(Cow<'a, str>, Cow<'a, str>)>) {
        texts.sort_by(|(one, _), (other, _)| one.cmp(other));
        texts.dedup_by(|(later, _), (first, _)| later == first);
        let mut texts: Vec<_> = texts.into_iter().map(|(key, text)| (key, Filling::Waits(text))).collect();
        for attribute in &mut self.attributes {
            if attribute.state == State::Removed {
                continue;
            }
            let at = texts.binary_search_by(|(key, _)| key.as_bytes().cmp(attribute.key.as_bytes()));
            let Some((_, filling)) = at.ok().and_then(|at| texts.get_mut(at)) else { continue };
            match std::mem::replace(filling, Filling::Found) {
                // The first attribute with the key decides; if it is set, further ones are removed.
                Filling::Waits(text) if attribute.value().is_blank() => {
                    attribute.write(Value::String(text));
                    self.replaced |= attribute.origin.is_some();
                    *filling = Filling::Set;
                    self.changed = true;
                }
                Filling::Set => {
                    attribute.state = State::Removed;
                    self.replaced = true;
                    *filling = Filling::Set;
                }
                Filling::Waits(_) | Filling::Found => (),
            }
        }
        for (key, filling) in texts {
            if let Filling::Waits(text) = filling {
                self.push(key.into(), Value::String(text));
            }
        }
    }

    /// Removes all attributes whose key `matches`.
    pub fn remove_where(&mut self, mut matches: impl FnMut(&str) -> bool) {
        for attribute in &mut self.attributes {
            if attribute.state != State::Removed && matches(attribute.key.as_str()) {
                attribute.state = State::Removed;
                self.replaced = true;
                self.changed = true;
            }
        }
    }

    /// Replaces the values for which `map` gives a new one.
    pub fn map_values(&mut self, mut map: impl FnMut(&str, &Value<'a>) -> Option<Value<'a>>) {
        for attribute in &mut self.attributes {
            if attribute.state == State::Removed {
                continue;
            }
            if let Some(value) = map(attribute.key.as_str(), attribute.value()) {
                attribute.write(value);
                self.replaced |= attribute.origin.is_some();
                self.changed = true;
            }
        }
    }

    /// Adds an attribute that was read.
    #[inline(always)]
    fn add_read(&mut self, attribute: Attribute<'a>) {
        self.places.add(attribute.key.print(), self.attributes.len());
        self.attributes.push(attribute);
        self.received += 1;
    }

    fn live(&self) -> impl Iterator<Item = &Attribute<'a>> {
        self.attributes.iter().filter(|attribute| attribute.state != State::Removed)
    }

    fn push(&mut self, key: Key<'a>, value: Value<'a>) {
        self.places.add(key.print(), self.attributes.len());
        self.attributes.push(Attribute::added(key, value));
        self.changed = true;
    }
}

/// The first attribute with that key among `rest`, which is behind it then. Many places ask for one: this is the only copy.
#[inline(never)]
fn next_named<'r, 'a>(rest: &mut &'r [Attribute<'a>], key: &str, print: Print) -> Option<&'r Attribute<'a>> {
    loop {
        let (first, others) = rest.split_first()?;
        *rest = others;
        if first.key.is(key, print) && first.state != State::Removed {
            return Some(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attributes that arrived, by key and value.
    fn resource(attributes: &[(&'static str, &'static str)]) -> Resource<'static> {
        let mut resource = Resource::default();
        for (key, value) in attributes {
            resource.add_read(Attribute::kept(Key::checked(key.as_bytes()), Value::string(*value), 0..0));
        }
        resource
    }

    #[test]
    fn keys_are_filled_as_if_one_by_one() {
        let texts: Vec<_> = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")]
            .map(|(key, text)| (Cow::Borrowed(key), Cow::Borrowed(text)))
            .into();
        for before in [
            &[][..],
            &[("a", ""), ("b", "x"), ("x", "")],
            &[("a", "x"), ("a", "")],
            &[("a", ""), ("c", "x"), ("a", "x"), ("a", "y")],
            &[("c", ""), ("b", ""), ("a", "")],
        ] {
            let (mut together, mut apart) = (resource(before), resource(before));
            together.fill(texts.clone());
            for (key, text) in &texts {
                if apart.get(key).is_none_or(Value::is_blank) {
                    apart.set(key.clone(), Value::String(text.clone()));
                }
            }
            let read = |resource: &Resource<'_>| {
                resource.attributes.iter().map(|attribute| format!("{attribute:?}")).collect::<Vec<_>>()
            };
            assert_eq!(read(&together), read(&apart), "{before:?}");
            assert_eq!(together.changed, apart.changed);
        }
    }

    #[test]
    fn a_key_that_was_removed_is_free() {
        let mut resource = resource(&[("a", "x")]);
        resource.remove_where(|key| key == "a");
        resource.fill(vec![(Cow::Borrowed("a"), Cow::Borrowed("1"))]);
        assert_eq!(resource.iter().collect::<Vec<_>>(), [("a", &Value::string("1"))]);
    }
}
