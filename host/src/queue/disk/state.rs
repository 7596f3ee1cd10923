//! Where each entry is, and what there is in each segment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::format::{Header, RECORD_HEAD};
use super::marks::Marks;

/// What is known of the log in memory.
#[derive(Debug, Default)]
pub(super) struct State {
    entries: HashMap<u64, Location>,
    segments: BTreeMap<u64, Segment>,
    /// Segments whose marks are not on disk yet.
    changed: BTreeSet<u64>,
    /// Bytes of all segments.
    bytes: u64,
}

/// The place of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The segment's number.
    pub(super) segment: u64,
    pub(super) ordinal: u32,
    pub(super) offset: u64,
    /// Bytes of the body.
    pub(super) length: u32,
}

/// A file of the log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: Header,
    marks: Marks,
    /// Records that are not removed, and their bytes.
    live: u32,
    live_bytes: u64,
    /// Bytes of the file.
    size: u64,
    /// Whether nothing is written to it any more.
    is_full: bool,
    /// Whether records of it could not be read: it is left as it is.
    is_spoiled: bool,
}

/// What is to be done to the files after removals.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// A segment, a place in it, and the bytes to write there.
    pub(super) marks: Vec<(u64, u64, Vec<u8>)>,
    /// Segments without entries, to delete.
    pub(super) empty: Vec<u64>,
}

impl Segment {
    pub(super) fn new(header: Header, marks: Marks, size: u64, is_full: bool) -> Self {
        Self { header, marks, live: 0, live_bytes: 0, size, is_full, is_spoiled: false }
    }
}

impl State {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where an entry is, and the header of its segment.
    pub(super) fn locate(&self, sequence: u64) -> Option<(Location, Header)> {
        let location = *self.entries.get(&sequence)?;
        Some((location, self.segments.get(&location.segment)?.header))
    }

    pub(super) fn add_segment(&mut self, number: u64, segment: Segment) {
        self.bytes += segment.size;
        self.segments.insert(number, segment);
    }

    pub(super) fn resize(&mut self, number: u64, size: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            self.bytes = self.bytes - segment.size + size;
            segment.size = size;
        }
    }

    /// Nothing is written to the segment any more.
    pub(super) fn fill(&mut self, number: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.is_full = true;
            if segment.live == 0 {
                self.changed.insert(number);
            }
        }
    }

    /// Leaves a segment as it is, since not all of it can be read.
    pub(super) fn spoil(&mut self, number: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.is_spoiled = true;
        }
    }

    /// An entry that was written or found.
    pub(super) fn insert(&mut self, sequence: u64, location: Location) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live += 1;
            segment.live_bytes += bytes(location);
        }
        self.entries.insert(sequence, location);
    }

    /// An entry that was copied to another segment; says whether it is there still.
    pub(super) fn relocate(&mut self, sequence: u64, to: Location) {
        if self.entries.contains_key(&sequence) {
            self.remove(sequence);
            self.insert(sequence, to);
        } else {
            self.insert(sequence, to);
            self.remove(sequence);
        }
    }

    /// Forgets an entry, and marks it; says whether these are the first changes since the last time that they were taken.
    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        let Some(location) = self.entries.remove(&sequence) else {
            return false;
        };
        self.mark(location)
    }

    fn mark(&mut self, location: Location) -> bool {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.marks.set(location.ordinal);
            segment.live = segment.live.saturating_sub(1);
            segment.live_bytes = segment.live_bytes.saturating_sub(bytes(location));
        }
        let is_first = self.changed.is_empty();
        self.changed.insert(location.segment);
        is_first
    }

    /// Marks a record that no entry stands for: a later copy of it does.
    pub(super) fn supersede(&mut self, segment: u64, ordinal: u32) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.marks.set(ordinal);
        }
        self.changed.insert(segment);
    }

    /// Segments that hold no entry, or whose marks are to be written again.
    pub(super) fn touch(&mut self, number: u64) {
        self.changed.insert(number);
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(super) fn is_empty(&self, number: u64) -> bool {
        self.segments.get(&number).is_none_or(|segment| segment.live == 0)
    }

    /// Takes what changed since the last time. Segments that hold no entry are forgotten.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for number in std::mem::take(&mut self.changed) {
            let Some(segment) = self.segments.get_mut(&number) else { continue };
            // What cannot be read now may be readable after a restart.
            if segment.is_full && segment.live == 0 && !segment.is_spoiled {
                self.bytes -= segment.size;
                self.segments.remove(&number);
                changes.empty.push(number);
            } else {
                let (place, block) = segment.marks.next(segment.header);
                changes.marks.push((number, place, block));
            }
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
        changes
    }

    /// The segment whose entries should be copied, so that its room is given back: where more than half of all bytes, and more than
    /// `least`, are of no use.
    pub(super) fn wasteful(&self, least: u64) -> Option<u64> {
        let live: u64 = self.segments.values().map(|segment| segment.live_bytes).sum();
        let waste = self.bytes.saturating_sub(live);
        let full = self.segments.iter().filter(|(_, segment)| segment.is_full && !segment.is_spoiled);
        let worst = full.min_by_key(|(_, segment)| segment.live_bytes * 1000 / segment.size.max(1));
        let (number, _) = worst.filter(|(_, segment)| segment.live_bytes <= segment.size / 2)?;
        (waste > least && waste > live).then_some(*number)
    }

    /// The entries of a segment, oldest first.
    pub(super) fn entries_of(&self, number: u64) -> Vec<u64> {
        let of = self.entries.iter().filter(|(_, location)| location.segment == number);
        let mut sequences: Vec<_> = of.map(|(sequence, _)| *sequence).collect();
        sequences.sort_unstable();
        sequences
    }
}

/// Bytes of a record.
fn bytes(location: Location) -> u64 {
    RECORD_HEAD as u64 + u64::from(location.length)
}
