//! A hash index that is built once and then only read: four bytes a slot, no keys of its own.

/// Finds the entries of one key. An entry is a number, such as that of a pod; its key is the caller's to look up.
#[derive(Debug)]
pub(super) struct Index {
    /// Open addressing: the first entry of each key. A power of two long and at most three quarters full.
    slots: Box<[u32]>,
    /// The next entry of the same key.
    next: Box<[u32]>,
}

impl Index {
    /// Indexes the entries `0..count`, leaving out those without a hash. `same` tells whether two have the same key.
    pub(super) fn build(
        count: usize,
        hash: impl Fn(u32) -> Option<u64>,
        same: impl Fn(u32, u32) -> bool,
    ) -> Self {
        let count = u32::try_from(count).unwrap_or(NONE);
        let hashes: Vec<_> = (0..count).map(&hash).collect();
        let filled = hashes.iter().flatten().count();
        let mut index = Self {
            slots: vec![NONE; (filled + filled / 3 + 1).next_power_of_two()].into_boxed_slice(),
            next: vec![NONE; hashes.len()].into_boxed_slice(),
        };
        // From the last, so that each chain runs in the order of the entries.
        for (entry, hash) in (0..count).zip(hashes).rev() {
            let Some(slot) = hash.and_then(|hash| index.slot(hash, |first| same(first, entry))) else {
                continue;
            };
            if let (Some(first), Some(next)) = (index.slots.get_mut(slot), index.next.get_mut(entry as usize))
            {
                *next = std::mem::replace(first, entry);
            }
        }
        index
    }

    /// The entries of one key, in their order. `is` tells whether an entry has that key.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Entries<'_> {
        let first = self.slot(hash, is).and_then(|slot| self.slots.get(slot));
        Entries { next: &self.next, entry: first.copied().unwrap_or(NONE) }
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.next)
    }

    /// The slot that a key has or would have.
    fn slot(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let start = hash as usize & mask;
        (0..=mask)
            .map(|step| (start + step) & mask)
            .find(|slot| self.slots.get(*slot).is_none_or(|entry| *entry == NONE || is(*entry)))
    }
}

/// Entries of one key.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    next: &'a [u32],
    entry: u32,
}

impl Iterator for Entries<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let entry = self.entry;
        self.entry = *self.next.get(entry as usize)?;
        Some(entry)
    }
}

/// No entry. `next` is never that long, so that following it ends.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_under_its_key_even_if_all_hashes_collide() {
        for hash in [|_: u32| 7, |key: u32| u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)] {
            let keys: Vec<u32> = (0..500).map(|entry| entry % 90).collect();
            let key = |entry: u32| keys[entry as usize];
            let index = Index::build(
                500,
                |entry| (key(entry) != 3).then(|| hash(key(entry))),
                |a, b| key(a) == key(b),
            );
            for wanted in 0..100 {
                let found: Vec<_> = index.find(hash(wanted), |entry| key(entry) == wanted).collect();
                let expected: Vec<_> =
                    (0..500).filter(|entry| key(*entry) == wanted && wanted != 3).collect();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!(Index::build(0, |_| None, |_, _| false).find(1, |_| true).count(), 0);
    }
}
