//! Bytes that are written in blocks of a fixed size, of which a part counts.
//!
//! Most texts are shorter than a block, and most of what is written has a size that the compiler knows: so one check of the room
//! that is left covers several writes, and none of them calls a function that copies bytes one by one.

/// Bytes that grow.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// The bytes that count, and room behind them.
    bytes: Vec<u8>,
    /// How many bytes count.
    len: usize,
}

impl Buffer {
    pub(super) fn with_room(room: usize) -> Self {
        Self { bytes: vec![0; room], len: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// The bytes that count.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.bytes
    }

    /// Writes a block of which the first `count` bytes count.
    #[inline(always)]
    pub(super) fn put_block<const N: usize>(&mut self, block: &[u8; N], count: usize) {
        if let Some(room) = self.room::<N>() {
            *room = *block;
        }
        self.len += count.min(N);
    }

    #[inline(always)]
    pub(super) fn put(&mut self, byte: u8) {
        self.put_block(&[byte], 1);
    }

    /// Writes a varint in its shortest form.
    #[inline(always)]
    pub(super) fn put_varint(&mut self, value: u64) {
        if value < 0x80 { self.put(value as u8) } else { self.put_long_varint(value) }
    }

    fn put_long_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value as u8 | 0x80);
            value >>= 7;
        }
        self.put(value as u8);
    }

    /// Writes the part of `text` from `from` to `to`, in blocks: what stands behind it in the text may be read as well.
    #[inline(always)]
    pub(super) fn put_part(&mut self, text: &[u8], from: usize, to: usize) {
        let count = to - from;
        if count <= BLOCK
            && let Some(block) = text.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>())
        {
            return self.put_block(block, count);
        }
        self.put_long(text, from, count);
    }

    fn put_long(&mut self, text: &[u8], from: usize, count: usize) {
        let blocks = count.div_ceil(BLOCK) * BLOCK;
        self.reserve(blocks);
        let rest = self.bytes.get_mut(self.len..).unwrap_or_default();
        match (text.get(from..from + blocks), rest.get_mut(..blocks)) {
            (Some(text), Some(room)) if count <= MANY => {
                for (to, from) in room.as_chunks_mut::<BLOCK>().0.iter_mut().zip(text.as_chunks::<BLOCK>().0)
                {
                    *to = *from;
                }
            }
            _ => {
                if let (Some(text), Some(room)) = (text.get(from..from + count), rest.get_mut(..count)) {
                    room.copy_from_slice(text);
                }
            }
        }
        self.len += count;
    }

    /// Takes back the last bytes.
    pub(super) fn shorten(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Adds bytes that are written later.
    pub(super) fn extend(&mut self, count: usize) {
        self.reserve(count);
        self.len += count;
    }

    /// The room behind the bytes, of `N` bytes at least.
    #[inline(always)]
    fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        if self.bytes.len() - self.len < N {
            self.grow(N);
        }
        self.bytes.get_mut(self.len..)?.first_chunk_mut()
    }

    fn reserve(&mut self, count: usize) {
        if self.bytes.len() - self.len < count {
            self.grow(count);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) {
        self.bytes.reserve(count);
        self.bytes.resize(self.bytes.capacity(), 0);
    }
}

/// What one instruction copies.
pub(super) const BLOCK: usize = 16;
/// From here on a function that copies bytes takes less time than a loop over blocks.
const MANY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_length_are_written_wherever_they_stand() {
        let text: Vec<u8> = (0..600_u32).map(|index| (index % 251) as u8).collect();
        for room in [0, 1, 700] {
            for from in [0, 1, 300, 580, 600] {
                for to in from..=text.len() {
                    let mut buffer = Buffer::with_room(room);
                    buffer.put(7);
                    buffer.put_part(&text, from, to);
                    buffer.put_block(b"abc", 2);
                    assert_eq!(buffer.len(), to - from + 3);
                    assert_eq!(buffer.into_bytes(), [&[7], &text[from..to], b"ab"].concat());
                }
            }
        }
    }

    #[test]
    fn what_was_written_can_be_taken_back() {
        let mut buffer = Buffer::default();
        buffer.put_varint(300);
        buffer.put_varint(5);
        buffer.shorten(1);
        buffer.extend(1);
        assert_eq!(buffer.as_slice()[0], 0xac);
        assert_eq!(buffer.len(), 2);
        buffer.clear();
        assert!(buffer.into_bytes().is_empty());
    }
}
