//! Writes DEFLATE streams bit by bit.

use std::ops::Range;

use super::Bits;

/// A stream that is being written.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Bits that are not among the bytes yet, fewer than 32.
    waiting: u64,
    count: u32,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// How many bits there are.
    pub(crate) fn len(&self) -> usize {
        8 * self.bytes.len() + self.count as usize
    }

    /// Writes the lowest `count` bits, 32 at most; those above them are 0.
    pub(crate) fn put(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.waiting as u32).to_le_bytes());
            self.waiting >>= 32;
            self.count -= 32;
        }
    }

    /// Writes these bits of another stream.
    pub(crate) fn copy(&mut self, mut from: Bits<'_>, range: Range<usize>) {
        from.at = range.start;
        while from.at < range.end {
            let count = (range.end - from.at).min(32);
            self.put(from.take(count) as u64, count as u32);
        }
    }

    /// Writes a stored block that is not the last, whose bytes begin at a whole byte.
    pub(crate) fn store(&mut self, block: &[u8]) {
        self.put(0, 3);
        self.align();
        let length = block.len() as u16;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&(!length).to_le_bytes());
        self.bytes.extend_from_slice(block);
    }

    /// The stream, up to a whole byte.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }

    /// Goes on at a whole byte.
    fn align(&mut self) {
        while self.count > 0 {
            self.bytes.push(self.waiting as u8);
            self.waiting >>= 8;
            self.count = self.count.saturating_sub(8);
        }
    }
}
