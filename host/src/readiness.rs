//! Whether to send traffic here.

use std::sync::atomic::{AtomicU8, Ordering};

/// What has to be true before, and until, traffic may come.
#[derive(Debug, Default)]
pub struct Readiness {
    done: AtomicU8,
}

impl Readiness {
    /// The listeners are bound.
    pub fn listening(&self) {
        self.done.fetch_or(LISTENING, Ordering::Relaxed);
    }

    /// The pod directory has its first table, or none is wanted.
    pub fn pods_loaded(&self) {
        self.done.fetch_or(PODS, Ordering::Relaxed);
    }

    /// The order to stop has come.
    pub fn draining(&self) {
        self.done.fetch_or(DRAINING, Ordering::Relaxed);
    }

    /// What is missing; none when traffic may come.
    pub fn missing(&self) -> Option<&'static str> {
        let done = self.done.load(Ordering::Relaxed);
        if done & DRAINING != 0 {
            Some("draining")
        } else if done & PODS == 0 {
            Some("the pod directory is not loaded")
        } else if done & LISTENING == 0 {
            Some("the listeners are not bound")
        } else {
            None
        }
    }
}

const LISTENING: u8 = 1;
const PODS: u8 = 2;
const DRAINING: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_may_come_once_all_is_loaded_and_until_draining() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_some());
        readiness.listening();
        assert!(readiness.missing().is_some());
        readiness.pods_loaded();
        assert_eq!(readiness.missing(), None);
        readiness.draining();
        assert_eq!(readiness.missing(), Some("draining"));
    }
}
