//! Limits on what is in the process at a time: requests, bodies on their way in, and their bytes, for all peers together
//! and for each.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::settings::Limits;

mod peers;
#[cfg(test)]
mod tests;

use peers::Peers;
pub(crate) use peers::{Connected, Peer};

/// Counts what requests hold, and refuses what is over a limit; never waits.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Budgets,
    peers: Arc<Peers>,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Requests whose body is on its way.
    Bodies,
    /// Requests whose body has come, until they have their answer.
    Requests,
    /// Bytes of bodies.
    Bytes,
}

/// The refusal of something for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// The resource that is used up.
    pub(crate) resource: Resource,
    /// Whether it is the peer's own share that is used up, while others may still have room.
    pub(crate) of_peer: bool,
}

impl Admission {
    /// Nothing in flight yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        let all = Budgets {
            bodies: Budget::new(bodies(limits)),
            requests: Budget::new(limits.in_flight),
            bytes: Budget::new(limits.in_flight_bytes),
        };
        Self { all, peers: Arc::new(Peers::new(limits)) }
    }

    /// The peer with that address. All clients without an address count as one peer.
    pub(crate) fn peer(&self, address: Option<IpAddr>) -> Peer {
        self.peers.peer(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// A request's body begins to come.
    pub(crate) fn arrive(self: &Arc<Self>, peer: &Peer) -> Result<Slot, Full> {
        // A request that could not be worked on anyway need not send its body first.
        self.has_room(Resource::Requests, peer)?;
        self.take(Resource::Bodies, 1, peer)?;
        Ok(Slot {
            admission: Arc::clone(self),
            peer: peer.clone(),
            phase: Resource::Bodies,
            bytes: 0,
            full: Full { resource: Resource::Bytes, of_peer: false },
        })
    }

    /// Requests whose body has come.
    pub(crate) fn requests(&self) -> usize {
        self.all.requests.taken()
    }

    /// Requests whose body is on its way.
    pub(crate) fn bodies(&self) -> usize {
        self.all.bodies.taken()
    }

    /// Bytes that requests hold.
    pub(crate) fn bytes(&self) -> usize {
        self.all.bytes.taken()
    }

    /// Peers that hold anything, or are connected.
    pub(crate) fn peers(&self) -> usize {
        self.peers.count()
    }

    fn has_room(&self, resource: Resource, peer: &Peer) -> Result<(), Full> {
        if peer.budgets().of(resource).is_full() {
            Err(Full { resource, of_peer: true })
        } else if self.all.of(resource).is_full() {
            Err(Full { resource, of_peer: false })
        } else {
            Ok(())
        }
    }

    fn take(&self, resource: Resource, count: usize, peer: &Peer) -> Result<(), Full> {
        let own = peer.budgets().of(resource);
        if !own.take(count) {
            return Err(Full { resource, of_peer: true });
        }
        if !self.all.of(resource).take(count) {
            own.give(count);
            return Err(Full { resource, of_peer: false });
        }
        Ok(())
    }

    fn give(&self, resource: Resource, count: usize, peer: &Peer) {
        self.all.of(resource).give(count);
        peer.budgets().of(resource).give(count);
    }
}

/// A request's place: first among the bodies on their way, then among the requests. Dropping it gives back the place and
/// the bytes.
#[derive(Debug)]
pub(crate) struct Slot {
    admission: Arc<Admission>,
    peer: Peer,
    phase: Resource,
    bytes: usize,
    full: Full,
}

impl Slot {
    /// The body is there, and the request is to be worked on.
    pub(crate) fn enter(&mut self) -> Result<(), Full> {
        self.admission.take(Resource::Requests, 1, &self.peer)?;
        self.admission.give(self.phase, 1, &self.peer);
        self.phase = Resource::Requests;
        Ok(())
    }

    /// Takes `bytes` more; false if there is no room for them, and [`Slot::full`] says which limit was met.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        match self.admission.take(Resource::Bytes, bytes, &self.peer) {
            Ok(()) => self.bytes += bytes,
            Err(full) => {
                self.full = full;
                return false;
            }
        }
        true
    }

    /// The limit that [`Slot::hold`] met last.
    pub(crate) fn full(&self) -> Full {
        self.full
    }

    /// Gives back `bytes`, which are no longer held.
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.admission.give(Resource::Bytes, bytes, &self.peer);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.give(Resource::Bytes, self.bytes, &self.peer);
        self.admission.give(self.phase, 1, &self.peer);
    }
}

/// One budget for each resource.
#[derive(Debug)]
struct Budgets {
    bodies: Budget,
    requests: Budget,
    bytes: Budget,
}

impl Budgets {
    fn of(&self, resource: Resource) -> &Budget {
        match resource {
            Resource::Bodies => &self.bodies,
            Resource::Requests => &self.requests,
            Resource::Bytes => &self.bytes,
        }
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

    fn is_full(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn taken(&self) -> usize {
        self.limit.saturating_sub(self.left.load(Ordering::Relaxed))
    }
}

/// The limit of bodies on their way: as many as connections, where those are limited, or else as requests.
fn bodies(limits: &Limits) -> usize {
    limits.connections.unwrap_or(UNLIMITED).max(limits.in_flight)
}

/// More than there can be of anything.
const UNLIMITED: usize = usize::MAX / 2;
