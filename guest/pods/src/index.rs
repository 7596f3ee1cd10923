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
    leaves: Arc<Vec<Leaf>>,
}

#[derive(Clone, Debug)]
struct Leaf {
    /// No number of this leaf is less, except in the first one.
    first: u64,
    numbers: Arc<Vec<u64>>,
}

impl Index {
    /// Adds a number.
    pub(crate) fn insert(&mut self, number: u64) {
        if self.branches.is_empty() {
            self.branches.push(Branch { first: number, leaves: Arc::default() });
        }
        let branch_at = branch_of(&self.branches, number);
        let Some(branch) = self.branches.get_mut(branch_at) else { return };
        let leaves = Arc::make_mut(&mut branch.leaves);
        if leaves.is_empty() {
            leaves.push(Leaf { first: number, numbers: Arc::default() });
        }
        let leaf_at = leaf_of(leaves, number);
        let Some(leaf) = leaves.get_mut(leaf_at) else { return };
        let numbers = Arc::make_mut(&mut leaf.numbers);
        let Err(at) = numbers.binary_search(&number) else { return };
        if numbers.len() == numbers.capacity() {
            numbers.reserve_exact(GROWTH);
        }
        numbers.insert(at, number);
        if numbers.len() <= LEAF {
            return;
        }
        let upper = numbers.split_off(LEAF / 2);
        numbers.shrink_to_fit();
        let first = upper.first().copied().unwrap_or(number);
        leaves.insert(leaf_at + 1, Leaf { first, numbers: Arc::new(upper) });
        if leaves.len() > BRANCH {
            let upper = leaves.split_off(BRANCH / 2);
            leaves.shrink_to_fit();
            let first = upper.first().map_or(first, |leaf| leaf.first);
            self.branches.insert(branch_at + 1, Branch { first, leaves: Arc::new(upper) });
        }
    }

    /// Takes a number out. Nodes that have become nearly empty are joined to their neighbours.
    pub(crate) fn remove(&mut self, number: u64) {
        let branch_at = branch_of(&self.branches, number);
        let Some(branch) = self.branches.get_mut(branch_at) else { return };
        let leaf_at = leaf_of(&branch.leaves, number);
        let found = branch.leaves.get(leaf_at).and_then(|leaf| leaf.numbers.binary_search(&number).ok());
        let Some(at) = found else { return };
        let leaves = Arc::make_mut(&mut branch.leaves);
        let Some(leaf) = leaves.get_mut(leaf_at) else { return };
        let numbers = Arc::make_mut(&mut leaf.numbers);
        numbers.remove(at);
        if numbers.len() >= LEAF / 4 {
            return;
        }
        let lower = if leaf_at + 1 < leaves.len() { leaf_at } else { leaf_at.saturating_sub(1) };
        if let [one, other, ..] = leaves.get_mut(lower..).unwrap_or_default()
            && one.numbers.len() + other.numbers.len() <= LEAF / 2
        {
            Arc::make_mut(&mut one.numbers).extend_from_slice(&other.numbers);
            leaves.remove(lower + 1);
        } else if leaves.iter().all(|leaf| leaf.numbers.is_empty()) {
            leaves.clear();
        }
        if leaves.len() >= BRANCH / 4 {
            return;
        }
        if leaves.is_empty() {
            self.branches.remove(branch_at);
            return;
        }
        let lower = if branch_at + 1 < self.branches.len() { branch_at } else { branch_at.saturating_sub(1) };
        if let [one, other, ..] = self.branches.get_mut(lower..).unwrap_or_default()
            && one.leaves.len() + other.leaves.len() <= BRANCH / 2
        {
            Arc::make_mut(&mut one.leaves).extend(other.leaves.iter().cloned());
            self.branches.remove(lower + 1);
        }
    }

    /// The numbers from `first` to `last`, both of which count, in order.
    pub(crate) fn range(&self, first: u64, last: u64) -> Range<'_> {
        let branch = branch_of(&self.branches, first);
        let leaves = self.branches.get(branch).map_or(&[][..], |branch| &branch.leaves);
        let leaf = leaf_of(leaves, first);
        let numbers = leaves.get(leaf).map_or(&[][..], |leaf| &leaf.numbers);
        let at = numbers.partition_point(|number| *number < first);
        Range { index: self, branch, leaf, rest: numbers.get(at..).unwrap_or_default(), last }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let numbers = |leaf: &Leaf| leaf.numbers.capacity() * size_of::<u64>() + SHARED;
        let leaves = |branch: &Branch| {
            let each: usize = branch.leaves.iter().map(numbers).sum();
            each + branch.leaves.capacity() * size_of::<Leaf>() + SHARED
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

/// The branch that has a number or would have it.
fn branch_of(branches: &[Branch], number: u64) -> usize {
    branches.partition_point(|branch| branch.first <= number).saturating_sub(1)
}

/// The leaf that has a number or would have it.
fn leaf_of(leaves: &[Leaf], number: u64) -> usize {
    leaves.partition_point(|leaf| leaf.first <= number).saturating_sub(1)
}

/// The most numbers of a leaf: a kilobyte, which is what a change copies.
const LEAF: usize = 128;

/// The most leaves of a branch.
const BRANCH: usize = 32;

/// Places that a full leaf gets at a time.
const GROWTH: usize = 8;

/// Bytes that a vector behind an [`Arc`] takes besides its items.
pub(crate) const SHARED: usize = size_of::<usize>() * 5;

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
