//! A body as it goes upstream.

use std::borrow::Cow;

use podstamp_core::interface::{Content, Part};

/// A body that the filter has decided about, and the requests that it is sent as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    body: Cow<'a, [u8]>,
    parts: &'a [Part],
}

impl<'a> Batch<'a> {
    /// Applies `content` to the body that came. `None` where edits or parts do not fit it, which the filter never gives.
    pub(super) fn new(body: &'a [u8], content: &'a Content, parts: &'a [Part]) -> Option<Self> {
        let body = match content {
            Content::Unchanged => Cow::Borrowed(body),
            Content::Edited(edits) => Cow::Owned(edits.apply(body)?),
            Content::Replaced(other) => Cow::Borrowed(other.as_slice()),
        };
        let fits = parts.is_sorted_by_key(|part| part.end)
            && parts.last().is_some_and(|last| last.end as usize == body.len());
        fits.then_some(Self { body, parts })
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// The bytes of each part, and its spans, in their order.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let mut start = 0;
        self.parts.iter().map(move |part| {
            let end = part.end as usize;
            let bytes = self.body.get(start..end).unwrap_or_default();
            start = end;
            (bytes, part.spans)
        })
    }
}
