//! A segment's bytes.
//!
//! ```text
//! 0       the header: magic, version, key of the checksums           64 bytes, and zeros up to 4096
//! 4096    marks of removed records: header, generation, a bit each   4096 bytes
//! 8192    the same; the greater generation counts                    4096 bytes
//! 12288   records: a head, the body
//!         once the segment is full: the index, all heads without the bodies
//! ```
//! Numbers are little endian. Each part has a checksum of its own.

use podstamp_core::interface::Signal;

use super::fields::{Reader, Writer};
use crate::queue::entry::{Coding, Head};

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The key of all checksums but the header's own.
    pub(super) key: u64,
}

/// Why bytes are no header that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// They are not what was written.
    Damaged,
    /// A later podstamp wrote them.
    Version(u16),
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let start = Writer::with_capacity(HEADER).bytes(MAGIC).u16(VERSION).u64(self.key);
        start.padded(HEADER - CHECKSUM).sealed(0)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes.get(..HEADER).ok_or(HeaderFault::Damaged)?;
        let mut reader = Reader::unsealed(0, bytes).ok_or(HeaderFault::Damaged)?;
        if reader.bytes(MAGIC.len()) != MAGIC {
            return Err(HeaderFault::Damaged);
        }
        match reader.u16() {
            VERSION => Ok(Self { key: reader.u64() }),
            version => Err(HeaderFault::Version(version)),
        }
    }
}

/// What stands before a body, and in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// The entry's number, for ever.
    pub(super) sequence: u64,
    /// The record's place among those of its segment: its bit in the marks.
    pub(super) ordinal: u32,
    pub(super) head: Head,
    /// Checksum of the body.
    pub(super) body: u64,
}

impl RecordHead {
    pub(super) fn encode(&self, key: u64) -> Vec<u8> {
        let Self { sequence, ordinal, head, body } = *self;
        let Head { signal, queued, spans, memory, coding, length } = head;
        let start = Writer::with_capacity(RECORD_HEAD).bytes(&RECORD_MAGIC).u32(length).u64(sequence);
        let start = start.u64(queued).u32(spans).u32(memory).u32(ordinal);
        start.u8(signal as u8).u8(coding_number(coding)).u16(0).u64(body).sealed(key)
    }

    /// `None` where the bytes do not begin with a head.
    pub(super) fn decode(key: u64, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEAD).filter(|bytes| bytes.starts_with(&RECORD_MAGIC))?;
        let mut reader = Reader::unsealed(key, bytes)?;
        reader.bytes(RECORD_MAGIC.len());
        let (length, sequence, queued) = (reader.u32(), reader.u64(), reader.u64());
        let (spans, memory, ordinal) = (reader.u32(), reader.u32(), reader.u32());
        let (signal, coding) = (reader.u8(), reader.u8());
        reader.u16();
        let signal = Signal::ALL.into_iter().find(|known| *known as u8 == signal)?;
        let coding = CODINGS.into_iter().find(|known| coding_number(*known) == coding)?;
        let head = Head { signal, queued, spans, memory, coding, length };
        Some(Self { sequence, ordinal, head, body: reader.u64() })
    }

    /// Bytes of the whole record.
    pub(super) fn bytes(&self) -> u64 {
        RECORD_HEAD as u64 + u64::from(self.head.length)
    }
}

/// Not the order in the code, which may change.
fn coding_number(coding: Coding) -> u8 {
    match coding {
        Coding::Identity => 0,
        Coding::Gzip => 1,
        Coding::Blocks => 2,
    }
}

const CODINGS: [Coding; 3] = [Coding::Identity, Coding::Gzip, Coding::Blocks];

const MAGIC: &[u8] = b"podstamp queue\r\n";

/// Of the whole layout of a segment. A podstamp reads no other.
pub(super) const VERSION: u16 = 1;

const CHECKSUM: usize = 8;

/// Bytes of a header.
pub(super) const HEADER: usize = 64;

/// Bytes of the file system's usual block: what is written over is within one.
pub(super) const BLOCK: u64 = 4096;

/// Where the records begin.
pub(super) const RECORDS: u64 = 3 * BLOCK;

/// The first bytes of each record. Where one is damaged, the next one is found by these.
pub(super) const RECORD_MAGIC: [u8; 4] = [0xf5, b'p', b'q', 0xfa];

/// Bytes of a record ahead of the body.
pub(super) const RECORD_HEAD: usize = 56;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: RecordHead = RecordHead {
        sequence: 7,
        ordinal: 3,
        head: Head {
            signal: Signal::Logs,
            queued: 1 << 40,
            spans: 9,
            memory: 1 << 30,
            coding: Coding::Blocks,
            length: 5,
        },
        body: 11,
    };

    #[test]
    fn heads_and_headers_come_back_as_they_were() {
        for coding in CODINGS {
            for signal in Signal::ALL {
                let head = RecordHead { head: Head { signal, coding, ..HEAD.head }, ..HEAD };
                let bytes = head.encode(5);
                assert_eq!((bytes.len(), RecordHead::decode(5, &bytes)), (RECORD_HEAD, Some(head)));
            }
        }
        let bytes = Header { key: 99 }.encode();
        assert_eq!((bytes.len(), Header::decode(&bytes)), (HEADER, Ok(Header { key: 99 })));
    }

    #[test]
    fn any_flipped_bit_and_any_other_key_is_noticed() {
        let (head, header) = (HEAD.encode(5), Header { key: 99 }.encode());
        assert_eq!(RecordHead::decode(6, &head), None);
        for bit in 0..8 * HEADER {
            let mut bytes = header.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bytes), Err(HeaderFault::Damaged), "bit {bit}");
        }
        for bit in 0..8 * RECORD_HEAD {
            let mut bytes = head.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHead::decode(5, &bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn a_later_version_is_told_apart_from_damage() {
        let start = Writer::default().bytes(MAGIC).u16(2).u64(1).padded(HEADER - CHECKSUM);
        assert_eq!(Header::decode(&start.sealed(0)), Err(HeaderFault::Version(2)));
    }
}
