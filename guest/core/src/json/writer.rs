//! Writes protobuf whose lengths are known only when a message has ended.
//!
//! One byte is kept free for a length, or two where the last message of the kind took two. Where that is not enough, the message
//! goes on a list, and all messages of the list get their longer lengths in one pass at the end: moving each message when it ends
//! would move a deeply nested one once a level.

use super::buffer::Buffer;
use crate::message::Message;
use crate::wire::{put_varint, varint_len};

/// Stands for the missing tag of the request itself: field numbers begin at 1, so that no field has this tag.
pub(super) const NO_TAG: u32 = 0;

/// The bytes written so far.
#[derive(Debug)]
pub(super) struct Writer {
    late: Vec<Late>,
    /// How many bytes the lengths in `late` need beyond those that are there.
    missing: usize,
    /// The kinds of message of which the last one had a length of two bytes or more: one bit each.
    long: u64,
    pub(super) out: Buffer,
}

/// A length that does not fit the bytes that were kept for it.
#[derive(Clone, Copy, Debug)]
struct Late {
    at: usize,
    kept: usize,
    length: usize,
}

/// A message that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    at: usize,
    kept: usize,
    missing: usize,
}

impl Writer {
    /// A writer with room for the protobuf form of a text.
    pub(super) fn for_text(text: &[u8]) -> Self {
        // SDKs' spans come to half the text, and a message is late where its length takes three bytes, or two for the first time.
        // The larger one is allocated last, so that the guest's allocator grows it in place.
        let late = Vec::with_capacity(text.len() / 4096);
        Self { late, missing: 0, long: 0, out: Buffer::with_room(text.len() / 2 + 64) }
    }

    /// Begins a message.
    #[inline(always)]
    pub(super) fn open(&mut self, tag: u32, message: Message) -> Open {
        self.out.put_varint(u64::from(tag));
        let kept = 1 + (self.long >> message as u32 & 1) as usize;
        let open = Open { at: self.out.len(), kept, missing: self.missing };
        self.out.put_block(&[0, 0], kept);
        open
    }

    /// Ends a message.
    #[inline(always)]
    pub(super) fn close(&mut self, open: Open, message: Message) {
        let is_long = self.close_kept(open);
        self.long = self.long & !(1 << message as u32) | u64::from(is_long) << message as u32;
    }

    /// Begins a list of packed numbers.
    pub(super) fn open_numbers(&mut self, tag: u32) -> Open {
        self.out.put_varint(u64::from(tag));
        let open = Open { at: self.out.len(), kept: 1, missing: self.missing };
        self.out.put(0);
        open
    }

    /// Ends a list of packed numbers.
    pub(super) fn close_numbers(&mut self, open: Open) {
        self.close_kept(open);
    }

    /// Ends a message, and says whether its length takes more than one byte.
    #[inline(always)]
    fn close_kept(&mut self, open: Open) -> bool {
        let Open { at, kept, missing } = open;
        let length = self.out.len() - at - kept + self.missing - missing;
        match (kept, self.out.as_mut_slice().get_mut(at..)) {
            (1, Some([byte, ..])) if length < 1 << 7 => *byte = length as u8,
            (2, Some([low, high, ..])) if (1 << 7..1 << 14).contains(&length) => {
                (*low, *high) = (length as u8 | 0x80, (length >> 7) as u8);
            }
            _ => self.close_other(open, length),
        }
        length >= 1 << 7
    }

    #[cold]
    #[inline(never)]
    fn close_other(&mut self, open: Open, length: usize) {
        let Open { at, kept, .. } = open;
        if length < 1 << 7 {
            // One of two bytes is too many. Nothing within so short a message is on the list.
            let end = self.out.len();
            let bytes = self.out.as_mut_slice();
            bytes.copy_within(at + kept..end, at + 1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = length as u8;
            }
            self.out.shorten(end - 1);
        } else {
            self.late.push(Late { at, kept, length });
            self.missing += varint_len(length as u64) - kept;
        }
    }

    /// The bytes written, with all lengths.
    pub(super) fn finish(self) -> Vec<u8> {
        let Self { mut late, missing, mut out, .. } = self;
        // Messages end in another order than they begin.
        late.sort_unstable_by_key(|late| late.at);
        let mut end = out.len();
        out.extend(missing);
        let bytes = out.as_mut_slice();
        let mut to = bytes.len();
        let mut varint = Vec::with_capacity(10);
        // Going from the back overwrites nothing that has yet to move.
        for Late { at, kept, length } in late.into_iter().rev() {
            to -= end - (at + kept);
            bytes.copy_within(at + kept..end, to);
            varint.clear();
            put_varint(&mut varint, length as u64);
            to -= varint.len();
            if let Some(place) = bytes.get_mut(to..to + varint.len()) {
                place.copy_from_slice(&varint);
            }
            end = at;
        }
        out.into_bytes()
    }
}
