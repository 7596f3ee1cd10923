//! The index at the end of a full segment: its heads without the bodies, so that opening reads no body.

use super::fields::{Reader, Writer, checksum};
use super::format::{RECORD_HEAD, RECORD_MAGIC, RecordHead};

/// Collects the heads of a segment that is being written.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A head without its magic, and the record's place.
    entries: Vec<u8>,
}

impl Index {
    /// `head` is the record's head as it was written.
    pub(super) fn push(&mut self, head: &[u8], offset: u64) {
        self.entries.extend_from_slice(head.get(RECORD_MAGIC.len()..).unwrap_or_default());
        self.entries.extend_from_slice(&offset.to_le_bytes());
    }

    /// Bytes of the index with one more head.
    pub(super) fn bytes(&self) -> u64 {
        (OPENING.len() + self.entries.len() + FOOTER) as u64 + ENTRY
    }

    /// The bytes for the end of the file, of a segment with this key. The index itself begins at `offset`.
    pub(super) fn finish(self, key: u64, offset: u64) -> Vec<u8> {
        let sum = checksum(key, &self.entries);
        let length = self.entries.len() as u64;
        let all = Writer::with_capacity(self.entries.len() + OPENING.len() + FOOTER);
        let footer = Writer::default().bytes(CLOSING).u64(offset).u64(length).u64(sum).sealed(key);
        all.bytes(OPENING).bytes(&self.entries).bytes(&footer).into_bytes()
    }
}

/// What the end of a segment says of its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    /// Where the index begins, which is where the records end.
    pub(super) offset: u64,
    /// Bytes of the heads.
    length: u64,
    sum: u64,
}

impl Footer {
    /// Reads the last bytes of a file of `size` bytes; `None` where that has no index.
    pub(super) fn decode(key: u64, bytes: &[u8], size: u64) -> Option<Self> {
        let mut reader = Reader::unsealed(key, bytes)?;
        let magic = reader.bytes(CLOSING.len());
        let footer = Self { offset: reader.u64(), length: reader.u64(), sum: reader.u64() };
        let end = footer.offset.checked_add(OPENING.len() as u64)?.checked_add(footer.length)?;
        (magic == CLOSING && end.checked_add(FOOTER as u64)? == size).then_some(footer)
    }

    /// Where the heads are: place and bytes.
    pub(super) fn heads(&self) -> (u64, u64) {
        (self.offset + OPENING.len() as u64, self.length)
    }

    /// The heads with the places of their records; `None` where the index is damaged.
    pub(super) fn read(&self, key: u64, heads: &[u8]) -> Option<Vec<(u64, RecordHead)>> {
        if checksum(key, heads) != self.sum || !(heads.len() as u64).is_multiple_of(ENTRY) {
            return None;
        }
        let head = |entry: &[u8]| {
            let (head, offset) = entry.split_last_chunk::<8>()?;
            let head = RecordHead::decode(key, &[&RECORD_MAGIC, head].concat())?;
            Some((u64::from_le_bytes(*offset), head))
        };
        heads.chunks_exact(ENTRY as usize).map(head).collect()
    }
}

/// The first bytes of an index. No record begins with them.
pub(super) const OPENING: &[u8] = b"\xf5pqindex";

const CLOSING: &[u8] = b"\xf5pq end\n";

/// Bytes of a head and its place.
pub(super) const ENTRY: u64 = (RECORD_HEAD - RECORD_MAGIC.len() + size_of::<u64>()) as u64;

/// Bytes after the heads.
pub(super) const FOOTER: usize = CLOSING.len() + 4 * size_of::<u64>();
