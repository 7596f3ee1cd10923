//! Strings of bytes in pages, of which a clone is a snapshot: pods and the texts that they share.

use std::ops::Range;
use std::sync::Arc;

use crate::index::{Index, SHARED};

/// Strings of bytes, each under a number that stays its own until it is taken out. Vacant numbers are given again, the lowest
/// first, so that pages stay full. A change copies one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    /// All groups but the last have [`GROUP`] pages.
    groups: Vec<Arc<Vec<Arc<Page>>>>,
    /// Pages with a vacant number.
    vacant: Index,
}

/// Strings of a page, end to end.
#[derive(Clone, Debug, Default)]
struct Page {
    /// Where each string ends. Vacant numbers at the end have none.
    ends: Box<[u32]>,
    bytes: Box<[u8]>,
}

impl Pages {
    /// The string of that number; nothing where the number is vacant.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        let (page, place) = split(number);
        self.page(page).map_or(&[], |page| page.bytes.get(page.range(place)).unwrap_or_default())
    }

    /// The first bytes of a string, to be changed.
    pub(crate) fn bytes_mut<const N: usize>(&mut self, number: u32) -> Option<&mut [u8; N]> {
        let (page, place) = split(number);
        let group = Arc::make_mut(self.groups.get_mut(page / GROUP)?);
        let page = Arc::make_mut(group.get_mut(page % GROUP)?);
        let range = page.range(place);
        page.bytes.get_mut(range)?.first_chunk_mut()
    }

    /// One past the last number that is in use.
    pub(crate) fn end(&self) -> u32 {
        let pages = self.count();
        let last = pages.checked_sub(1).and_then(|last| self.page(last));
        last.map_or(0, |last| ((pages - 1) * PAGE + last.ends.len()) as u32)
    }

    /// The lowest vacant number; `None` where there are as many strings as there can be.
    pub(crate) fn vacant(&self) -> Option<u32> {
        let page = self.vacant.range(0, u64::MAX).next().map_or(self.count(), |page| page as usize);
        let place = self
            .page(page)
            .map_or(0, |page| page.places().find(|place| page.range(*place).is_empty()).unwrap_or_default());
        u32::try_from(page * PAGE + place).ok().filter(|number| *number <= MAX_NUMBER)
    }

    /// Puts a string, which is not empty, in place of another or of none. Returns whether there is room for it.
    pub(crate) fn put(&mut self, number: u32, bytes: &[u8]) -> bool {
        if number > MAX_NUMBER {
            return false;
        }
        let (page, _) = split(number);
        // A number far behind the end: the pages between are one empty page.
        let empty = Arc::default();
        while self.count() <= page {
            let count = self.count();
            if count.is_multiple_of(GROUP) {
                self.groups.push(Arc::default());
            }
            if let Some(group) = self.groups.last_mut() {
                Arc::make_mut(group).push(Arc::clone(&empty));
            }
            self.vacant.insert(count as u64);
        }
        self.replace(number, bytes)
    }

    /// Takes a string out.
    pub(crate) fn remove(&mut self, number: u32) {
        self.replace(number, &[]);
        // Two at most, so that no removal takes long; the next one goes on.
        for _ in 0..2 {
            let Some(last) = self.count().checked_sub(1) else { return };
            if self.page(last).is_some_and(|page| !page.ends.is_empty()) {
                return;
            }
            self.vacant.remove(last as u64);
            if let Some(group) = self.groups.last_mut() {
                let group = Arc::make_mut(group);
                group.pop();
                if group.is_empty() {
                    self.groups.pop();
                }
            }
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let page = |page: &Arc<Page>| {
            page.bytes.len() + size_of_val(&*page.ends) + SHARED + size_of::<Arc<Page>>() * 2
        };
        let pages: usize = self.groups.iter().flat_map(|group| group.iter()).map(page).sum();
        pages + self.groups.len() * SHARED + self.vacant.memory()
    }

    fn count(&self) -> usize {
        let whole = self.groups.len().saturating_sub(1) * GROUP;
        self.groups.last().map_or(0, |last| whole + last.len())
    }

    fn page(&self, page: usize) -> Option<&Page> {
        self.groups.get(page / GROUP)?.get(page % GROUP).map(Arc::as_ref)
    }

    fn replace(&mut self, number: u32, bytes: &[u8]) -> bool {
        let (page, place) = split(number);
        let Some(old) = self.page(page) else { return false };
        let Some(new) = old.with(place, bytes) else { return false };
        let (was_full, is_full) = (old.is_full(), new.is_full());
        if let Some(group) = self.groups.get_mut(page / GROUP)
            && let Some(slot) = Arc::make_mut(group).get_mut(page % GROUP)
        {
            *slot = Arc::new(new);
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
    fn places(&self) -> Range<usize> {
        0..PAGE
    }

    fn is_full(&self) -> bool {
        self.ends.len() == PAGE && self.places().all(|place| !self.range(place).is_empty())
    }

    fn range(&self, place: usize) -> Range<usize> {
        let end = |place: usize| self.ends.get(place).or(self.ends.last()).map_or(0, |end| *end as usize);
        place.checked_sub(1).map_or(0, end)..end(place)
    }

    /// The page with another string at one place. `None` where that would take it past 4 GiB.
    fn with(&self, place: usize, bytes: &[u8]) -> Option<Self> {
        let range = self.range(place);
        let before = self.bytes.get(..range.start).unwrap_or_default();
        let after = self.bytes.get(range.end..).unwrap_or_default();
        let end = |index: usize| {
            let end = self.range(index).end;
            u32::try_from(if index < place { end } else { end - range.len() + bytes.len() }).ok()
        };
        let count = self.ends.len().max(place + 1);
        let mut ends = (0..count).map(end).collect::<Option<Vec<_>>>()?;
        while let [.., before, last] = ends[..]
            && before == last
        {
            ends.pop();
        }
        if ends == [0] {
            ends.clear();
        }
        Some(Self {
            ends: ends.into_boxed_slice(),
            bytes: [before, bytes, after].concat().into_boxed_slice(),
        })
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
