//! Splitting: ResourceSpans that are too much for one request leave as several, each of which is whole by itself. The Resource,
//! its schema, the scope and its schema are repeated, spans are not touched.
//!
//! Spans keep their order. Unknown fields, which are neither repeated nor spans, stay where they are, once.

use super::Walk;
use crate::bounds::MAX_DEPTH;
use crate::edit::draft::Draft;
use crate::fault::{Broken, FaultKind};
use crate::guard::memory::{Limits, Load};
use crate::guard::names::LongName;
use crate::wire::{self, Field, LENGTH, put_field, put_varint, varint_len};

impl<'a> Walk<'a> {
    /// Drafts ResourceSpans in pieces. `each` is the number of bytes that the agent copies for each of their spans.
    pub(super) fn split(&mut self, spans: Field<'a>, each: u64) -> Result<(), Broken> {
        self.draft.clear();
        self.draft_spans();
        let mut repeated = Vec::new();
        match self.pieces.as_slice() {
            [] if self.resource.changed => self.resource.write_new(&mut repeated),
            [] => (),
            pieces => self.resource.write_merged(self.body, pieces, &mut repeated),
        }
        let mut schema = None;
        for_fields(spans.content, |field, number| {
            if number == SCHEMA_URL {
                schema = Some(field);
            }
            Ok(())
        })?;
        repeated.extend_from_slice(schema.map_or(&[], |field: Field<'_>| field.whole));
        let mut splitting = Splitting {
            body: self.body,
            limits: *self.packing.limits(),
            each,
            whole: spans,
            // With this a body gets at most twice as long.
            allowance: self.body.len().max(MIN_ALLOWANCE).saturating_sub(self.repeated),
            names: &self.met.names,
            draft: &mut self.draft,
            at: wire::offset_in(self.body, spans.whole),
            header: spans.whole.len() - spans.content.len(),
            load: Load::new(repeated.len() + HEADER, 0, 0),
            repeated,
            content: 0,
            segments: Vec::new(),
            done: Vec::new(),
        };
        splitting.run()?;
        let Splitting { done, load: last, allowance, .. } = splitting;
        self.repeated = self.body.len().max(MIN_ALLOWANCE) - allowance;
        let begin = self.grown_offset(spans.whole);
        let cuts: Vec<_> = done.iter().map(|(_, cut)| *cut).collect();
        let ends = cuts
            .iter()
            .zip(self.draft.growth_before(&cuts))
            .map(|(cut, growth)| cut.wrapping_add(self.grown).wrapping_add(growth));
        let mut begins = std::iter::once(begin).chain(ends);
        let loads = done.iter().map(|(load, _)| *load).chain([last]);
        for (load, begin) in loads.zip(&mut begins) {
            self.packing.next(load, begin);
        }
        Ok(())
    }
}

struct Splitting<'w, 'a> {
    body: &'a [u8],
    limits: Limits,
    each: u64,
    /// The ResourceSpans.
    whole: Field<'a>,
    /// The fields that are repeated at the beginning of each piece.
    repeated: Vec<u8>,
    /// How many bytes may still be repeated.
    allowance: usize,
    /// The names to be cut in spans that are still to come.
    names: &'w [LongName<'a>],
    draft: &'w mut Draft,
    /// Where the open piece begins in the body, and how long the header is that stands there.
    at: usize,
    header: usize,
    load: Load,
    /// Bytes of the open piece besides repeated fields and segments.
    content: usize,
    /// The open piece's own pieces of ScopeSpans.
    segments: Vec<Segment>,
    /// The load of each piece before the open one, and where it ends.
    done: Vec<(Load, usize)>,
}

/// A piece of ScopeSpans.
struct Segment {
    at: usize,
    /// Bytes of the header that stands there.
    header: usize,
    /// The header that takes its place, and the repeated fields behind it.
    begin: Vec<u8>,
}

impl<'a> Splitting<'_, 'a> {
    fn run(&mut self) -> Result<(), Broken> {
        let whole = self.whole;
        for_fields(whole.content, |field, number| {
            match number {
                RESOURCE | SCHEMA_URL => self.remove(field),
                SCOPE_SPANS => self.scope_spans(field)?,
                _ => self.keep(field)?,
            }
            Ok(())
        })?;
        self.close()
    }

    fn remove(&mut self, field: Field<'_>) {
        self.draft.edit(wire::offset_in(self.body, field.whole), field.whole.len(), |_| ());
    }

    fn keep(&mut self, field: Field<'_>) -> Result<(), Broken> {
        let load = Load::new(field.whole.len(), 0, 0);
        if !self.takes(load) {
            self.next(wire::offset_in(self.body, field.whole))?;
        }
        self.load = self.load.and(load);
        self.content += field.whole.len();
        Ok(())
    }

    /// Keeps ScopeSpans in one piece where they fit.
    fn scope_spans(&mut self, field: Field<'a>) -> Result<(), Broken> {
        let mut spans = 0;
        for_fields(field.content, |_, number| {
            spans += u32::from(number == SPANS);
            Ok(())
        })?;
        if spans == 0 {
            // Without spans there is nothing to share out: cutting would only write the same field anew.
            return self.keep(field);
        }
        let end = wire::offset_in(self.body, field.content) + field.content.len();
        let body = self.body;
        let within = self.names.iter().take_while(|name| wire::offset_in(body, name.span()) < end).count();
        let (within, after) = self.names.split_at_checked(within).unwrap_or_default();
        let shrinks: usize = within.iter().map(LongName::shrinks).sum();
        let load = Load::new(field.whole.len() - shrinks, spans, self.each);
        if !self.load.and(load).fits(&self.limits) {
            let fresh = Load::new(self.repeated.len() + HEADER, 0, 0);
            if !fresh.and(load).fits(&self.limits) {
                return self.cut(field);
            }
            self.next(wire::offset_in(self.body, field.whole))?;
        }
        self.load = self.load.and(load);
        self.names = after;
        let content = field.content.len() - shrinks;
        if shrinks > 0 {
            let at = wire::offset_in(self.body, field.length);
            self.draft.edit(at, field.length_len(), |out| put_varint(out, content as u64));
            self.content += field.whole.len() - field.content.len() - field.length_len();
            self.content += varint_len(content as u64) + content;
        } else {
            self.content += field.whole.len();
        }
        Ok(())
    }

    /// Cuts ScopeSpans into pieces.
    fn cut(&mut self, field: Field<'a>) -> Result<(), Broken> {
        let repeated = self.scope(field)?;
        let mut at = wire::offset_in(self.body, field.whole);
        let mut header = field.whole.len() - field.content.len();
        let mut content = 0;
        self.load.bytes += (repeated.len() + HEADER) as u64;
        for_fields(field.content, |field, number| {
            if matches!(number, SCOPE | SCHEMA_URL) {
                return Ok(());
            }
            let here = wire::offset_in(self.body, field.whole);
            let long = self.names.first().filter(|name| wire::offset_in(self.body, name.span()) == here);
            let length = field.whole.len() - long.map_or(0, LongName::shrinks);
            if long.is_some() {
                self.names = self.names.get(1..).unwrap_or_default();
            }
            let load = Load::new(length, u32::from(number == SPANS), self.each);
            if !self.takes(load) {
                if content > 0 {
                    self.end_segment(at, header, &repeated, content);
                    (at, header, content) = (here, 0, 0);
                }
                self.next(at)?;
                self.repeat(repeated.len())?;
                self.load.bytes += (repeated.len() + HEADER) as u64;
                if !self.takes(load) {
                    return Err(Broken::at(field.content, FaultKind::Unsplittable));
                }
            }
            self.load = self.load.and(load);
            content += length;
            Ok(())
        })?;
        self.end_segment(at, header, &repeated, content);
        Ok(())
    }

    /// Takes the scope and its schema, which are repeated in each piece, out of ScopeSpans.
    fn scope(&mut self, field: Field<'a>) -> Result<Vec<u8>, Broken> {
        let (mut scope, mut schema): (Option<Vec<u8>>, &[u8]) = (None, &[]);
        for_fields(field.content, |field, number| {
            match number {
                // Pieces of a message mean the same put end to end.
                SCOPE => scope.get_or_insert_default().extend_from_slice(field.content),
                SCHEMA_URL => schema = field.whole,
                _ => return Ok(()),
            }
            self.remove(field);
            Ok(())
        })?;
        let mut repeated = Vec::new();
        if let Some(scope) = scope {
            put_field(&mut repeated, SCOPE, &scope);
        }
        repeated.extend_from_slice(schema);
        Ok(repeated)
    }

    /// Whether `load` fits into the open piece. A piece without spans takes a load over the limits of spans and bytes, but not of
    /// memory.
    fn takes(&self, load: Load) -> bool {
        let together = self.load.and(load);
        together.fits(&self.limits) || self.load.spans == 0 && together.memory() <= self.limits.memory
    }

    fn end_segment(&mut self, at: usize, header: usize, repeated: &[u8], content: usize) {
        let mut begin = vec![SCOPE_SPANS_TAG];
        put_varint(&mut begin, (repeated.len() + content) as u64);
        begin.extend_from_slice(repeated);
        self.content += begin.len() + content;
        self.segments.push(Segment { at, header, begin });
    }

    /// Ends the open piece; the next one begins at `at`.
    fn next(&mut self, at: usize) -> Result<(), Broken> {
        self.close()?;
        self.repeat(self.repeated.len())?;
        self.done.push((self.load, at));
        self.load = Load::new(self.repeated.len() + HEADER, 0, 0);
        (self.at, self.header, self.content) = (at, 0, 0);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Broken> {
        if self.load.memory() > self.limits.memory {
            return Err(Broken::at(self.whole.content, FaultKind::Unsplittable));
        }
        let Self { repeated, content, .. } = self;
        self.draft.edit(self.at, self.header, |out| {
            out.push(RESOURCE_SPANS_TAG);
            put_varint(out, (repeated.len() + *content) as u64);
            out.extend_from_slice(repeated);
        });
        for Segment { at, header, begin } in self.segments.drain(..) {
            self.draft.edit(at, header, |out| out.extend_from_slice(&begin));
        }
        Ok(())
    }

    fn repeat(&mut self, bytes: usize) -> Result<(), Broken> {
        self.allowance = self
            .allowance
            .checked_sub(bytes)
            .ok_or(Broken::at(self.whole.content, FaultKind::Unsplittable))?;
        Ok(())
    }
}

/// Calls `visit` for each field of a message that was walked: with its number where it has a length, with 0 where it has none.
fn for_fields<'a>(
    content: &'a [u8],
    mut visit: impl FnMut(Field<'a>, u32) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut rest = content;
    while !rest.is_empty() {
        let (number, wire, after) = super::tag(rest)?;
        if wire == LENGTH {
            let field = Field::read(rest, number, wire, after)?;
            visit(field, number)?;
            rest = field.rest(rest);
        } else {
            let tail = wire::skip(number, wire, after, MAX_DEPTH).map_err(|kind| Broken::at(rest, kind))?;
            let whole = rest.get(..rest.len() - tail.len()).unwrap_or(rest);
            visit(Field { whole, length: after, content: &[] }, 0)?;
            rest = tail;
        }
    }
    Ok(())
}

/// Field numbers.
const RESOURCE: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SCOPE: u32 = 1;
const SPANS: u32 = 2;
const SCHEMA_URL: u32 = 3;
const RESOURCE_SPANS_TAG: u8 = 1 << 3 | LENGTH;
const SCOPE_SPANS_TAG: u8 = 2 << 3 | LENGTH;

/// The most bytes that a header takes: tag and length.
const HEADER: usize = 6;

/// Bytes that may be repeated however short the body is.
const MIN_ALLOWANCE: usize = 1 << 20;
