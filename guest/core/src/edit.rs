//! Edits to a body: what to remove, what to put there.

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
