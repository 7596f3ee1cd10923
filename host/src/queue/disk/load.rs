//! Finds what a queue's folder holds.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::aside;
use super::damage::{Damage, OpenError};
use super::fields::checksum;
use super::folder::{list, segment_path};
use super::format::{RECORD_HEAD, RecordHead};
use super::index::Index;
use super::scan::{Flaw, Part, ScanError, Scanned, scan};
use super::state::{Location, Segment, State};

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) segments: Vec<(u64, Scanned)>,
    pub(super) damage: Vec<Damage>,
    pub(super) foreign: Vec<PathBuf>,
    /// The greatest number of a segment.
    pub(super) last_segment: u64,
    /// The entries that are not removed, by their numbers.
    pub(super) entries: BTreeMap<u64, (Location, RecordHead)>,
    /// Records with a later copy, by segment and ordinal.
    superseded: Vec<(u64, u32)>,
    pub(super) last_sequence: u64,
}

/// Reads a folder as it is.
pub(super) fn find(folder: &Path) -> Result<Found, OpenError> {
    let fault = |error| OpenError::new(folder, error);
    let listing = list(folder).map_err(fault)?;
    let last_segment = listing.segments.last().copied().unwrap_or_default();
    let mut found = Found { foreign: listing.foreign, last_segment, ..Found::default() };
    for number in listing.segments {
        let path = segment_path(folder, number);
        let scanned = File::open(&path).map_err(ScanError::Io).and_then(|file| scan(&file));
        match scanned {
            Ok(scanned) => found.add(number, &path, scanned),
            // Its last entry was removed just now.
            Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(OpenError::new(&path, error));
            }
            Err(ScanError::Io(error)) => {
                tracing::error!(%error, file = %path.display(), "a file of a queue cannot be read");
                let bytes = fs::metadata(&path).map_or(0, |file| file.len());
                found.damage.push(Flaw { offset: 0, bytes, part: Part::Segment }.at(&path));
            }
            Err(ScanError::Version(version)) => {
                return Err(OpenError::Version { file: path, version });
            }
            Err(ScanError::NoHeader { size }) => {
                found.damage.push(Flaw { offset: 0, bytes: size, part: Part::Segment }.at(&path));
            }
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, number: u64, path: &Path, scanned: Scanned) {
        for (offset, record) in &scanned.records {
            let RecordHead { sequence, ordinal, head, .. } = *record;
            let location = Location { segment: number, ordinal, offset: *offset, length: head.length };
            self.last_sequence = self.last_sequence.max(sequence);
            let is_removed = scanned.marks.has(ordinal);
            let earlier = self.entries.get(&sequence).map(|(location, _)| *location);
            let earlier = earlier.filter(|earlier| (earlier.segment, earlier.ordinal) != (number, ordinal));
            if let Some(earlier) = earlier {
                // The later copy counts, as far as it is whole: the entry was copied there from here.
                if !is_removed && !is_sound(path, scanned.header.key, *offset, record) {
                    self.superseded.push((number, ordinal));
                    continue;
                }
                self.superseded.push((earlier.segment, earlier.ordinal));
            }
            if is_removed {
                self.entries.remove(&sequence);
            } else {
                self.entries.insert(sequence, (location, *record));
            }
        }
        self.damage.extend(scanned.flaws.iter().map(|flaw| flaw.at(path)));
        self.segments.push((number, scanned));
    }

    /// Puts in order what is damaged, and keeps it aside; gives what the log begins with.
    pub(super) fn repair(&mut self, folder: &Path) -> State {
        for damage in &mut self.damage {
            let Damage { file, offset, bytes, part, kept } = damage;
            match part {
                Part::Records | Part::Tail => *kept = aside::keep(folder, file, *offset, *bytes),
                Part::Segment => *kept = aside::keep_all(folder, file),
                Part::Header | Part::Marks | Part::Index => {}
            }
        }
        // A file that was made and not yet written to, as the process ended.
        self.damage.retain(|damage| damage.part != Part::Segment || damage.bytes > 0);
        let mut state = State::default();
        for (number, scanned) in &mut self.segments {
            let path = segment_path(folder, *number);
            let size = mend(&path, scanned).unwrap_or_else(|error| {
                // It is as readable as it was.
                tracing::warn!(%error, file = %path.display(), "a file of a queue is not mended");
                scanned.size
            });
            let Scanned { header, marks, .. } = scanned;
            state.add_segment(*number, Segment::new(*header, marks.clone(), size, true));
        }
        for (segment, ordinal) in &self.superseded {
            state.supersede(*segment, *ordinal);
        }
        for (sequence, (location, _)) in &self.entries {
            state.insert(*sequence, *location);
        }
        for (number, _) in &self.segments {
            if state.is_empty(*number) {
                state.touch(*number);
            }
        }
        state
    }
}

impl Flaw {
    fn at(self, path: &Path) -> Damage {
        let Self { offset, bytes, part } = self;
        Damage { file: path.to_owned(), offset, bytes, part, kept: None }
    }
}

/// Whether a record's bytes are those that were written.
fn is_sound(path: &Path, key: u64, offset: u64, record: &RecordHead) -> bool {
    let mut bytes = vec![0; record.bytes() as usize];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, offset));
    let body = bytes.get(RECORD_HEAD..).unwrap_or_default();
    read.is_ok() && RecordHead::decode(key, &bytes) == Some(*record) && checksum(key, body) == record.body
}

/// Writes what is missing of a segment: its index, or a copy of its header or its marks. Gives the size of the file then.
fn mend(path: &Path, scanned: &mut Scanned) -> io::Result<u64> {
    let has = |part| scanned.flaws.iter().any(|flaw: &Flaw| flaw.part == part);
    let (header, marks) = (has(Part::Header), has(Part::Marks));
    if scanned.is_indexed && !header && !marks {
        return Ok(scanned.size);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    if header {
        file.write_all_at(&scanned.header.encode(), 0)?;
    }
    if marks {
        for _ in 0..2 {
            let (place, block) = scanned.marks.next(scanned.header);
            file.write_all_at(&block, place)?;
        }
    }
    if scanned.is_indexed {
        return Ok(scanned.size);
    }
    file.set_len(scanned.end)?;
    let mut index = Index::default();
    for (offset, head) in &scanned.records {
        index.push(&head.encode(scanned.header.key), *offset);
    }
    let index = index.finish(scanned.header.key, scanned.end);
    match file.write_all_at(&index, scanned.end) {
        Ok(()) => Ok(scanned.end + index.len() as u64),
        // Without room there is no index, and the records are read once more the next time.
        Err(_) => file.set_len(scanned.end).map(|()| scanned.end),
    }
}
