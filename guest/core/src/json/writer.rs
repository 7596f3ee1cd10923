//! Writes protobuf whose lengths are known only when a message has ended.
//!
//! One byte is kept free for a length. Where that is not enough, the message goes on a list, and all messages of the list get
//! their longer lengths in one pass at the end: moving each message when it ends would move a deeply nested one once a level.

use crate::wire::{put_varint, varint_len};

use crate::fault::Problem;

/// Stands for the missing tag of the request itself: field numbers begin at 1, so that no field has this tag.
pub(super) const NO_TAG: u32 = 0;

/// The bytes written so far, and the fault that ended the reading.
#[derive(Debug)]
pub(super) struct Writer {
    late: Vec<Late>,
    /// How many bytes the lengths in `late` need beyond the one that is there.
    missing: usize,
    pub(super) out: Vec<u8>,
    fault: Option<Met>,
    /// The path of the fault, from the inside outwards.
    trail: Vec<Step>,
}

/// A length that does not fit the byte that was kept for it.
#[derive(Clone, Copy, Debug)]
struct Late {
    at: usize,
    length: usize,
}

/// A message that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    at: usize,
    missing: usize,
}

/// A value that its field cannot have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) problem: Problem,
    /// The address of the text within the quotes, where the value is a string without escapes.
    pub(super) address: Option<usize>,
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Field(&'static str),
    Element(usize),
}

impl Writer {
    /// A writer with room for the protobuf form of a text.
    pub(super) fn for_text(text: &str) -> Self {
        // SDKs' spans come to half the text, and have a long length every 400 bytes. The larger one is allocated last, so
        // that the guest's allocator grows it in place.
        let late = Vec::with_capacity(text.len() / 512);
        Self {
            late,
            missing: 0,
            out: Vec::with_capacity(text.len() / 2 + 64),
            fault: None,
            trail: Vec::new(),
        }
    }

    /// Begins a message.
    #[inline]
    pub(super) fn open(&mut self, tag: u32) -> Open {
        put_varint(&mut self.out, u64::from(tag));
        let open = Open { at: self.out.len(), missing: self.missing };
        self.out.push(0);
        open
    }

    /// Ends a message.
    #[inline]
    pub(super) fn close(&mut self, open: Open) {
        let length = self.out.len() - open.at - 1 + self.missing - open.missing;
        if length < 0x80 {
            if let Some(byte) = self.out.get_mut(open.at) {
                *byte = length as u8;
            }
        } else {
            self.late.push(Late { at: open.at, length });
            self.missing += varint_len(length as u64) - 1;
        }
    }

    /// The bytes written, with all lengths.
    pub(super) fn finish(self) -> Vec<u8> {
        let Self { mut late, missing, mut out, .. } = self;
        // Messages end in another order than they begin.
        late.sort_unstable_by_key(|late| late.at);
        let mut end = out.len();
        out.resize(end + missing, 0);
        let mut to = out.len();
        let mut varint = Vec::with_capacity(10);
        // Going from the back overwrites nothing that has yet to move.
        for Late { at, length } in late.into_iter().rev() {
            to -= end - (at + 1);
            out.copy_within(at + 1..end, to);
            varint.clear();
            put_varint(&mut varint, length as u64);
            to -= varint.len();
            if let Some(place) = out.get_mut(to..to + varint.len()) {
                place.copy_from_slice(&varint);
            }
            end = at;
        }
        out
    }

    /// Notes the fault that ends the reading.
    #[cold]
    pub(super) fn fail(&mut self, met: Met) {
        self.fault = Some(met);
    }

    /// Notes where a fault is, on the way outwards.
    #[cold]
    pub(super) fn step(&mut self, step: Step) {
        self.trail.push(step);
    }

    /// The fault that was met, unless it was one of syntax, and the path to where the reading ended.
    #[cold]
    pub(super) fn into_fault(self) -> (Option<Met>, String) {
        let mut path = String::new();
        for step in self.trail.iter().rev() {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Element(index) => path.push_str(&format!("[{index}]")),
            }
        }
        (self.fault, path)
    }
}
