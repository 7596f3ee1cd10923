//! The walk over an export request: reads Resources whole and spans down to their own fields, and collects the edits that
//! its caller's changes amount to. One pass, nothing allocated for a span.
//!
//! Requests of all signals have the same shape down to their scopes. In metrics and logs nothing below scopes is looked at.
//!
//! The walk does not look into the attributes, events, links and scopes of spans: [`crate::message::diagnose`] does.

mod field;
mod met;
mod span;
mod split;

use crate::bounds::{
    Bound, MAX_ATTRIBUTES, MAX_DEPTH, MAX_EDITS, MAX_INSERTED, MAX_MATCHED, MAX_RESOURCE_BYTES,
    MAX_RESOURCE_PARTS, MAX_RESOURCES,
};
use crate::edit::Edits;
use crate::edit::draft::Draft;
use crate::fault::{BodyFault, Broken, FaultKind};
use crate::guard::checks::Checks;
use crate::guard::memory::{self, Load, Packing};
use crate::guard::names::{self, LongName};
use crate::guard::peers;
use crate::guard::times::TimesMet;
use crate::interface::{AddressSource, Part};
use crate::message::{Message, locate};
use crate::resource::Resource;
use crate::signal::Signal;
use crate::stamps::{Facts, Stamp};
use crate::wire::{self, Field, LENGTH, put_varint, varint_len};
use field::{skip, tag};
use met::Met;
use span::walk_span;

/// The results of a walk.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// The changes; empty if the body can go on as it is.
    pub edits: Edits,
    /// ResourceSpans, ResourceMetrics or ResourceLogs.
    pub resources: u32,
    /// Spans.
    pub spans: u32,
    /// Span kinds outside 0..5 that were cleared.
    pub kinds_cleared: u32,
    /// Resources created because ResourceSpans had none.
    pub resources_created: u32,
    /// Peer addresses in spans that got another key.
    pub peers_renamed: u32,
    /// Names of spans that were cut.
    pub names_cut: u32,
    /// Spans whose times are odd.
    pub times: TimesMet,
    /// The requests that the edited body leaves as.
    pub parts: Vec<Part>,
}

/// What a walk has done to the Resources that it meets.
pub(crate) trait Stamper<'a> {
    /// Changes a Resource. ResourceSpans without one give an empty one.
    fn stamp(&mut self, resource: &mut Resource<'a>);

    /// What becomes of a Resource with this content in any case, so that it need not be read.
    fn recall(&mut self, _content: &[u8]) -> Option<Stamp<'_>> {
        None
    }

    /// Counts a Resource that was recalled.
    fn count(&mut self, _source: AddressSource) {}

    /// Takes note of what has become of a Resource with this content, which was stamped last. `stamp` has no source.
    fn note(&mut self, _content: &[u8], _resource: &Resource<'a>, _stamp: Stamp<'_>) {}
}

/// Changes every Resource, and remembers none.
impl<'a, F: FnMut(&mut Resource<'a>)> Stamper<'a> for F {
    fn stamp(&mut self, resource: &mut Resource<'a>) {
        self(resource);
    }
}

/// Walks a request. `stamp` is called with every resource and may change it; ResourceSpans without a Resource give it an empty
/// one.
pub fn walk<'a>(
    body: &'a [u8],
    checks: &Checks,
    stamp: impl FnMut(&mut Resource<'a>),
) -> Result<Walked, BodyFault> {
    walk_with(body, checks, stamp)
}

/// [`walk`], with a stamper that may know Resources already.
pub(crate) fn walk_with<'a>(
    body: &'a [u8],
    checks: &Checks,
    mut stamper: impl Stamper<'a>,
) -> Result<Walked, BodyFault> {
    let walk = Walk {
        body,
        checks: *checks,
        walked: Walked::default(),
        resource: Resource::default(),
        pieces: Vec::new(),
        met: Met::default(),
        draft: Draft::default(),
        packing: Packing::new(checks.limits),
        grown: 0,
        repeated: 0,
        attributes: 0,
    };
    walk.request(&mut stamper).map_err(|broken| locate(checks.signal, body, broken))
}

struct Walk<'a> {
    body: &'a [u8],
    checks: Checks,
    walked: Walked,
    // These buffers are reused for each ResourceSpans.
    resource: Resource<'a>,
    pieces: Vec<Field<'a>>,
    met: Met<'a>,
    draft: Draft,
    packing: Packing,
    /// By how much the edits so far make the body longer, modulo 2^64.
    grown: usize,
    /// Bytes that were repeated for splitting.
    repeated: usize,
    /// Attributes and entity references of the Resources so far.
    attributes: usize,
}

impl<'a> Walk<'a> {
    fn request<S: Stamper<'a>>(mut self, stamper: &mut S) -> Result<Walked, Broken> {
        let mut rest = self.body;
        while !rest.is_empty() {
            let (number, wire, after) = tag(rest)?;
            if number == 1 {
                let field = Field::read(rest, number, wire, after)?;
                rest = field.rest(rest);
                self.resource_spans(field, stamper)?;
            } else {
                let tail = skip(Message::Request, rest, number, wire, after, MAX_DEPTH)?;
                self.packing.add_bytes(rest.len() - tail.len());
                rest = tail;
            }
        }
        self.walked.parts = self.packing.finish(self.body.len().wrapping_add(self.grown));
        Ok(self.walked)
    }

    fn resource_spans<S: Stamper<'a>>(&mut self, spans: Field<'a>, stamper: &mut S) -> Result<(), Broken> {
        self.pieces.clear();
        self.met.clear();
        let mut rest = spans.content;
        while !rest.is_empty() {
            let (number, wire, after) = tag(rest)?;
            match number {
                1 | 2 => {
                    let field = Field::read(rest, number, wire, after)?;
                    rest = field.rest(rest);
                    if number == 2 {
                        if self.checks.signal == Signal::Traces {
                            self.scope_spans(field)?;
                        }
                    } else if self.pieces.len() < MAX_RESOURCE_PARTS {
                        self.pieces.push(field);
                    } else {
                        return Err(Broken::at(field.whole, FaultKind::TooMany(Bound::ResourceParts)));
                    }
                }
                _ => rest = skip(Message::ResourceSpans, rest, number, wire, after, MAX_DEPTH - 1)?,
            }
        }
        if self.walked.resources == MAX_RESOURCES {
            return Err(Broken::at(spans.whole, FaultKind::TooMany(Bound::Resources)));
        }
        if self.pieces.iter().map(|piece| piece.content.len()).sum::<usize>() > MAX_RESOURCE_BYTES {
            let first = self.pieces.first().map_or(spans.whole, |piece| piece.whole);
            return Err(Broken::at(first, FaultKind::TooMany(Bound::ResourceBytes)));
        }
        self.walked.resources += 1;
        if !self.recall(spans, stamper)? {
            self.read_and_stamp(spans, stamper)?;
        }
        self.walked.spans += self.met.spans;
        let Edits { edits, inserted } = &self.walked.edits;
        let bound = match () {
            () if edits.len() > MAX_EDITS => Bound::Edits,
            () if inserted.len() > MAX_INSERTED => Bound::Inserted,
            () if self.resource.matched > MAX_MATCHED => Bound::Matched,
            () => return Ok(()),
        };
        Err(Broken::at(spans.whole, FaultKind::TooMany(bound)))
    }

    /// Does with ResourceSpans what is known of their Resource. False where nothing is, where something in the spans changes or is odd,
    /// or where it takes several requests.
    fn recall<S: Stamper<'a>>(&mut self, spans: Field<'a>, stamper: &mut S) -> Result<bool, Broken> {
        let [piece] = *self.pieces.as_slice() else { return Ok(false) };
        if !self.met.is_plain() {
            return Ok(false);
        }
        let Some(Stamp { added, facts }) = stamper.recall(piece.content) else { return Ok(false) };
        let (emission, _) = self.emission(facts.copied_each);
        if !emission.add(spans, piece, added.len(), |out| out.extend_from_slice(added)) {
            return Ok(false);
        }
        self.count_attributes(spans, facts.attributes)?;
        stamper.count(facts.source);
        Ok(true)
    }

    /// Reads the Resource of ResourceSpans, has it changed, and turns what changed into edits.
    fn read_and_stamp<S: Stamper<'a>>(&mut self, spans: Field<'a>, stamper: &mut S) -> Result<(), Broken> {
        self.resource.read(self.body, &self.pieces)?;
        let attributes = self.resource.attributes.len() + self.resource.entity_refs.len();
        self.count_attributes(spans, attributes)?;
        if self.checks.signal == Signal::Traces {
            self.resource.set_spans(spans.content);
        }
        let matched = self.resource.matched;
        stamper.stamp(&mut self.resource);
        self.walked.kinds_cleared += self.met.kinds.len() as u32;
        self.walked.names_cut += self.met.names.len() as u32;
        self.walked.times.add(&self.met.times, || self.resource.text("service.name"));
        let copied_each = memory::copied_each(&self.resource);
        let Some((piece, added)) = self.emit_added(spans, copied_each) else {
            return self.emit_drafted(spans, copied_each);
        };
        if self.resource.matched == matched {
            let inserted = &self.walked.edits.inserted;
            let added = inserted.get(inserted.len() - added..).unwrap_or_default();
            let facts = Facts { attributes, copied_each, ..Facts::default() };
            stamper.note(piece.content, &self.resource, Stamp { added, facts });
        }
        Ok(())
    }

    /// Counts attributes and entity references of a Resource.
    fn count_attributes(&mut self, spans: Field<'_>, attributes: usize) -> Result<(), Broken> {
        self.attributes += attributes;
        if self.attributes > MAX_ATTRIBUTES {
            return Err(Broken::at(spans.whole, FaultKind::TooMany(Bound::Attributes)));
        }
        Ok(())
    }

    fn scope_spans(&mut self, scope_spans: Field<'a>) -> Result<(), Broken> {
        let mut rest = scope_spans.content;
        while !rest.is_empty() {
            let (span, tail) = match span_as_encoded(rest) {
                Some(parts) => parts,
                None => match scope_field(rest)? {
                    (Some(span), tail) => (span, tail),
                    (None, tail) => {
                        rest = tail;
                        continue;
                    }
                },
            };
            self.met.spans += 1;
            let wide = self.body.get(wire::offset_in(self.body, span)..).unwrap_or(span);
            walk_span(span, wide, &self.checks, &mut self.met)?;
            if span.len() > names::HARMLESS && self.checks.long_names {
                self.met.note_name(scope_spans, rest)?;
            }
            rest = tail;
        }
        Ok(())
    }

    /// Emits the edits of ResourceSpans in which nothing changes but that attributes are added to its Resource, as nearly all do. Gives
    /// the Resource, and how many bytes are added; `None` where that is not so, or where it takes several requests.
    fn emit_added(&mut self, spans: Field<'a>, copied_each: u64) -> Option<(Field<'a>, usize)> {
        let [piece] = *self.pieces.as_slice() else { return None };
        if !self.met.changes_nothing() {
            return None;
        }
        let (emission, resource) = self.emission(copied_each);
        let added = resource.only_added()?;
        emission.add(spans, piece, added, |out| resource.write_added(out)).then_some((piece, added))
    }

    /// What takes the edits of ResourceSpans for whose spans the agent copies so many bytes each, and the Resource.
    fn emission(&mut self, copied_each: u64) -> (Emission<'_, 'a>, &Resource<'a>) {
        let Self { body, walked, met, packing, grown, resource, .. } = self;
        let load = Load::new(0, met.spans, copied_each);
        (Emission { body, edits: &mut walked.edits, packing, grown, load }, resource)
    }

    /// Emits the edits of ResourceSpans of any kind.
    fn emit_drafted(&mut self, spans: Field<'a>, each: u64) -> Result<(), Broken> {
        self.draft.clear();
        if !self.met.changes_nothing() || self.resource.changed || self.pieces.len() != 1 {
            self.draft_changes(spans);
        }
        let length = spans.whole.len().wrapping_add(self.draft.growth());
        let begin = self.grown_offset(spans.whole);
        if !self.packing.add(Load::new(length, self.met.spans, each), begin) {
            self.split(spans, each)?;
        }
        self.grown = self.grown.wrapping_add(self.draft.growth());
        self.draft.move_to(&mut self.walked.edits);
        Ok(())
    }

    /// Where `part` begins in the edited body, once the edits of everything before it are emitted.
    fn grown_offset(&self, part: &[u8]) -> usize {
        wire::offset_in(self.body, part).wrapping_add(self.grown)
    }

    /// Drafts what changed in ResourceSpans that leave in one piece.
    fn draft_changes(&mut self, spans: Field<'a>) {
        match self.pieces.as_slice() {
            [] => {
                if self.resource.changed {
                    self.walked.resources_created += 1;
                    let at = wire::offset_in(self.body, spans.content);
                    self.draft.edit(at, 0, |out| self.resource.write_new(out));
                }
            }
            [piece] => self.resource.write_changes(self.body, *piece, &mut self.draft),
            // protobuf's rules of merging make these pieces one Resource, but not every reader downstream merges.
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
        self.walked.peers_renamed += self.draft_spans();
        for names in self.met.names.chunk_by(LongName::is_beside) {
            if let Some(LongName { scope_spans, .. }) = names.first() {
                let length = scope_spans.content.len() - names.iter().map(LongName::shrinks).sum::<usize>();
                let at = wire::offset_in(self.body, scope_spans.length);
                self.draft.edit(at, scope_spans.length_len(), |out| put_varint(out, length as u64));
            }
        }
        self.draft.enclose(self.body, spans);
    }

    /// Drafts the changes that rules make to spans; gives the number of peers' addresses renamed. A span keeps its length, unless
    /// its name is cut.
    fn draft_spans(&mut self) -> u32 {
        for kind in &self.met.kinds {
            // The 0 takes as many bytes as the kind did: a varint may be padded.
            let at = wire::offset_in(self.body, kind);
            self.draft.edit(at, kind.len(), |out| {
                out.resize(out.len() + kind.len() - 1, 0x80);
                out.push(0);
            });
        }
        self.met.times.move_back(self.body, &self.checks.times, &mut self.draft);
        for name in &self.met.names {
            name.cut(self.body, &mut self.draft);
        }
        peers::rename(self.body, &self.resource, &self.met.peers, &mut self.draft)
    }
}

/// What takes the edits of ResourceSpans in which all that changes is that attributes are added to their Resource.
struct Emission<'w, 'a> {
    body: &'a [u8],
    edits: &'w mut Edits,
    packing: &'w mut Packing,
    grown: &'w mut usize,
    /// The load of the ResourceSpans, but for their bytes.
    load: Load,
}

impl<'a> Emission<'_, 'a> {
    /// Has `added` bytes, which `write` appends, come to the end of the Resource `piece`: two lengths change, and there are the bytes.
    /// False, and nothing is emitted, where that takes several requests.
    fn add(self, spans: Field<'a>, piece: Field<'a>, added: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Self { body, edits, packing, grown, load } = self;
        let offset = |part| wire::offset_in(body, part);
        let begin = offset(spans.whole).wrapping_add(*grown);
        if added == 0 {
            return packing.add(load.with_bytes(spans.whole.len()), begin);
        }
        let resource = piece.content.len() + added;
        let longer = (added + varint_len(resource as u64)).wrapping_sub(piece.length_len());
        let content = spans.content.len().wrapping_add(longer);
        // A padded length may have room for the attributes; the one around it then stays.
        let length = if longer == 0 { spans.length_len() } else { varint_len(content as u64) };
        let whole =
            (spans.whole.len() - spans.content.len() - spans.length_len() + length).wrapping_add(content);
        if !packing.add(load.with_bytes(whole), begin) {
            return false;
        }
        *grown = grown.wrapping_add(whole).wrapping_sub(spans.whole.len());
        edits.inserted.reserve(added + 2 * MAX_VARINT);
        if longer != 0 {
            edits.add(offset(spans.length), spans.length_len(), |out| put_varint(out, content as u64));
        }
        edits.add(offset(piece.length), piece.length_len(), |out| put_varint(out, resource as u64));
        edits.add(offset(piece.content) + piece.content.len(), 0, write);
        true
    }
}

/// Bytes of the longest varint.
const MAX_VARINT: usize = 10;

/// The content of a span with which `start` begins, as encoders write it, and the bytes that follow.
#[inline(always)]
fn span_as_encoded(start: &[u8]) -> Option<(&[u8], &[u8])> {
    match start {
        [SPAN, length @ 0..0x80, rest @ ..] => rest.split_at_checked(usize::from(*length)),
        [SPAN, low, high @ 0..0x80, rest @ ..] => {
            rest.split_at_checked(usize::from(*low & 0x7f) | usize::from(*high) << 7)
        }
        _ => None,
    }
}

/// The content of a field of ScopeSpans, however it is written, if it is a span, and the bytes that follow.
#[inline(never)]
fn scope_field(start: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Broken> {
    let (number, wire, after) = tag(start)?;
    if (number, wire) != (2, LENGTH) {
        return Ok((None, skip(Message::ScopeSpans, start, number, wire, after, MAX_DEPTH - 2)?));
    }
    let (span, tail) = wire::length_delimited(after).map_err(|kind| Broken::at(start, kind))?;
    Ok((Some(span), tail))
}

/// The tag of a span in ScopeSpans.
const SPAN: u8 = 2 << 3 | LENGTH;
