//! The place of a fault in a text.

use crate::fault::Position;

/// A place in a text, as an offset and as line and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) position: Position,
}

impl Place {
    /// The place at an offset.
    #[cold]
    pub(super) fn at(body: &[u8], offset: usize) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // Columns count characters, as editors do: all bytes but those that continue one.
        let characters = line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Self { offset, position: Position { line: lines as u32 + 1, column: characters as u32 + 1 } }
    }
}
