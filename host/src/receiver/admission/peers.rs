//! What each peer holds, and its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Budget, Budgets, UNLIMITED, bodies};
use crate::settings::Limits;

/// All peers that hold something.
#[derive(Debug)]
pub(super) struct Peers {
    share: Share,
    known: Mutex<HashMap<IpAddr, Weak<Held>>>,
}

/// What one peer may hold of each resource.
#[derive(Clone, Copy, Debug)]
struct Share {
    connections: usize,
    bodies: usize,
    requests: usize,
    bytes: usize,
}

/// One peer. Clones share what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<Held>);

#[derive(Debug)]
struct Held {
    address: IpAddr,
    connections: Budget,
    budgets: Budgets,
    peers: Weak<Peers>,
}

/// A connection of a peer, for as long as it is open.
#[derive(Debug)]
pub(crate) struct Connected(Peer);

impl Peers {
    pub(super) fn new(limits: &Limits) -> Self {
        let share = |limit: usize| (limit as u128 * u128::from(limits.per_peer)).div_ceil(1000) as usize;
        let share = Share {
            connections: share(limits.connections.unwrap_or(UNLIMITED)).max(1),
            bodies: share(bodies(limits)).max(1),
            requests: share(limits.in_flight).max(1),
            // At least one body of the largest size fits in, both compressed and decoded.
            bytes: share(limits.in_flight_bytes)
                .max(limits.body.saturating_mul(2))
                .min(limits.in_flight_bytes),
        };
        Self { share, known: Mutex::default() }
    }

    pub(super) fn peer(self: &Arc<Self>, address: IpAddr) -> Peer {
        let mut known = self.lock();
        if let Some(held) = known.get(&address).and_then(Weak::upgrade) {
            return Peer(held);
        }
        let Share { connections, bodies, requests, bytes } = self.share;
        let budgets = Budgets {
            bodies: Budget::new(bodies),
            requests: Budget::new(requests),
            bytes: Budget::new(bytes),
        };
        let (connections, peers) = (Budget::new(connections), Arc::downgrade(self));
        let held = Arc::new(Held { address, connections, budgets, peers });
        known.insert(address, Arc::downgrade(&held));
        Peer(held)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Weak<Held>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Counts one more connection; `None` where the peer's share is used up.
    pub(crate) fn connect(&self) -> Option<Connected> {
        self.0.connections.take(1).then(|| Connected(self.clone()))
    }

    /// The peer's address.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.address
    }

    pub(super) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.0.connections.give(1);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(peers) = self.peers.upgrade() else { return };
        let mut known = peers.lock();
        // The peer may have come again meanwhile, with a new entry.
        if known.get(&self.address).is_some_and(|held| held.strong_count() == 0) {
            known.remove(&self.address);
        }
    }
}
