//! Reads what a segment holds, without changing it: by its index, or record by record where there is none.

use std::fs::File;
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::FileExt;

use twox_hash::xxhash3_64;

use super::format::{BLOCK, HEADER, Header, HeaderFault, RECORD_HEAD, RECORD_MAGIC, RECORDS, RecordHead};
use super::index::{FOOTER, Footer, OPENING};
use super::marks::Marks;

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) header: Header,
    pub(super) marks: Marks,
    /// The sound records and their places, in the order of the file.
    pub(super) records: Vec<(u64, RecordHead)>,
    /// Where the last record ends.
    pub(super) end: u64,
    /// Bytes of the file.
    pub(super) size: u64,
    /// Whether the index said so, rather than the records themselves.
    pub(super) is_indexed: bool,
    pub(super) flaws: Vec<Flaw>,
}

/// A range of a segment that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) part: Part,
}

/// The part of a segment that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The header, or one of its copies: nothing is lost.
    Header,
    /// The marks of what was removed, or one of their copies.
    Marks,
    /// Records.
    Records,
    /// What stands after the last sound record.
    Tail,
    /// The index: nothing is lost.
    Index,
    /// All of it.
    Segment,
}

/// Nothing in a segment can be read.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    Version(u16),
    /// No copy of the header is sound.
    NoHeader {
        size: u64,
    },
}

/// Reads all heads of a segment.
pub(super) fn scan(file: &File) -> Result<Scanned, ScanError> {
    let size = file.metadata()?.len();
    let mut window = Window { file, size, start: 0, buffer: Vec::new() };
    let first = window.at(0, RECORDS as usize)?.to_vec();
    let mut flaws = Vec::new();
    let header = read_header(&first, size, &mut flaws)?;
    let marks = read_marks(&first, header, &mut flaws);
    if let Some(footer) = read_footer(&mut window, header.key)? {
        let (offset, length) = footer.heads();
        let records = footer.read(header.key, window.at(offset, length as usize)?);
        if let Some(records) = records {
            let end = footer.offset;
            return Ok(Scanned { header, marks, records, end, size, is_indexed: true, flaws });
        }
    }
    let (records, end) = read_records(&mut window, header.key, &mut flaws)?;
    Ok(Scanned { header, marks, records, end, size, is_indexed: false, flaws })
}

/// Any copy of the header.
fn read_header(first: &[u8], size: u64, flaws: &mut Vec<Flaw>) -> Result<Header, ScanError> {
    let mut sound = None;
    for copy in 0..3 {
        let offset = copy * BLOCK;
        match first.get(offset as usize..).map(Header::decode) {
            Some(Ok(header)) => sound = sound.or(Some(header)),
            Some(Err(HeaderFault::Version(version))) => return Err(ScanError::Version(version)),
            // A copy in the marks is within their checksum.
            Some(Err(HeaderFault::Damaged)) if copy == 0 => {
                flaws.push(Flaw { offset, bytes: HEADER as u64, part: Part::Header });
            }
            _ => {}
        }
    }
    sound.ok_or(ScanError::NoHeader { size })
}

/// The later copy of the marks that is sound; without one, nothing counts as removed.
fn read_marks(first: &[u8], header: Header, flaws: &mut Vec<Flaw>) -> Marks {
    let mut sound = None;
    for copy in 1..3 {
        let offset = copy * BLOCK;
        match first.get(offset as usize..).and_then(|block| Marks::decode(header.key, block)) {
            Some(marks) => {
                sound = Some(match sound {
                    Some(other) => marks.later(other),
                    None => marks,
                });
            }
            None => flaws.push(Flaw { offset, bytes: BLOCK, part: Part::Marks }),
        }
    }
    sound.unwrap_or_default()
}

fn read_footer(window: &mut Window<'_>, key: u64) -> io::Result<Option<Footer>> {
    let Some(offset) = window.size.checked_sub(FOOTER as u64).filter(|offset| *offset >= RECORDS) else {
        return Ok(None);
    };
    let size = window.size;
    Ok(Footer::decode(key, window.at(offset, FOOTER)?, size))
}

/// Goes from record to record, and checks the bodies too. Where one is damaged, it looks for the next one.
fn read_records(
    window: &mut Window<'_>,
    key: u64,
    flaws: &mut Vec<Flaw>,
) -> io::Result<(Vec<(u64, RecordHead)>, u64)> {
    let (mut records, mut end, mut at) = (Vec::new(), RECORDS, RECORDS);
    while at < window.size {
        let rest = window.size - at;
        let start = window.at(at, RECORD_HEAD)?;
        if start.starts_with(OPENING) {
            flaws.push(Flaw { offset: at, bytes: rest, part: Part::Index });
            break;
        }
        let head = RecordHead::decode(key, start).filter(|head| head.bytes() <= rest);
        if let Some(head) = head {
            if window.body_sum(key, at + RECORD_HEAD as u64, head.head.length)? == head.body {
                records.push((at, head));
                end = at + head.bytes();
            } else {
                flaws.push(Flaw { offset: at, bytes: head.bytes(), part: Part::Records });
            }
            at += head.bytes();
            continue;
        }
        let next = window.next_record(key, at + 1)?.unwrap_or(window.size);
        flaws.push(Flaw { offset: at, bytes: next - at, part: Part::Records });
        at = next;
    }
    // What nothing sound follows may never have been written to its end.
    for flaw in flaws.iter_mut().filter(|flaw| flaw.part == Part::Records && flaw.offset >= end) {
        flaw.part = Part::Tail;
    }
    Ok((records, end))
}

/// Reads a file piece by piece, however large it is.
struct Window<'a> {
    file: &'a File,
    size: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl Window<'_> {
    /// The bytes at `offset`: `length` of them, or fewer at the file's end.
    fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = self.start + self.buffer.len() as u64;
        let wanted = (offset.saturating_add(length as u64)).min(self.size);
        if offset < self.start || wanted > end {
            let length = length.max(READ).min(self.size.saturating_sub(offset) as usize);
            self.buffer.resize(length, 0);
            self.start = offset;
            let mut read = 0;
            while let Some(rest) = self.buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
                match self.file.read_at(rest, offset + read as u64) {
                    Ok(0) => break,
                    Ok(more) => read += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.buffer.clear();
                        return Err(error);
                    }
                }
            }
            self.buffer.truncate(read);
        }
        let from = (offset - self.start) as usize;
        let bytes = self.buffer.get(from..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    fn body_sum(&mut self, key: u64, mut offset: u64, length: u32) -> io::Result<u64> {
        let mut hasher = xxhash3_64::Hasher::with_seed(key);
        let mut left = length as usize;
        while left > 0 {
            let bytes = self.at(offset, left.min(READ))?;
            if bytes.is_empty() {
                break;
            }
            hasher.write(bytes);
            (left, offset) = (left - bytes.len(), offset + bytes.len() as u64);
        }
        Ok(hasher.finish())
    }

    /// Where the next record, or the index, begins: at `from` or later.
    fn next_record(&mut self, key: u64, mut from: u64) -> io::Result<Option<u64>> {
        loop {
            let bytes = self.at(from, READ)?;
            if bytes.len() < RECORD_MAGIC.len() {
                return Ok(None);
            }
            let found = bytes.windows(SHARED.len()).position(|window| window == SHARED);
            let Some(found) = found else {
                from += (bytes.len() - SHARED.len() + 1) as u64;
                continue;
            };
            from += found as u64;
            let start = self.at(from, RECORD_HEAD)?;
            if start.starts_with(OPENING) || RecordHead::decode(key, start).is_some() {
                return Ok(Some(from));
            }
            from += 1;
        }
    }
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The bytes that a record and the index begin with.
const SHARED: &[u8] = b"\xf5pq";

/// Bytes to read at a time.
const READ: usize = 256 << 10;
