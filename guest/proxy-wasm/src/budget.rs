//! Bytes that may be held at a time.

use std::cell::Cell;
use std::rc::Rc;

/// A number of bytes that all holders share.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Rc<Cell<usize>>);

/// Bytes that are held, and the part of the budget that they take.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    taken: usize,
    budget: Budget,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }

    /// An empty buffer, which takes some of the budget too. `None` where the budget has no room.
    pub(crate) fn empty(&self) -> Option<Held> {
        let mut held = Held { bytes: Vec::new(), taken: 0, budget: self.clone() };
        held.take(OVERHEAD).then_some(held)
    }

    /// A buffer with these bytes. `None` where the budget has no room for them.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Option<Held> {
        let mut held = self.empty()?;
        held.take(bytes.capacity()).then(|| {
            held.bytes = bytes;
            held
        })
    }
}

impl Held {
    /// Appends bytes; false if the budget has no room for them.
    pub(crate) fn append(&mut self, more: &[u8]) -> bool {
        let needed = self.bytes.len() + more.len();
        // Grows as a vector would by itself, so that the memory it takes is known beforehand.
        let capacity = self.bytes.capacity();
        let grown = if needed > capacity { needed.max(2 * capacity) } else { capacity };
        if !self.take(grown - capacity) {
            return false;
        }
        self.bytes.reserve_exact(grown - self.bytes.len());
        self.bytes.extend_from_slice(more);
        true
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.budget.0.get().checked_sub(bytes);
        if let Some(left) = left {
            self.budget.0.set(left);
            self.taken += bytes;
        }
        left.is_some()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() + self.taken);
    }
}

/// Bytes that a request takes besides its body, roughly.
const OVERHEAD: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_taken_and_given_back() {
        let budget = Budget::new(2 * OVERHEAD + 100);
        let first = budget.hold(vec![1; 60]).unwrap();
        assert!(budget.hold(vec![2; 41]).is_none());
        let second = budget.hold(vec![2; 40]).unwrap();
        assert!(budget.empty().is_none());
        assert_eq!((first.bytes().len(), second.bytes().len()), (60, 40));
        drop(first);
        assert!(budget.hold(vec![3; 60]).is_some());
        drop(second);
        assert_eq!(budget.0.get(), 2 * OVERHEAD + 100);
    }

    #[test]
    fn growing_takes_what_the_memory_takes() {
        let budget = Budget::new(OVERHEAD + 100);
        let mut held = budget.empty().unwrap();
        assert!(held.append(&[1; 30]) && held.append(&[2; 30]));
        assert_eq!(budget.0.get(), 40);
        assert!(!held.append(&[3; 41]));
        assert!(held.bytes().len() == 60 && held.taken == OVERHEAD + 60);
        drop(held);
        assert_eq!(budget.0.get(), OVERHEAD + 100);
    }
}
