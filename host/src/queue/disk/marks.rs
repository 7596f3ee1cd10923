//! Which records of a segment are removed: a bit each, at a fixed place of the file, so that marking needs no room.

use super::fields::{Reader, Writer};
use super::format::{BLOCK, HEADER, Header};

/// The marks of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// Grows with each write.
    generation: u64,
    bits: Vec<u8>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { generation: 0, bits: vec![0; BITS] }
    }
}

impl Marks {
    /// Marks a record as removed; says whether it was not.
    pub(super) fn set(&mut self, ordinal: u32) -> bool {
        let bit = 1 << (ordinal % 8);
        match self.bits.get_mut(ordinal as usize / 8) {
            Some(byte) if *byte & bit == 0 => {
                *byte |= bit;
                true
            }
            _ => false,
        }
    }

    pub(super) fn has(&self, ordinal: u32) -> bool {
        self.bits.get(ordinal as usize / 8).is_some_and(|byte| byte & (1 << (ordinal % 8)) != 0)
    }

    /// The block to write now, and its place. The block that was written before stays as it is.
    pub(super) fn next(&mut self, header: Header) -> (u64, Vec<u8>) {
        self.generation += 1;
        (BLOCK * (1 + self.generation % 2), self.encode(header))
    }

    /// The bytes ahead of the records of a new segment.
    pub(super) fn first(&mut self, header: Header) -> Vec<u8> {
        let mut all = Writer::default().bytes(&header.encode()).padded(BLOCK as usize);
        for generation in [0, 1] {
            self.generation = generation;
            all = all.bytes(&self.encode(header));
        }
        all.into_bytes()
    }

    fn encode(&self, header: Header) -> Vec<u8> {
        let block = Writer::with_capacity(BLOCK as usize).bytes(&header.encode()).u64(self.generation);
        block.bytes(&self.bits).sealed(header.key)
    }

    /// The marks in a block; `None` where it is damaged.
    pub(super) fn decode(key: u64, block: &[u8]) -> Option<Self> {
        let mut reader = Reader::unsealed(key, block.get(..BLOCK as usize)?)?;
        reader.bytes(HEADER);
        let generation = reader.u64();
        Some(Self { generation, bits: reader.bytes(BITS).to_vec() })
    }

    /// The later one of two.
    pub(super) fn later(self, other: Self) -> Self {
        if self.generation < other.generation { other } else { self }
    }
}

/// Bytes of the bits: what a block has room for.
const BITS: usize = BLOCK as usize - HEADER - 2 * size_of::<u64>();

/// The most records that a segment holds.
pub(super) const MOST_RECORDS: u32 = 8 * BITS as u32;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { key: 8 };

    #[test]
    fn what_is_marked_comes_back_and_the_older_block_stays() {
        let mut marks = Marks::default();
        let first = marks.first(HEADER);
        assert_eq!(first.len() as u64, 3 * BLOCK);
        assert_eq!(Header::decode(&first), Ok(HEADER));
        let blocks = |bytes: &[u8]| [4096, 8192].map(|at| Marks::decode(8, &bytes[at..]).unwrap());
        assert!(blocks(&first).iter().all(|marks| !marks.has(0)));

        assert!(marks.set(0) && !marks.set(0) && marks.set(MOST_RECORDS - 1) && !marks.set(MOST_RECORDS));
        let (one, block) = marks.next(HEADER);
        assert_eq!(Header::decode(&block), Ok(HEADER));
        let [a, b] = blocks(&first);
        let read = Marks::decode(8, &block).unwrap().later(a.later(b));
        assert!(read.has(0) && read.has(MOST_RECORDS - 1) && !read.has(1) && !read.has(MOST_RECORDS));
        let (other, _) = marks.next(HEADER);
        assert!(one != other && one + other == 3 * BLOCK);
        assert_eq!(Marks::decode(9, &block), None);
    }
}
