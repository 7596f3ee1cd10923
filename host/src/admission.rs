//! How many requests, and how many bytes of bodies, are in the process at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::settings::Limits;

/// Counts requests in flight and the bytes that they hold; never waits.
#[derive(Debug)]
pub(crate) struct Admission {
    requests: Budget,
    bytes: Budget,
}

impl Admission {
    /// Nothing in flight yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { requests: Budget::new(limits.in_flight), bytes: Budget::new(limits.in_flight_bytes) }
    }

    /// Lets one request in, unless there are too many.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Slot> {
        self.requests.take(1).then(|| Slot { admission: Arc::clone(self), bytes: 0 })
    }

    /// Requests in flight.
    pub(crate) fn requests(&self) -> usize {
        self.requests.taken()
    }

    /// Bytes that requests in flight hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.taken()
    }
}

/// One request's place. Dropping it gives back the place and the bytes.
#[derive(Debug)]
pub(crate) struct Slot {
    admission: Arc<Admission>,
    bytes: usize,
}

impl Slot {
    /// Takes `bytes` more; false if there is no room for them.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let taken = self.admission.bytes.take(bytes);
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Gives back `bytes`, which are no longer held.
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.admission.bytes.give(bytes);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.bytes.give(self.bytes);
        self.admission.requests.give(1);
    }
}

#[derive(Debug)]
struct Budget {
    limit: usize,
    left: AtomicUsize,
}

impl Budget {
    fn new(limit: usize) -> Self {
        Self { limit, left: AtomicUsize::new(limit) }
    }

    fn take(&self, count: usize) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)).is_ok()
    }

    fn give(&self, count: usize) {
        self.left.fetch_add(count, Ordering::Relaxed);
    }

    fn taken(&self) -> usize {
        self.limit.saturating_sub(self.left.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slot_gives_back_its_place_and_its_bytes() {
        let limits = Limits { in_flight: 2, in_flight_bytes: 100, ..Limits::default() };
        let admission = Arc::new(Admission::new(&limits));
        let mut first = admission.enter().unwrap();
        let mut second = admission.enter().unwrap();
        assert!(admission.enter().is_none());
        assert!(first.hold(60));
        assert!(!second.hold(41));
        assert!(second.hold(40));
        assert_eq!((admission.requests(), admission.bytes()), (2, 100));
        first.release(10);
        assert!(second.hold(10));
        drop(first);
        assert_eq!((admission.requests(), admission.bytes()), (1, 50));
        drop(second);
        assert_eq!((admission.requests(), admission.bytes()), (0, 0));
    }
}
