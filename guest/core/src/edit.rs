//! Edits to a body: what to remove, what to put there.

use crate::trace::Field;
use crate::wire;

/// Edits sorted by offset, and the bytes that they insert, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The edits.
    pub edits: Vec<Edit>,
    /// Inserted bytes of all edits, in order.
    pub inserted: Vec<u8>,
}

/// Remove `remove` bytes at `offset` of the original body and put the next `insert` bytes of [`Edits::inserted`] there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Offset in the original body, bytes.
    pub offset: u32,
    /// Bytes of the original that are dropped.
    pub remove: u32,
    /// Bytes that come in their place.
    pub insert: u32,
}

/// One piece of an edited body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A range of the original.
    Original(std::ops::Range<usize>),
    /// A range of [`Edits::inserted`].
    Inserted(std::ops::Range<usize>),
}

impl Edits {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The pieces that make up the edited body, none of them empty. None if the edits overlap, are out of order or reach
    /// past a body of `length` bytes: edits may come from a guest.
    pub fn pieces(&self, length: usize) -> Option<Vec<Piece>> {
        let mut pieces = Vec::with_capacity(2 * self.edits.len() + 1);
        let mut at = 0;
        let mut used = 0;
        for edit in &self.edits {
            let offset = edit.offset as usize;
            if offset < at {
                return None;
            }
            if offset > at {
                pieces.push(Piece::Original(at..offset));
            }
            if edit.insert > 0 {
                let end = used + edit.insert as usize;
                pieces.push(Piece::Inserted(used..end));
                used = end;
            }
            at = offset.checked_add(edit.remove as usize)?;
        }
        if at > length || used != self.inserted.len() {
            return None;
        }
        if at < length {
            pieces.push(Piece::Original(at..length));
        }
        Some(pieces)
    }

    /// The edited body in one piece. None where [`Edits::pieces`] gives none.
    pub fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(body.len() + self.inserted.len());
        for piece in self.pieces(body.len())? {
            out.extend_from_slice(match piece {
                Piece::Original(range) => body.get(range)?,
                Piece::Inserted(range) => self.inserted.get(range)?,
            });
        }
        Some(out)
    }

    fn push(&mut self, edit: Edit, inserted: &[u8]) {
        self.inserted.extend_from_slice(inserted);
        match self.edits.last_mut() {
            Some(last) if last.offset + last.remove == edit.offset => {
                last.remove += edit.remove;
                last.insert += edit.insert;
            }
            _ => self.edits.push(edit),
        }
    }
}

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
    /// Where its bytes begin in `Draft::bytes`, and how many they are.
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

    /// By how much the drafted edits so far make their message longer, modulo 2^64.
    pub(crate) fn growth(&self) -> usize {
        self.edits.iter().fold(0_usize, |sum, edit| sum.wrapping_add(edit.insert).wrapping_sub(edit.remove))
    }

    /// The same of what is drafted ahead of each offset; those are sorted.
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
        // Stable: an insertion stays ahead of what else is drafted at its offset.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(offset: u32, remove: u32, insert: u32) -> Edit {
        Edit { offset, remove, insert }
    }

    #[test]
    fn edits_replace_insert_and_remove() {
        let edits =
            Edits { edits: vec![edit(0, 1, 2), edit(3, 0, 1), edit(4, 2, 0)], inserted: b"XYZ".to_vec() };
        assert_eq!(edits.apply(b"abcdef").as_deref(), Some(&b"XYbcZd"[..]));
        assert_eq!(Edits::default().apply(b"abc").as_deref(), Some(&b"abc"[..]));
    }

    #[test]
    fn edits_that_make_no_sense_are_told() {
        for (edits, inserted) in [
            (vec![edit(2, 2, 0), edit(3, 1, 0)], ""),
            (vec![edit(3, 1, 0), edit(1, 1, 0)], ""),
            (vec![edit(5, 2, 0)], ""),
            (vec![edit(7, 0, 1)], "x"),
            (vec![edit(0, 0, 2)], "x"),
            (vec![edit(0, 0, 1)], "xy"),
            (vec![edit(u32::MAX, u32::MAX, 0)], ""),
        ] {
            let edits = Edits { edits, inserted: inserted.as_bytes().to_vec() };
            assert_eq!(edits.apply(b"abcdef"), None, "{edits:?}");
        }
    }
}
