//! `long_names`: cuts long names of spans with many attributes. deepflow-agent copies a span's name for each of its attributes,
//! and with `http.scheme` among them parses it as an endpoint each time. 64 KiB of name and 32 Ki attributes, 131 kB in all, cost
//! it 16 seconds. Names of up to 4 KiB with a thousand attributes are harmless.

use crate::bounds::MAX_DEPTH;
use crate::edit::draft::Draft;
use crate::wire::{self, Field, LENGTH, put_varint, varint_len};

/// The name of a span that is to be cut, and the messages around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongName<'a> {
    /// The ScopeSpans and the span, which get shorter too.
    pub(crate) scope_spans: Field<'a>,
    span: Field<'a>,
    name: Field<'a>,
    /// Bytes that are left of the name.
    keep: usize,
}

impl<'a> LongName<'a> {
    /// The name of a span that was walked, if it is to be cut.
    pub(crate) fn find(scope_spans: Field<'a>, span: Field<'a>) -> Option<Self> {
        let mut name = None;
        let mut attributes = 0_u64;
        let mut rest = span.content;
        while let Ok((number, wire, after)) = wire::tag(rest) {
            let field = (wire == LENGTH).then(|| Field::read(rest, number, wire, after));
            match (number, field) {
                // The last one counts.
                (5, Some(Ok(field))) => name = Some(field),
                (9, Some(Ok(_))) => attributes += 1,
                _ => (),
            }
            rest = wire::skip(number, wire, after, MAX_DEPTH).ok()?;
        }
        let name = name.filter(|name| name.content.len() > MAX_NAME)?;
        let copied = attributes.saturating_mul(name.content.len() as u64);
        (copied > MAX_COPIED).then(|| Self { scope_spans, span, name, keep: whole_characters(name.content) })
    }

    /// Whether both names are in the same ScopeSpans.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.scope_spans.whole.as_ptr() == other.scope_spans.whole.as_ptr()
    }

    /// The whole span, its tag included.
    pub(crate) fn span(&self) -> &'a [u8] {
        self.span.whole
    }

    /// By how much the span gets shorter, its own length included.
    pub(crate) fn shrinks(&self) -> usize {
        let span = self.span;
        self.inner() + span.length_len() - varint_len((span.content.len() - self.inner()) as u64)
    }

    /// By how much the span's content gets shorter.
    fn inner(&self) -> usize {
        let name = self.name;
        name.content.len() - self.keep + name.length_len() - varint_len(self.keep as u64)
    }

    /// Drafts the cut, and the new length of the span.
    pub(crate) fn cut(&self, body: &[u8], draft: &mut Draft) {
        let Self { span, name, keep, .. } = *self;
        let length = (span.content.len() - self.inner()) as u64;
        draft.edit(wire::offset_in(body, span.length), span.length_len(), |out| put_varint(out, length));
        draft.edit(wire::offset_in(body, name.length), name.length_len(), |out| put_varint(out, keep as u64));
        let end = wire::offset_in(body, name.content) + keep;
        draft.edit(end, name.content.len() - keep, |_| ());
    }
}

/// The number of bytes that [`MAX_NAME`] leaves of a name: whole characters only.
fn whole_characters(name: &[u8]) -> usize {
    let is_boundary = |at: usize| name.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    // Bytes that are not UTF-8 may have no boundary near.
    (MAX_NAME - 3..=MAX_NAME).rev().find(|at| is_boundary(*at)).unwrap_or(MAX_NAME)
}

/// Bytes of names that the agent may copy for one span: the name's length times its attributes.
const MAX_COPIED: u64 = 4 << 20;

/// Bytes of a span that cannot reach [`MAX_COPIED`]: an attribute takes at least two bytes, and `name * attributes` is the
/// largest where the name takes half of the span. This is a power of two below the square root of 8 * `MAX_COPIED`.
pub(crate) const HARMLESS: usize = 4 << 10;

/// Bytes that a name is cut to.
const MAX_NAME: usize = 1 << 10;
