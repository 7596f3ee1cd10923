//! Edits to a body: which bytes to remove, and which to put in their place.

pub(crate) mod draft;

/// Edits sorted by offset, and the bytes that they insert, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The edits.
    pub edits: Vec<Edit>,
    /// Inserted bytes of all edits, in order.
    pub inserted: Vec<u8>,
}

/// An edit: `remove` bytes at `offset` of the original body give way to the next `insert` bytes of [`Edits::inserted`].
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

    /// The pieces that make up the edited body, each with at least one byte. `None` if the edits overlap, are out of order or
    /// reach past a body of `length` bytes: edits may come from a guest.
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

    /// The edited body in one piece; `None` where [`Edits::pieces`] gives `None`.
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

    /// Adds an edit behind all others; `write` appends the bytes that it inserts.
    pub(crate) fn add(&mut self, offset: usize, remove: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.inserted.len();
        write(&mut self.inserted);
        let insert = self.inserted.len() - before;
        self.join(Edit { offset: offset as u32, remove: remove as u32, insert: insert as u32 });
    }

    fn push(&mut self, edit: Edit, inserted: &[u8]) {
        self.inserted.extend_from_slice(inserted);
        self.join(edit);
    }

    fn join(&mut self, edit: Edit) {
        match self.edits.last_mut() {
            Some(last) if last.offset + last.remove == edit.offset => {
                last.remove += edit.remove;
                last.insert += edit.insert;
            }
            _ => self.edits.push(edit),
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
