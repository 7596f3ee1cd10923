//! Strings of bytes in pages, of which a clone is a snapshot: pods and the texts that they share.

use std::ops::Range;
use std::sync::Arc;

use crate::index::{Index, SHARED};

/// Strings of bytes, each under a number that stays its own until it is taken out. Vacant numbers are given again, the lowest
/// first, so that pages stay full. A change copies one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    groups: Vec<Arc<[Page; GROUP]>>,
    /// How many pages there are: all others of the last group are empty.
    count: usize,
    /// Pages with a vacant number.
    vacant: Index,
}

/// Strings of a page, end to end, behind the place where each ends. It is one allocation, since what a lookup takes is how often
/// it goes to another place in memory. A page without strings is empty.
#[derive(Clone, Debug, Default)]
struct Page(Arc<[u8]>);

impl Pages {
    /// The string of that number; nothing where the number is vacant.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        let (page, place) = split(number);
        self.page(page).map_or(&[], |page| page.0.get(page.range(place)).unwrap_or_default())
    }

    /// The first bytes of a string, to be changed.
    pub(crate) fn bytes_mut<const N: usize>(&mut self, number: u32) -> Option<&mut [u8; N]> {
        let (page, place) = split(number);
        let group = Arc::make_mut(self.groups.get_mut(page / GROUP)?);
        let page = group.get_mut(page % GROUP)?;
        let range = page.range(place);
        Arc::make_mut(&mut page.0).get_mut(range)?.first_chunk_mut()
    }

    /// One past the last number that is in use, or somewhat more.
    pub(crate) fn end(&self) -> u32 {
        let last = self.count.checked_sub(1).and_then(|last| self.page(last));
        last.map_or(0, |last| ((self.count - 1) * PAGE + last.count()) as u32)
    }

    /// The lowest vacant number; `None` where there are as many strings as there can be.
    pub(crate) fn vacant(&self) -> Option<u32> {
        let page = self.vacant.range(0, u64::MAX).next().map_or(self.count, |page| page as usize);
        let vacant = |page: &Page| (0..PAGE).find(|place| page.range(*place).is_empty());
        let place = self.page(page).and_then(vacant).unwrap_or_default();
        u32::try_from(page * PAGE + place).ok().filter(|number| *number <= MAX_NUMBER)
    }

    /// Puts a string, which is not empty, in place of another or of none. Returns whether there is room for it.
    pub(crate) fn put(&mut self, number: u32, bytes: &[u8]) -> bool {
        if number > MAX_NUMBER {
            return false;
        }
        let (page, _) = split(number);
        while self.count <= page {
            if self.count.is_multiple_of(GROUP) {
                self.groups.push(Arc::default());
            }
            self.vacant.insert(self.count as u64);
            self.count += 1;
        }
        self.replace(number, bytes)
    }

    /// Takes a string out.
    pub(crate) fn remove(&mut self, number: u32) {
        self.replace(number, &[]);
        // Two at most, so that no removal takes long; the next one goes on.
        for _ in 0..2 {
            let Some(last) = self.count.checked_sub(1) else { return };
            if self.page(last).is_some_and(|page| page.count() > 0) {
                return;
            }
            self.vacant.remove(last as u64);
            self.count = last;
            self.groups.truncate(last.div_ceil(GROUP));
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let pages: usize = self.groups.iter().flat_map(|group| group.iter()).map(Page::memory).sum();
        let group = size_of::<[Page; GROUP]>() + SHARED;
        pages + self.groups.len() * group + self.vacant.memory()
    }

    fn page(&self, page: usize) -> Option<&Page> {
        self.groups.get(page / GROUP)?.get(page % GROUP)
    }

    fn replace(&mut self, number: u32, bytes: &[u8]) -> bool {
        let (page, place) = split(number);
        let Some(old) = self.page(page) else { return false };
        let Some(new) = old.with(place, bytes) else { return false };
        let (was_full, is_full) = (old.is_full(), new.is_full());
        if let Some(group) = self.groups.get_mut(page / GROUP)
            && let Some(slot) = Arc::make_mut(group).get_mut(page % GROUP)
        {
            *slot = new;
        }
        match (was_full, is_full) {
            (false, true) => self.vacant.remove(page as u64),
            (true, false) => self.vacant.insert(page as u64),
            _ => {}
        }
        true
    }
}

impl Page {
    /// How many places have an end. Those after them are vacant.
    fn count(&self) -> usize {
        self.0.first().map_or(0, |count| usize::from(*count))
    }

    /// Where the string at a place ends, counted from the first one's beginning.
    fn end(&self, place: usize) -> usize {
        let at = 1 + place.min(self.count().wrapping_sub(1)) * END;
        let end = self.0.get(at..).and_then(|ends| ends.first_chunk());
        end.map_or(0, |end| u32::from_le_bytes(*end) as usize)
    }

    fn range(&self, place: usize) -> Range<usize> {
        if self.0.is_empty() {
            return 0..0;
        }
        let first = 1 + self.count() * END;
        first + place.checked_sub(1).map_or(0, |before| self.end(before))..first + self.end(place)
    }

    fn is_full(&self) -> bool {
        self.count() == PAGE && (0..PAGE).all(|place| !self.range(place).is_empty())
    }

    fn memory(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.len() + SHARED }
    }

    /// The page with another string at one place. `None` where that would take it past 4 GiB.
    fn with(&self, place: usize, string: &[u8]) -> Option<Self> {
        let old = self.range(place);
        let first = self.range(0).start;
        let end = |index| {
            let end = if self.0.is_empty() { 0 } else { self.end(index) };
            if index < place { end } else { end + string.len() - old.len() }
        };
        let mut count = self.count().max(place + 1);
        while count > 0 && end(count - 1) == count.checked_sub(2).map_or(0, end) {
            count -= 1;
        }
        if count == 0 {
            return Some(Self::default());
        }
        let size = 1 + count * END + end(count - 1);
        u32::try_from(size).ok()?;
        let mut bytes = Vec::with_capacity(size);
        bytes.push(count as u8);
        (0..count).for_each(|index| bytes.extend((end(index) as u32).to_le_bytes()));
        bytes.extend_from_slice(self.0.get(first..old.start).unwrap_or_default());
        bytes.extend_from_slice(string);
        bytes.extend_from_slice(self.0.get(old.end..).unwrap_or_default());
        Some(Self(bytes.into()))
    }
}

/// The page of a number, and its place there.
fn split(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

/// Bits of a number. 16 million pods are more than any cluster has; texts of theirs, kept only where rules need them, are no more.
pub(crate) const NUMBER_BITS: u32 = 26;

/// The highest number.
pub(crate) const MAX_NUMBER: u32 = (1 << NUMBER_BITS) - 1;

/// Strings of a page: some 8 KB of pods, which is what a change copies.
const PAGE: usize = 64;

/// Pages of a group.
const GROUP: usize = 32;

/// Bytes of an end.
const END: usize = size_of::<u32>();

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn check(pages: &Pages, model: &BTreeMap<u32, Vec<u8>>) {
        let end = model.last_key_value().map_or(0, |(number, _)| number + 1);
        for number in 0..end + 100 {
            let expected = model.get(&number).map_or(&[][..], Vec::as_slice);
            assert_eq!(pages.bytes(number), expected, "{number}");
        }
        let vacant = (0..).find(|number| !model.contains_key(number));
        assert_eq!(pages.vacant(), vacant);
    }

    proptest! {
        #[test]
        fn strings_and_their_snapshots_stay_as_they_were(
            steps in vec((0..6_u8, 0..300_u32, vec(any::<u8>(), 1..20)), 0..600),
        ) {
            let (mut pages, mut model) = (Pages::default(), BTreeMap::new());
            let mut snapshot = (pages.clone(), model.clone());
            for (at, (what, number, bytes)) in steps.into_iter().enumerate() {
                match what {
                    0 => {
                        pages.remove(number);
                        model.remove(&number);
                    }
                    1 => {
                        assert!(pages.put(number, &bytes));
                        model.insert(number, bytes);
                    }
                    _ => {
                        let number = pages.vacant().unwrap();
                        assert!(pages.put(number, &bytes));
                        model.insert(number, bytes);
                    }
                }
                if at == 150 {
                    snapshot = (pages.clone(), model.clone());
                }
            }
            check(&pages, &model);
            check(&snapshot.0, &snapshot.1);
            let numbers: Vec<_> = model.keys().copied().collect();
            numbers.into_iter().for_each(|number| pages.remove(number));
            (0..20).for_each(|_| pages.remove(0));
            prop_assert_eq!((pages.end(), pages.groups.len()), (0, 0));
        }
    }

    #[test]
    fn a_number_far_away_costs_little_and_one_out_of_range_nothing() {
        let mut pages = Pages::default();
        assert!(!pages.put(MAX_NUMBER + 1, b"x"));
        assert!(pages.put(1_000_000, b"x"));
        assert_eq!((pages.bytes(1_000_000), pages.end(), pages.vacant()), (&b"x"[..], 1_000_001, Some(0)));
        *pages.bytes_mut::<1>(1_000_000).unwrap() = *b"y";
        assert_eq!(pages.bytes(1_000_000), b"y");
    }
}
