//! One attribute of a resource. What no rule asks for is never read beyond what checking it takes.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use super::Value;
use super::key::Key;

/// One attribute of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) key: Key<'a>,
    /// The text of a value that was checked to be one and has not been read.
    text: &'a [u8],
    value: OnceCell<Value<'a>>,
    /// The whole field in the request, its tag included; `None` for an attribute that was added.
    pub(crate) origin: Option<Range<usize>>,
    pub(crate) state: State,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The attribute's bytes stay.
    Kept,
    /// The attribute is written anew.
    Written,
    /// The attribute is left out.
    Removed,
}

impl<'a> Attribute<'a> {
    /// An attribute of the request, at `origin`.
    #[inline(always)]
    pub(crate) fn kept(key: Key<'a>, value: Value<'a>, origin: Range<usize>) -> Self {
        Self { key, text: &[], value: OnceCell::from(value), origin: Some(origin), state: State::Kept }
    }

    /// An attribute of the request, at `origin`, whose value is a text that has been checked to be UTF-8.
    #[inline(always)]
    pub(crate) fn text(key: Key<'a>, text: &'a [u8], origin: Range<usize>) -> Self {
        Self { key, text, value: OnceCell::new(), origin: Some(origin), state: State::Kept }
    }

    /// An attribute that was not in the request.
    pub(crate) fn added(key: Key<'a>, value: Value<'a>) -> Self {
        Self { key, text: &[], value: OnceCell::from(value), origin: None, state: State::Written }
    }

    #[inline]
    pub(crate) fn value(&self) -> &Value<'a> {
        let text = self.text;
        self.value.get_or_init(|| Value::String(Cow::Borrowed(std::str::from_utf8(text).unwrap_or_default())))
    }

    /// Bytes of the value's text; `None` where it is not a text.
    pub(crate) fn text_len(&self) -> Option<usize> {
        match self.value.get() {
            None => Some(self.text.len()),
            Some(value) => value.as_str().map(str::len),
        }
    }

    /// Gives the attribute another value.
    pub(crate) fn write(&mut self, value: Value<'a>) {
        self.value = OnceCell::from(value);
        self.state = State::Written;
    }
}
