//! The addresses of all upstreams. Names that lead to the same address share it: what listens there gets no second connection
//! for being known by two names.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::load::MAX_MEMORY_IN_FLIGHT;
use super::super::sending::Sending;
use super::health::{Fitness, Health};

/// An address that requests are sent to, and its connections.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    /// Whether it is on this node, where that counts.
    pub(super) is_local: bool,
    /// The lanes that lead here. None: the address has gone, and its connections end after what is on its way.
    pub(super) lanes: Vec<usize>,
    /// Connections at a time, each with one request at a time; `None`: any number.
    pub(super) limit: Option<usize>,
    /// Tasks with a connection each.
    pub(super) drivers: usize,
    /// Drivers that have nothing to do, the latest one last.
    pub(super) parked: Vec<Arc<Notify>>,
    /// Connections.
    pub(super) connections: usize,
    /// Requests on their way.
    pub(super) sending: usize,
    /// Estimated bytes of the upstream's memory that requests on their way take.
    pub(super) memory: u64,
    /// Requests on their way that have taken longer than clients wait.
    pub(super) silent: usize,
    /// When its turn was last, by a count of all turns.
    pub(super) used: u64,
    /// By the way of connecting: each exporter has a TLS of its own, and so has what is wrong with it.
    healths: Vec<(Kind, Health)>,
}

/// The way of connecting: in the clear, or by the TLS of that exporter.
pub(super) type Kind = Option<u32>;

impl Address {
    fn new(socket: SocketAddr) -> Self {
        Self {
            socket,
            is_local: false,
            lanes: Vec::new(),
            limit: None,
            drivers: 0,
            parked: Vec::new(),
            connections: 0,
            sending: 0,
            memory: 0,
            silent: 0,
            used: 0,
            healths: Vec::new(),
        }
    }

    /// Whether no lane leads here any more.
    pub(super) fn has_gone(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether a driver is parked here, or there may be one more.
    pub(super) fn is_free(&self) -> bool {
        !self.parked.is_empty() || self.limit.is_none_or(|limit| self.drivers < limit)
    }

    /// Drivers that have something to do.
    pub(super) fn load(&self) -> usize {
        self.drivers.saturating_sub(self.parked.len())
    }

    /// Whether every connection waits for an answer that takes longer than clients wait.
    pub(super) fn is_stuck(&self) -> bool {
        self.limit.is_some_and(|limit| self.silent >= limit)
    }

    /// Whether what listens there has memory for this request too.
    pub(super) fn has_room(&self, sending: &Sending) -> bool {
        self.limit.is_none()
            || self.sending == 0
            || self.memory.saturating_add(sending.load.memory()) <= MAX_MEMORY_IN_FLIGHT
    }

    pub(super) fn fitness(&self, kind: Kind, now: Instant) -> Fitness {
        match self.health(kind).map_or(Fitness::Well, |health| health.fitness(now)) {
            Fitness::Well if self.is_stuck() => Fitness::Resting,
            fitness => fitness,
        }
    }

    pub(super) fn health(&self, kind: Kind) -> Option<&Health> {
        self.healths.iter().find(|(of, _)| *of == kind).map(|(_, health)| health)
    }

    pub(super) fn health_mut(&mut self, kind: Kind) -> &mut Health {
        let at = self.healths.iter().position(|(of, _)| *of == kind).unwrap_or_else(|| {
            self.healths.push((kind, Health::default()));
            self.healths.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there, just now")]
        &mut self.healths[at].1
    }

    /// Whether any way of connecting fails.
    pub(super) fn is_failing(&self) -> bool {
        self.is_stuck() || self.healths.iter().any(|(_, health)| health.is_failing())
    }
}

/// The number of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(usize);

/// All addresses, by their numbers. An address stays for as long as a lane leads there or a driver is there.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    slots: Vec<Option<Address>>,
    free: Vec<Id>,
    ids: HashMap<SocketAddr, Id>,
}

impl Addresses {
    pub(super) fn get(&self, id: Id) -> Option<&Address> {
        self.slots.get(id.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Address> {
        self.slots.get_mut(id.0)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Address> {
        self.slots.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Address> {
        self.slots.iter_mut().flatten()
    }

    /// The number of `socket`, which is added where it is not there yet.
    pub(super) fn id(&mut self, socket: SocketAddr) -> Id {
        if let Some(id) = self.ids.get(&socket) {
            return *id;
        }
        let address = Some(Address::new(socket));
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.slots.push(None);
                Id(self.slots.len() - 1)
            }
        };
        if let Some(slot) = self.slots.get_mut(id.0) {
            *slot = address;
        }
        self.ids.insert(socket, id);
        id
    }

    /// Forgets an address where no lane leads and no driver is.
    pub(super) fn forget_unused(&mut self, id: Id) {
        if let Some(slot) = self.slots.get_mut(id.0)
            && let Some(address) = slot
            && address.has_gone()
            && address.drivers == 0
        {
            self.ids.remove(&address.socket);
            *slot = None;
            self.free.push(id);
        }
    }
}
