//! A hash index that is built once and then only read: four bytes a slot, no keys of its own.

/// Finds the entries of one key. An entry is a number, such as that of a pod; its key is the caller's to look up.
#[derive(Debug)]
pub(crate) struct Index {
    /// Open addressing: the first entry of each key. A power of two long and at most three quarters full.
    slots: Box<[u32]>,
    /// The next entry of the same key.
    next: Box<[u32]>,
}

impl Default for Index {
    /// An index without entries.
    fn default() -> Self {
        Self { slots: [NONE].into(), next: [].into() }
    }
}

impl Index {
    /// Indexes the entries `0..count`, leaving out those without a hash. `same` tells whether two have the same key.
    pub(crate) fn build(
        count: usize,
        hash: impl Fn(u32) -> Option<u64>,
        same: impl Fn(u32, u32) -> bool,
    ) -> Self {
        let mut building = IndexBuilder::new(count);
        building.advance(usize::MAX, hash, same);
        building.finish()
    }

    /// The entries of one key, in their order. `is` tells whether an entry has that key.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Entries<'_> {
        let first = self.slot(hash, is).and_then(|slot| self.slots.get(slot));
        Entries { next: &self.next, entry: first.copied().unwrap_or(NONE) }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.next)
    }

    /// Puts an entry ahead of the others of its key.
    fn insert_first(&mut self, entry: u32, hash: u64, same: impl Fn(u32, u32) -> bool) {
        let slot = self.slot(hash, |first| same(first, entry));
        let first = slot.and_then(|slot| self.slots.get_mut(slot));
        if let (Some(first), Some(next)) = (first, self.next.get_mut(entry as usize)) {
            *next = std::mem::replace(first, entry);
        }
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

/// An index that is being built, a few entries at a time.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    count: u32,
    /// Hashes of the first entries, until all are known; then of the entries that are not in the index yet.
    hashes: Vec<Option<u64>>,
    index: Index,
    is_hashed: bool,
}

impl IndexBuilder {
    pub(crate) fn new(count: usize) -> Self {
        Self { count: u32::try_from(count).unwrap_or(NONE), ..Self::default() }
    }

    /// Works on at most so many entries, each of which comes up twice; returns how many of `steps` are left. As long as
    /// none are, call again, with the same functions.
    pub(crate) fn advance(
        &mut self,
        mut steps: usize,
        hash: impl Fn(u32) -> Option<u64>,
        same: impl Fn(u32, u32) -> bool,
    ) -> usize {
        if !self.is_hashed {
            let start = self.hashes.len() as u32;
            let end = self.count.min(start.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX)));
            self.hashes.reserve_exact((self.count - start) as usize);
            self.hashes.extend((start..end).map(hash));
            steps -= (end - start) as usize;
            if end < self.count {
                return 0;
            }
            self.is_hashed = true;
            let filled = self.hashes.iter().flatten().count();
            let slots = (filled + filled / 3 + 1).next_power_of_two();
            self.index =
                Index { slots: vec![NONE; slots].into(), next: vec![NONE; self.hashes.len()].into() };
        }
        // From the last, so that each chain runs in the order of the entries.
        while steps > 0
            && let Some(hash) = self.hashes.pop()
        {
            steps -= 1;
            let entry = self.hashes.len() as u32;
            if let Some(hash) = hash {
                self.index.insert_first(entry, hash, &same);
            }
        }
        steps
    }

    pub(crate) fn finish(self) -> Index {
        self.index
    }
}

/// Entries of one key.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
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
    fn what_is_built_in_steps_is_the_same() {
        let hash = |entry: u32| (!entry.is_multiple_of(7)).then_some(u64::from(entry % 5));
        let same = |a, b| a % 5 == b % 5;
        let whole = Index::build(100, hash, same);
        for steps in [1, 3, 99, 100, 200, 201] {
            let mut building = IndexBuilder::new(100);
            while building.advance(steps, hash, same) == 0 {}
            let index = building.finish();
            assert_eq!((index.slots, index.next), (whole.slots.clone(), whole.next.clone()), "{steps}");
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!(Index::build(0, |_| None, |_, _| false).find(1, |_| true).count(), 0);
    }
}
