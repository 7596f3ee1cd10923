//! The connections of all listeners: how many there may be, and which ones close when one more comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::idle::IdleTracker;
use crate::observe::{Limited, Metrics};

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<IdleTracker>>>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

/// The entry of an open connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    connections: Arc<Connections>,
    number: u64,
}

impl Connections {
    /// Allows `limit` connections at a time; `None`: any number.
    pub(super) fn new(limit: Option<usize>, metrics: Arc<Metrics>) -> Self {
        let places = limit.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let (places, open) = (Arc::new(Semaphore::new(places)), Mutex::default());
        Self { places, open, next: AtomicU64::new(0), metrics }
    }

    /// A place for one more. Where there is none, those that have been idle the longest are told to close.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let mut place = std::pin::pin!(Arc::clone(&self.places).acquire_owned());
        loop {
            self.make_room();
            if let Ok(place) = timeout(AGAIN, place.as_mut()).await {
                return place.ok();
            }
        }
    }

    /// Tells some idle connections to close, the longest idle first.
    pub(super) fn make_room(&self) {
        let open = self.lock();
        let mut idle: Vec<_> = open.values().filter_map(|tracker| Some((tracker.idle()?, tracker))).collect();
        // Some at a time, since each look is at all of them.
        let some = (idle.len() / 64).max(1).min(idle.len());
        if some == 0 {
            return;
        }
        idle.select_nth_unstable_by(some - 1, |(one, _), (other, _)| other.cmp(one));
        for (_, tracker) in idle.iter().take(some) {
            self.metrics.limited(Limited::Connections);
            tracker.ask_to_go();
        }
    }

    /// Registers an open connection.
    pub(super) fn register(self: &Arc<Self>, tracker: &Arc<IdleTracker>) -> Open {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(tracker));
        Open { connections: Arc::clone(self), number }
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<IdleTracker>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.number);
    }
}

/// When to look for idle connections again, while somebody waits for a place.
const AGAIN: Duration = Duration::from_millis(50);
