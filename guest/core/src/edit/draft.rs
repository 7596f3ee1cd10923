//! Edits while they are put together.

use super::{Edit, Edits};
use crate::wire::{self, Field};

/// Edits to one ResourceSpans while they are put together.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    edits: Vec<Drafted>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Drafted {
    offset: usize,
    remove: usize,
    /// Where the inserted bytes begin in `Draft::bytes`, and how many they are.
    from: usize,
    insert: usize,
}

impl Draft {
    pub(crate) fn clear(&mut self) {
        self.edits.clear();
        self.bytes.clear();
    }

    /// Drafts an edit; `write` appends the bytes that it inserts.
    pub(crate) fn edit(&mut self, offset: usize, remove: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bytes.len();
        write(&mut self.bytes);
        let insert = self.bytes.len() - from;
        if remove > 0 || insert > 0 {
            self.edits.push(Drafted { offset, remove, from, insert });
        }
    }

    /// By how many bytes the edits drafted so far make the message longer, modulo 2^64.
    pub(crate) fn growth(&self) -> usize {
        self.edits.iter().fold(0_usize, |sum, edit| sum.wrapping_add(edit.insert).wrapping_sub(edit.remove))
    }

    /// By how many bytes the edits ahead of each offset make the message longer, modulo 2^64. `offsets` is sorted.
    pub(crate) fn growth_before(&mut self, offsets: &[usize]) -> Vec<usize> {
        self.sort();
        let mut edits = self.edits.iter().peekable();
        let mut growth = 0_usize;
        let before = offsets.iter().map(|offset| {
            while let Some(edit) = edits.next_if(|edit| edit.offset < *offset) {
                growth = growth.wrapping_add(edit.insert).wrapping_sub(edit.remove);
            }
            growth
        });
        before.collect()
    }

    fn sort(&mut self) {
        // The sort is stable: an insertion stays ahead of the edits drafted after it at its offset.
        self.edits.sort_by_key(|edit| edit.offset);
    }

    /// Corrects the length of `field`, within which all edits drafted so far lie.
    pub(crate) fn enclose(&mut self, body: &[u8], field: Field<'_>) {
        let growth = self.growth();
        if growth != 0 {
            let length = field.content.len().wrapping_add(growth) as u64;
            let at = wire::offset_in(body, field.length);
            self.edit(at, field.length_len(), |out| wire::put_varint(out, length));
        }
    }

    /// Appends the draft to `edits`, sorted.
    pub(crate) fn move_to(&mut self, edits: &mut Edits) {
        self.sort();
        for edit in &self.edits {
            let inserted = self.bytes.get(edit.from..edit.from + edit.insert).unwrap_or_default();
            let edit =
                Edit { offset: edit.offset as u32, remove: edit.remove as u32, insert: edit.insert as u32 };
            edits.push(edit, inserted);
        }
    }
}
