//! Changes a DEFLATE stream (RFC 1951) where its body changes.
//!
//! What a client compressed leaves with an attribute more: finding all its repetitions once more would take several times what all the
//! rest takes. Instead the symbols are read, and go on as they are. Inserted bytes go in as literals. Where a symbol repeats what was
//! written ahead of a change, it says how far back that was, which is farther now. That can be so for [`WINDOW`] bytes behind a change;
//! the rest is copied. Where there is much of it, empty blocks are put ahead of it, so that it begins at the same bit of a byte as
//! before, and is copied without being read.
//!
//! A block's own codes may lack what is to be written. That goes into a block of its own, with the codes that DEFLATE knows beforehand
//! (fixed ones), and the block's codes are written once more for the rest of it. Where too much of that comes together, splicing is not
//! worth while.

mod symbols;

use std::ops::Range;

use podstamp_core::interface::Edits;

use crate::member;
use crate::stream::{self, Bits, Codes, Head, Kind, Writer};
use symbols::{Alphabet, FIXED};

/// The DEFLATE stream of the edited body. `member` is a gzip member whose body is `original`, as who has inflated it knows. `None`: it
/// is to be compressed anew, since the edits do not fit the body, what comes out would be much larger, or the member is none of the
/// body.
pub fn spliced(member: &[u8], original: &[u8], edits: &Edits) -> Option<Vec<u8>> {
    let (stream, length) = member::stream(member)?;
    let mut changes = Vec::with_capacity(edits.edits.len());
    let (mut grown, mut rest) = (0, edits.inserted.as_slice());
    for edit in &edits.edits {
        let (inserted, others) = rest.split_at_checked(edit.insert as usize)?;
        rest = others;
        grown += i64::from(edit.insert) - i64::from(edit.remove);
        let at = edit.offset as usize;
        changes.push(Change { at, end: at + edit.remove as usize, inserted, grown });
    }
    let splice = Splice {
        bits: Bits::new(stream),
        length,
        out: Writer::with_capacity(length + edits.inserted.len() + length / SPARE),
        original,
        settled: changes.last().map_or(0, |change| change.end) + WINDOW,
        changes,
        next: 0,
        at: 0,
        open: Open::None,
        // A literal takes some 9 bits.
        spare: 9 * edits.inserted.len() + 8 * length / SPARE,
    };
    splice.run()
}

/// A change of the original body.
struct Change<'a> {
    at: usize,
    /// Up to where the original is dropped.
    end: usize,
    inserted: &'a [u8],
    /// By how much the body is longer behind it.
    grown: i64,
}

struct Splice<'a> {
    bits: Bits<'a>,
    /// Bytes of the stream.
    length: usize,
    out: Writer,
    original: &'a [u8],
    changes: Vec<Change<'a>>,
    /// The first change that is not made yet.
    next: usize,
    /// How much of the original is read.
    at: usize,
    /// From where on in the original nothing changes any more.
    settled: usize,
    open: Open,
    /// By how many bits the stream may become longer.
    spare: usize,
}

/// The block that is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    /// With the codes of the one that is being read.
    Own,
    /// With fixed codes.
    Fixed,
}

/// A block that is being read.
struct Block<'c> {
    codes: &'c Codes,
    own: &'c Alphabet,
    is_last: bool,
    /// Its beginning but for the bit that says whether it is the last.
    head: Range<usize>,
}

impl Splice<'_> {
    fn run(mut self) -> Option<Vec<u8>> {
        loop {
            let begin = self.bits.at + 1;
            let Head { is_last, kind } = self.bits.read_head()?;
            let head = begin..self.bits.at;
            let is_joined = match kind {
                Kind::Stored => {
                    self.stored()?;
                    false
                }
                Kind::Fixed => self.block(&Block { codes: &stream::FIXED, own: &FIXED, is_last, head })?,
                Kind::Own(lengths) => {
                    let (codes, own) = (&lengths.codes(), &Alphabet::new(&lengths));
                    self.block(&Block { codes, own, is_last, head })?
                }
            };
            if is_joined {
                return self.joined();
            }
            if self.bits.at > 8 * self.length {
                return None;
            }
            if is_last {
                break;
            }
        }
        let is_whole = self.is_settled() || self.at == self.original.len();
        if !is_whole || self.bits.at.div_ceil(8) != self.length {
            return None;
        }
        self.change(None)?;
        if self.next < self.changes.len() {
            return None;
        }
        self.close(None)?;
        let (last, bits) = EMPTY_LAST;
        self.out.put(last, bits);
        Some(self.out.finish())
    }

    fn is_settled(&self) -> bool {
        self.at >= self.settled
    }

    /// A block without symbols: the empty ones that clients write to end at a whole byte, and those that cannot be compressed.
    fn stored(&mut self) -> Option<()> {
        let mut body = self.bits;
        self.bits.skip_stored()?;
        body.at = body.at.next_multiple_of(8);
        let length = body.take(16);
        if length == 0 {
            return Some(());
        }
        if !self.is_settled() {
            return None;
        }
        self.close(None)?;
        self.out.store(body.bytes(body.at / 8 + 2, length)?);
        Some(())
    }

    /// Reads a block and writes it, up to its end; true: or up to where the rest of the stream follows as it is.
    fn block(&mut self, block: &Block<'_>) -> Option<bool> {
        let is_far = self.bits.at / 8 + FAR < self.length;
        while is_far || !self.is_settled() {
            if self.is_settled() && self.joins(block)? {
                return Some(true);
            }
            self.change(Some(block))?;
            let begin = self.bits.at;
            let literal = block.codes.literals.step(self.bits.peek());
            let is_behind = begin > 8 * self.length;
            if is_behind || literal.bits() == 0 || self.out.len() > begin + self.spare {
                return None;
            }
            self.bits.at += literal.bits();
            if literal.is_end() {
                if self.open == Open::Own {
                    self.out.copy(self.bits, begin..self.bits.at);
                    self.open = Open::None;
                }
                return Some(false);
            }
            if literal.is_plain() {
                if !self.is_dropped() {
                    self.literals(Some(block), &[literal.symbol() as u8])?;
                }
                self.at += 1;
            } else {
                let length = symbols::length(literal, self.bits)?;
                let distance = block.codes.distances.step(self.bits.peek());
                self.bits.at += distance.bits();
                let distance = symbols::distance(distance, self.bits)?;
                self.repeat(block, length, distance, begin..self.bits.at)?;
            }
        }
        let begin = self.bits.at;
        self.bits.skip_symbols(block.codes)?;
        self.open_own(block)?;
        self.out.copy(self.bits, begin..self.bits.at);
        self.open = Open::None;
        Some(false)
    }

    /// Begins the block that is being read once more, so that the rest of the stream may follow, if it can be made to begin at the same bit
    /// of a byte as it did.
    fn joins(&mut self, block: &Block<'_>) -> Option<bool> {
        let head = 1 + block.head.len();
        let end = self.out.len() + self.end_len(block);
        // An empty block with fixed codes is of an even number of bits, and a stored one goes up to a whole byte.
        let is_odd = |begin: usize| (begin + head + self.bits.at) % 2 == 1;
        let is_stored = is_odd(end);
        if is_stored && is_odd(0) {
            return Some(false);
        }
        self.close(Some(block))?;
        if is_stored {
            self.out.store(&[]);
        }
        while (self.out.len() + head) % 8 != self.bits.at % 8 {
            let (empty, bits) = EMPTY;
            self.out.put(empty, bits);
        }
        self.begin(block, block.is_last);
        Some(true)
    }

    /// What is written, and the rest of the stream.
    fn joined(mut self) -> Option<Vec<u8>> {
        let whole = self.bits.at.next_multiple_of(8);
        self.out.copy(self.bits, self.bits.at..whole);
        let rest = self.bits.bytes(whole / 8, self.length.checked_sub(whole / 8)?)?;
        let mut stream = self.out.finish();
        stream.extend_from_slice(rest);
        Some(stream)
    }

    /// Bits that end the block that is being written.
    fn end_len(&self, block: &Block<'_>) -> usize {
        match self.open {
            Open::None => 0,
            Open::Own => block.own.end_len(),
            Open::Fixed => FIXED.end_len(),
        }
    }

    /// Whether the next byte of the original is one that goes.
    fn is_dropped(&self) -> bool {
        self.dropped() > self.at
    }

    fn dropped(&self) -> usize {
        self.made().map_or(0, |change| change.end)
    }

    /// The last change that is made.
    fn made(&self) -> Option<&Change<'_>> {
        self.changes.get(self.next.checked_sub(1)?)
    }

    /// Makes the changes that come next.
    fn change(&mut self, block: Option<&Block<'_>>) -> Option<()> {
        while let Some(change) = self.changes.get(self.next)
            && change.at <= self.at
        {
            // Edits come from a guest.
            if change.at < self.dropped() || change.end > self.original.len() {
                return None;
            }
            let inserted = change.inserted;
            self.next += 1;
            self.literals(block, inserted)?;
        }
        Some(())
    }

    /// Repeats `length` bytes from `distance` bytes ago, which in the stream are these bits.
    fn repeat(
        &mut self,
        block: &Block<'_>,
        length: usize,
        distance: usize,
        whole: Range<usize>,
    ) -> Option<()> {
        let (begin, end) = (self.at, self.at + length);
        while self.at < end {
            self.change(Some(block))?;
            if self.is_dropped() {
                self.at = self.dropped().min(end);
                continue;
            }
            let stop = self.changes.get(self.next).map_or(end, |change| change.at.min(end));
            let length = stop - self.at;
            match self.moved(length, distance)? {
                Some(moved) if moved == distance && (self.at, stop) == (begin, end) => {
                    self.symbol(block, length, distance, whole.clone())?;
                }
                Some(moved) if length >= SHORTEST && moved <= WINDOW => {
                    self.symbol(block, length, moved, 0..0)?;
                }
                _ => {
                    let literals = self.original.get(self.at..stop)?;
                    self.literals(Some(block), literals)?;
                }
            }
            self.at = stop;
        }
        Some(())
    }

    /// How far back in the edited body the bytes are that were `distance` bytes ago; `Some(None)`: they are not there any more, or not in
    /// one piece.
    fn moved(&self, length: usize, distance: usize) -> Option<Option<usize>> {
        let source = self.at.checked_sub(distance)?;
        let ahead = self.changes.partition_point(|change| change.at <= source);
        let before = ahead.checked_sub(1).and_then(|last| self.changes.get(last));
        let is_dropped = before.is_some_and(|change| change.end > source);
        let is_broken = self.changes.get(ahead).is_some_and(|change| change.at < source + length);
        if is_dropped || is_broken {
            return Some(None);
        }
        let grown = |change: Option<&Change<'_>>| change.map_or(0, |change| change.grown);
        Some(usize::try_from(distance as i64 + grown(self.made()) - grown(before)).ok())
    }

    /// Writes a repetition, which in the block's own codes is these bits of the stream; none: its distance is another one.
    fn symbol(&mut self, block: &Block<'_>, length: usize, distance: usize, own: Range<usize>) -> Option<()> {
        if self.is_own(Some(block))? {
            if !own.is_empty() {
                self.out.copy(self.bits, own);
                return Some(());
            }
            if block.own.repeat(length, distance, &mut self.out).is_some() {
                return Some(());
            }
            self.open_fixed(Some(block))?;
        }
        FIXED.repeat(length, distance, &mut self.out)
    }

    fn literals(&mut self, block: Option<&Block<'_>>, bytes: &[u8]) -> Option<()> {
        if self.is_own(block)?
            && let Some(block) = block
        {
            if block.own.has(bytes) {
                block.own.literals(bytes, &mut self.out);
                return Some(());
            }
            self.open_fixed(Some(block))?;
        }
        FIXED.literals(bytes, &mut self.out);
        Some(())
    }

    /// Opens the block that the next symbol goes into; true: one with the codes of the block that is being read. With fixed codes it goes on
    /// up to the next change, if that is near: writing the block's own codes once more takes as much.
    fn is_own(&mut self, block: Option<&Block<'_>>) -> Option<bool> {
        match block {
            Some(block) if self.open == Open::Own || !self.is_near_change() => {
                self.open_own(block)?;
                Some(true)
            }
            _ => {
                self.open_fixed(block)?;
                Some(false)
            }
        }
    }

    fn is_near_change(&self) -> bool {
        self.changes.get(self.next).is_some_and(|change| change.at <= self.at + NEAR)
    }

    fn open_own(&mut self, block: &Block<'_>) -> Option<()> {
        if self.open != Open::Own {
            self.close(Some(block))?;
            self.begin(block, false);
            self.open = Open::Own;
        }
        Some(())
    }

    /// Writes what the block that is being read begins with.
    fn begin(&mut self, block: &Block<'_>, is_last: bool) {
        self.out.put(is_last.into(), 1);
        self.out.copy(self.bits, block.head.clone());
    }

    fn open_fixed(&mut self, block: Option<&Block<'_>>) -> Option<()> {
        if self.open != Open::Fixed {
            self.close(block)?;
            let (begin, bits) = FIXED_BEGIN;
            self.out.put(begin, bits);
            self.open = Open::Fixed;
        }
        Some(())
    }

    /// Ends the block that is being written. `block`: the one that is being read, if there is one.
    fn close(&mut self, block: Option<&Block<'_>>) -> Option<()> {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => (),
            Open::Own => block?.own.end(&mut self.out),
            Open::Fixed => FIXED.end(&mut self.out),
        }
        Some(())
    }
}

/// How far back a repetition may be.
const WINDOW: usize = 32 << 10;

/// Bytes that a repetition has at least.
const SHORTEST: usize = 3;

/// Bytes up to a change that are worth a block with fixed codes.
const NEAR: usize = 1024;

/// Bytes of a stream from which on what follows is worth the beginning of a block once more: reading it takes some microseconds for
/// each KiB.
const FAR: usize = 12 << 10;

/// The part of a stream by which it may become longer, beside what is inserted: more is for who compresses anew.
const SPARE: usize = 50;

/// The beginning of a block with fixed codes that is not the last, and how many bits that is.
const FIXED_BEGIN: (u64, u32) = (0b010, 3);

/// A block with fixed codes that is empty.
const EMPTY: (u64, u32) = (0b00_0000_0010, 10);

/// The same as the last.
const EMPTY_LAST: (u64, u32) = (0b00_0000_0011, 10);

#[cfg(test)]
mod tests;
