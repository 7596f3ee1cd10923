//! A set of numbers in order, of which a clone is a snapshot: what pods are found by.

use std::sync::Arc;

/// A set of numbers in order: a tree of three levels, each node behind an [`Arc`]. A change copies the nodes that a clone
/// shares, some kilobytes, and takes the same time however many numbers begin alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    branches: Vec<Branch>,
}

#[derive(Clone, Debug)]
struct Branch {
    /// No number of this branch is less, except in the first one.
    first: u64,
    leaves: Arc<[Leaf]>,
}

#[derive(Clone, Debug)]
struct Leaf {
    /// No number of this leaf is less, except in the first one.
    first: u64,
    numbers: Arc<[u64]>,
}

impl Index {
    /// Adds a number.
    pub(crate) fn insert(&mut self, number: u64) {
        if self.branches.is_empty() {
            let leaf = Leaf { first: number, numbers: Arc::default() };
            self.branches.push(Branch { first: number, leaves: Arc::new([leaf]) });
        }
        let (branch_at, leaf_at, at) = self.position(number);
        let Some(branch) = self.branches.get_mut(branch_at) else { return };
        let Some(leaf) = branch.leaves.get(leaf_at) else { return };
        if leaf.numbers.get(at) == Some(&number) {
            return;
        }
        let (before, after) = leaf.numbers.split_at(at);
        let numbers = [before, &[number], after].concat();
        if numbers.len() <= LEAF {
            if let Some(leaf) = Arc::make_mut(&mut branch.leaves).get_mut(leaf_at) {
                leaf.numbers = numbers.into();
            }
            return;
        }
        let (lower, upper) = numbers.split_at(LEAF / 2);
        let halves = [(leaf.first, lower), (upper.first().copied().unwrap_or(number), upper)]
            .map(|(first, numbers)| Leaf { first, numbers: numbers.into() });
        let leaves = replaced(&branch.leaves, leaf_at, 1, &halves);
        if leaves.len() <= BRANCH {
            branch.leaves = leaves.into();
            return;
        }
        let (lower, upper) = leaves.split_at(BRANCH / 2);
        branch.leaves = lower.into();
        let first = upper.first().map_or(number, |leaf| leaf.first);
        self.branches.insert(branch_at + 1, Branch { first, leaves: upper.into() });
    }

    /// Takes a number out. Nodes that have become nearly empty are joined to their neighbours.
    pub(crate) fn remove(&mut self, number: u64) {
        let (branch_at, leaf_at, at) = self.position(number);
        let Some(branch) = self.branches.get_mut(branch_at) else { return };
        let Some(leaf) = branch.leaves.get(leaf_at) else { return };
        if leaf.numbers.get(at) != Some(&number) {
            return;
        }
        let numbers = replaced(&leaf.numbers, at, 1, &[]);
        let is_small = numbers.len() < LEAF / 4;
        if let Some(leaf) = Arc::make_mut(&mut branch.leaves).get_mut(leaf_at) {
            leaf.numbers = numbers.into();
        }
        if !is_small {
            return;
        }
        let lower = pair_at(leaf_at, branch.leaves.len());
        if let [one, other, ..] = branch.leaves.get(lower..).unwrap_or_default()
            && one.numbers.len() + other.numbers.len() <= LEAF / 2
        {
            let numbers = [&*one.numbers, &other.numbers].concat();
            let joined = [Leaf { first: one.first, numbers: numbers.into() }];
            branch.leaves = replaced(&branch.leaves, lower, 2, &joined).into();
        } else if branch.leaves.iter().all(|leaf| leaf.numbers.is_empty()) {
            branch.leaves = Arc::default();
        }
        if branch.leaves.len() >= BRANCH / 4 {
            return;
        }
        if branch.leaves.is_empty() {
            self.branches.remove(branch_at);
            return;
        }
        let lower = pair_at(branch_at, self.branches.len());
        if let [one, other, ..] = self.branches.get_mut(lower..).unwrap_or_default()
            && one.leaves.len() + other.leaves.len() <= BRANCH / 2
        {
            one.leaves = [&*one.leaves, &other.leaves].concat().into();
            self.branches.remove(lower + 1);
        }
    }

    /// The numbers from `first` to `last`, both of which count, in order.
    pub(crate) fn range(&self, first: u64, last: u64) -> Range<'_> {
        let (branch, leaf, at) = self.position(first);
        let numbers = self.branches.get(branch).and_then(|branch| branch.leaves.get(leaf));
        let rest = numbers.and_then(|leaf| leaf.numbers.get(at..));
        Range { index: self, branch, leaf, rest: rest.unwrap_or_default(), last }
    }

    /// Where a number is or would be: branch, leaf, place in the leaf.
    fn position(&self, number: u64) -> (usize, usize, usize) {
        let branch_at = self.branches.partition_point(|branch| branch.first <= number).saturating_sub(1);
        let Some(branch) = self.branches.get(branch_at) else { return (branch_at, 0, 0) };
        let leaf_at = branch.leaves.partition_point(|leaf| leaf.first <= number).saturating_sub(1);
        let Some(leaf) = branch.leaves.get(leaf_at) else { return (branch_at, leaf_at, 0) };
        let next_leaf = branch.leaves.get(leaf_at + 1).map(|leaf| leaf.first);
        let next = next_leaf.or_else(|| self.branches.get(branch_at + 1).map(|branch| branch.first));
        (branch_at, leaf_at, place(&leaf.numbers, number, leaf.first, next.unwrap_or(u64::MAX)))
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let numbers = |leaf: &Leaf| size_of_val(&*leaf.numbers) + SHARED;
        let leaves = |branch: &Branch| {
            let each: usize = branch.leaves.iter().map(numbers).sum();
            each + size_of_val(&*branch.leaves) + SHARED
        };
        self.branches.iter().map(leaves).sum::<usize>() + self.branches.capacity() * size_of::<Branch>()
    }
}

/// Numbers of an [`Index`] in order.
#[derive(Clone, Debug)]
pub(crate) struct Range<'a> {
    index: &'a Index,
    branch: usize,
    leaf: usize,
    /// What is left of the leaf.
    rest: &'a [u64],
    last: u64,
}

impl Iterator for Range<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some((number, rest)) = self.rest.split_first() {
                self.rest = rest;
                return (*number <= self.last).then_some(*number);
            }
            self.leaf += 1;
            let branch = self.index.branches.get(self.branch)?;
            if self.leaf >= branch.leaves.len() {
                self.branch += 1;
                self.leaf = 0;
            }
            let leaf = self.index.branches.get(self.branch)?.leaves.get(self.leaf)?;
            if leaf.first > self.last {
                return None;
            }
            self.rest = &leaf.numbers;
        }
    }
}

/// The items with others in place of some.
fn replaced<T: Clone>(items: &[T], at: usize, count: usize, by: &[T]) -> Vec<T> {
    let before = items.get(..at).unwrap_or_default();
    let after = items.get(at + count..).unwrap_or_default();
    [before, by, after].concat()
}

/// The first of two neighbours of which one is at this place.
fn pair_at(at: usize, count: usize) -> usize {
    if at + 1 < count { at } else { at.saturating_sub(1) }
}

/// How many of a leaf's numbers are less than one. They are hashes, spread evenly from the leaf's first to the next leaf's, so that
/// a guess is nearly right, where halving would go to another place in memory each time.
fn place(numbers: &[u64], number: u64, first: u64, next: u64) -> usize {
    let share = |number: u64| number.saturating_sub(first) >> 32;
    let guess = share(number) * numbers.len() as u64 / (share(next) + 1);
    let mut at = numbers.len().min(guess as usize);
    while at.checked_sub(1).and_then(|before| numbers.get(before)).is_some_and(|before| *before >= number) {
        at -= 1;
    }
    while numbers.get(at).is_some_and(|known| *known < number) {
        at += 1;
    }
    at
}

/// The most numbers of a leaf: a kilobyte, which is what a change copies.
const LEAF: usize = 128;

/// The most leaves of a branch.
const BRANCH: usize = 32;

/// Bytes that a slice behind an [`Arc`] takes besides its items.
pub(crate) const SHARED: usize = size_of::<usize>() * 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn all(index: &Index) -> Vec<u64> {
        index.range(0, u64::MAX).collect()
    }

    #[test]
    fn many_numbers_come_back_in_order_and_leave_nothing_behind() {
        let mix = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for spread in [mix, |number| number, |number| u64::MAX - number] {
            let mut index = Index::default();
            (0..50_000).for_each(|number| index.insert(spread(number)));
            let mut expected: Vec<_> = (0..50_000).map(spread).collect();
            expected.sort_unstable();
            assert_eq!(all(&index), expected);
            assert!(index.memory() < 50_000 * 18, "{}", index.memory());
            (500..50_000).for_each(|number| index.remove(spread(number)));
            assert_eq!(all(&index).len(), 500);
            assert!(index.memory() < 500 * 100, "{}", index.memory());
            (0..500).for_each(|number| index.remove(spread(number)));
            assert_eq!((all(&index).len(), index.branches.len()), (0, 0));
        }
    }

    proptest! {
        #[test]
        fn a_set_and_its_snapshots_have_what_a_plain_set_has(
            steps in vec((any::<bool>(), 0..2_000_u64), 0..3_000),
            first in 0..2_000_u64,
            length in 0..500_u64,
        ) {
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            let mut snapshot = (index.clone(), model.clone());
            for (at, (is_removal, number)) in steps.into_iter().enumerate() {
                if is_removal && at % 3 > 0 {
                    index.remove(number);
                    model.remove(&number);
                } else {
                    index.insert(number);
                    model.insert(number);
                }
                if at == 700 {
                    snapshot = (index.clone(), model.clone());
                }
            }
            for (index, model) in [(index, model), snapshot] {
                prop_assert_eq!(all(&index), model.iter().copied().collect::<Vec<_>>());
                let range = first..=first + length;
                prop_assert!(index.range(first, first + length).eq(model.range(range).copied()));
            }
        }
    }
}
