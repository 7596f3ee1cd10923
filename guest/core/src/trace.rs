//! The walk over an ExportTraceServiceRequest: reads Resources whole and spans down to their own fields, and collects the
//! edits that its caller's changes amount to. One pass, nothing allocated for a span.
//!
//! It does not look into the attributes, events, links and scopes of spans: [`crate::message::diagnose`] does.

use crate::edit::{Draft, Edits};
use crate::message::{Message, locate};
use crate::resource::Resource;
use crate::wire::{self, BodyFault, Broken, FIXED64, FaultKind, LENGTH, MAX_DEPTH, VARINT};

/// What a walk found and made.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// The changes; none if the body can go on as it is.
    pub edits: Edits,
    /// ResourceSpans.
    pub resources: u32,
    /// Spans.
    pub spans: u32,
    /// Span kinds outside 0..5 that were cleared.
    pub kinds_cleared: u32,
    /// Resources created because ResourceSpans had none.
    pub resources_created: u32,
}

/// A length-delimited field and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
    /// The length, and what follows it.
    pub(crate) length: &'a [u8],
    /// The content.
    pub(crate) content: &'a [u8],
}

/// Walks a request. `stamp` is called with every resource and may change it; it gets an empty one where ResourceSpans
/// have none. With `clear_kinds`, span kinds that deepflow-agent aborts on become 0.
pub fn walk<'a>(
    body: &'a [u8],
    clear_kinds: bool,
    stamp: impl FnMut(&mut Resource<'a>),
) -> Result<Walked, BodyFault> {
    let walk = Walk {
        body,
        stamp,
        clear_kinds,
        walked: Walked::default(),
        resource: Resource::default(),
        pieces: Vec::new(),
        kinds: Vec::new(),
        draft: Draft::default(),
    };
    walk.request().map_err(|broken| locate(body, broken))
}

struct Walk<'a, F> {
    body: &'a [u8],
    stamp: F,
    clear_kinds: bool,
    walked: Walked,
    // Used again for each ResourceSpans.
    resource: Resource<'a>,
    pieces: Vec<Field<'a>>,
    kinds: Vec<&'a [u8]>,
    draft: Draft,
}

impl<'a, F: FnMut(&mut Resource<'a>)> Walk<'a, F> {
    fn request(mut self) -> Result<Walked, Broken> {
        let mut rest = self.body;
        while !rest.is_empty() {
            let (number, wire, after) = tag(rest)?;
            if number == 1 {
                let field = Field::read(rest, number, wire, after)?;
                rest = field.rest(rest);
                self.resource_spans(field)?;
            } else {
                rest = skip(Message::Request, rest, number, wire, after, MAX_DEPTH)?;
            }
        }
        Ok(self.walked)
    }

    fn resource_spans(&mut self, spans: Field<'a>) -> Result<(), Broken> {
        self.pieces.clear();
        self.kinds.clear();
        let mut rest = spans.content;
        while !rest.is_empty() {
            let (number, wire, after) = tag(rest)?;
            match number {
                1 | 2 => {
                    let field = Field::read(rest, number, wire, after)?;
                    rest = field.rest(rest);
                    if number == 1 {
                        self.pieces.push(field);
                    } else {
                        self.scope_spans(field.content)?;
                    }
                }
                _ => rest = skip(Message::ResourceSpans, rest, number, wire, after, MAX_DEPTH - 1)?,
            }
        }
        self.walked.resources += 1;
        self.resource.read(self.body, &self.pieces)?;
        (self.stamp)(&mut self.resource);
        self.emit(spans);
        Ok(())
    }

    fn scope_spans(&mut self, content: &'a [u8]) -> Result<(), Broken> {
        let mut rest = content;
        while !rest.is_empty() {
            let (number, wire, after) = tag(rest)?;
            if number == 2 && wire == LENGTH {
                let (span, tail) = wire::length_delimited(after).map_err(|kind| Broken::at(rest, kind))?;
                self.walked.spans += 1;
                walk_span(span, |kind| self.kinds.push(kind))?;
                rest = tail;
            } else {
                rest = skip(Message::ScopeSpans, rest, number, wire, after, MAX_DEPTH - 2)?;
            }
        }
        Ok(())
    }

    /// Turns what changed in one ResourceSpans into edits.
    fn emit(&mut self, spans: Field<'a>) {
        let kinds = if self.clear_kinds { self.kinds.as_slice() } else { &[] };
        if kinds.is_empty() && !self.resource.changed && self.pieces.len() == 1 {
            return;
        }
        self.draft.clear();
        match self.pieces.as_slice() {
            [] => {
                if self.resource.changed {
                    self.walked.resources_created += 1;
                    let at = wire::offset_in(self.body, spans.content);
                    self.draft.edit(at, 0, |out| self.resource.write_new(out));
                }
            }
            [piece] => self.resource.write_changes(self.body, *piece, &mut self.draft),
            // The rules of merging make these one Resource, but not every reader downstream merges.
            [first, others @ ..] => {
                let at = wire::offset_in(self.body, first.whole);
                self.draft.edit(at, first.whole.len(), |out| {
                    self.resource.write_merged(self.body, &self.pieces, out);
                });
                for piece in others {
                    self.draft.edit(wire::offset_in(self.body, piece.whole), piece.whole.len(), |_| ());
                }
            }
        }
        for kind in kinds {
            // As many bytes as before, so that no length around it changes: a varint may be padded.
            let at = wire::offset_in(self.body, kind);
            self.draft.edit(at, kind.len(), |out| {
                out.resize(out.len() + kind.len() - 1, 0x80);
                out.push(0);
            });
            self.walked.kinds_cleared += 1;
        }
        self.draft.enclose(self.body, spans);
        self.draft.move_to(&mut self.walked.edits);
    }
}

impl<'a> Field<'a> {
    fn read(start: &'a [u8], number: u32, wire: u8, after: &'a [u8]) -> Result<Self, Broken> {
        let broken = |kind| Broken::at(start, kind);
        if wire != LENGTH {
            return Err(broken(FaultKind::Mismatch { field: number, wire }));
        }
        let (content, rest) = wire::length_delimited(after).map_err(broken)?;
        let whole = start.get(..start.len() - rest.len()).unwrap_or(start);
        Ok(Self { whole, length: after, content })
    }

    /// What follows the field in the slice that begins with it.
    fn rest(&self, start: &'a [u8]) -> &'a [u8] {
        start.get(self.whole.len()..).unwrap_or_default()
    }

    /// How many bytes the length takes.
    pub(crate) fn length_len(&self) -> usize {
        self.content.as_ptr().addr() - self.length.as_ptr().addr()
    }
}

#[inline]
fn tag(start: &[u8]) -> Result<(u32, u8, &[u8]), Broken> {
    wire::tag(start).map_err(|kind| Broken::at(start, kind))
}

/// Skips a field that the walk does not look into; a known one must have its wire type.
#[inline]
fn skip<'a>(
    message: Message,
    start: &'a [u8],
    number: u32,
    wire: u8,
    after: &'a [u8],
    depth: u32,
) -> Result<&'a [u8], Broken> {
    let broken = |kind| Broken::at(start, kind);
    if message.field(number).is_some_and(|(_, kind)| kind.wire() != wire) {
        return Err(broken(FaultKind::Mismatch { field: number, wire }));
    }
    wire::skip(number, wire, after, depth).map_err(broken)
}

/// Walks a span's own fields; `bad_kind` gets the bytes of each kind outside 0..5.
///
/// This is where the time goes. Fields as encoders write them are stepped over by adding up, and whether the last of them
/// ran past the end is asked once. All other ways to write a field take [`walk_field`].
#[inline]
fn walk_span<'a>(span: &'a [u8], mut bad_kind: impl FnMut(&'a [u8])) -> Result<(), Broken> {
    let mut at = 0;
    let mut last = 0;
    while let Some(tag_byte) = span.get(at) {
        last = at;
        let step = match (SHORT_FIELDS.get(usize::from(*tag_byte)), span.get(at + 1)) {
            (Some(&LENGTH_FIELD), Some(length)) if *length < 0x80 => 2 + usize::from(*length),
            (Some(&LENGTH_FIELD), Some(low)) => match span.get(at + 2) {
                Some(high) if *high < 0x80 => 3 + (usize::from(*low & 0x7f) | usize::from(*high) << 7),
                _ => SLOW,
            },
            (Some(&FIXED64_FIELD), _) => 9,
            (Some(&KIND), Some(0..=5)) => 2,
            (Some(&FLAGS), Some(0x01)) => 6,
            _ => SLOW,
        };
        if step == SLOW {
            let start = span.get(at..).unwrap_or_default();
            at = span.len() - walk_field(start, &mut bad_kind)?.len();
        } else {
            at += step;
        }
    }
    if at > span.len() {
        return Err(Broken::at(span.get(last..).unwrap_or_default(), FaultKind::Truncated));
    }
    Ok(())
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
            match kind.wire() {
                LENGTH => table[tag] = LENGTH_FIELD,
                FIXED64 => table[tag] = FIXED64_FIELD,
                _ => (),
            }
        }
        number += 1;
    }
    table[6 << 3 | VARINT as usize] = KIND;
    table[0x85] = FLAGS;
    table
};
const LENGTH_FIELD: u8 = 1;
const FIXED64_FIELD: u8 = 2;
const KIND: u8 = 3;
/// Field 16, 32 bits: the one known field whose tag takes two bytes, 0x85 and 0x01.
const FLAGS: u8 = 4;

/// Walks one field of a span, however it is written; gives what follows.
fn walk_field<'a>(start: &'a [u8], bad_kind: &mut impl FnMut(&'a [u8])) -> Result<&'a [u8], Broken> {
    let (number, wire, after) = tag(start)?;
    if number != 6 || wire != VARINT {
        return skip(Message::Span, start, number, wire, after, MAX_DEPTH - 3);
    }
    let (kind, tail) = wire::varint(after).map_err(|kind| Broken::at(start, kind))?;
    note_kind(kind, after, tail, bad_kind);
    Ok(tail)
}

#[inline]
fn note_kind<'a>(kind: u64, after: &'a [u8], tail: &[u8], bad_kind: &mut impl FnMut(&'a [u8])) {
    // protobuf reads an enum as the low 32 bits of its varint.
    if kind as u32 > 5
        && let Some(bytes) = after.get(..after.len() - tail.len())
    {
        bad_kind(bytes);
    }
}
