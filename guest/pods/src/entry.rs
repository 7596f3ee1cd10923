//! Entries of an index: what is found by a hash.

use crate::index::Index;
use crate::pages::{MAX_NUMBER, NUMBER_BITS};

/// A number of an [`Index`]: the upper bits of a hash, and the number of a pod or text that has it. Whoever finds one checks what
/// is found: different keys may have one hash.
pub(crate) struct Entry;

impl Entry {
    pub(crate) fn of(hash: u64, number: u32) -> u64 {
        hash & HASH | u64::from(number & MAX_NUMBER)
    }

    /// The number of an entry.
    pub(crate) fn number(entry: u64) -> u32 {
        entry as u32 & MAX_NUMBER
    }

    /// The numbers with a hash.
    pub(crate) fn range(index: &Index, hash: u64) -> impl Iterator<Item = u32> {
        Self::between(index, (hash, hash))
    }

    /// The numbers with a hash from the first to the last.
    pub(crate) fn between(index: &Index, (first, last): (u64, u64)) -> impl Iterator<Item = u32> {
        index.range(first & HASH, last | !HASH).map(Self::number)
    }
}

/// The bits of a hash.
const HASH: u64 = u64::MAX << NUMBER_BITS;
