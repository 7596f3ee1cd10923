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

    /// Whether it is left alone, by any way of connecting, or does not answer.
    pub(super) fn is_away(&self, now: Instant) -> bool {
        self.worst(now) != Fitness::Well
    }

    /// Its fitness by the way of connecting that does worst.
    pub(super) fn worst(&self, now: Instant) -> Fitness {
        let failing = self.healths.iter().map(|(_, health)| health.fitness(now));
        let stuck = if self.is_stuck() { Fitness::Resting } else { Fitness::Well };
        failing.fold(stuck, |worst, fitness| match (worst, fitness) {
            (worst @ Fitness::Unreachable { .. }, _) | (worst, Fitness::Well) => worst,
            (_, fitness) => fitness,
        })
    }
}

/// The number of an address. Another address never has it, so that whoever is late finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    slot: usize,
    /// Counts the addresses that had the slot.
    generation: u64,
}

/// All addresses, by their numbers. An address stays for as long as a lane leads there or a driver is there.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    slots: Vec<Slot>,
    free: Vec<usize>,
    ids: HashMap<SocketAddr, Id>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u64,
    address: Option<Address>,
}

impl Addresses {
    pub(super) fn get(&self, id: Id) -> Option<&Address> {
        let slot = self.slots.get(id.slot)?;
        slot.address.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Address> {
        let Slot { generation, address } = self.slots.get_mut(id.slot)?;
        address.as_mut().filter(|_| *generation == id.generation)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Address> {
        self.slots.iter().filter_map(|slot| slot.address.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Address> {
        self.slots.iter_mut().filter_map(|slot| slot.address.as_mut())
    }

    /// The number of `socket`, which is added where it is not there yet.
    pub(super) fn id(&mut self, socket: SocketAddr) -> Id {
        if let Some(id) = self.ids.get(&socket) {
            return *id;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        let mut id = Id { slot: number, generation: 0 };
        if let Some(slot) = self.slots.get_mut(number) {
            slot.generation += 1;
            slot.address = Some(Address::new(socket));
            id.generation = slot.generation;
        }
        self.ids.insert(socket, id);
        id
    }

    /// Forgets an address where no lane leads and no driver is.
    pub(super) fn forget_unused(&mut self, id: Id) {
        let unused = self.get(id).filter(|address| address.has_gone() && address.drivers == 0);
        let Some(socket) = unused.map(|address| address.socket) else { return };
        self.ids.remove(&socket);
        if let Some(slot) = self.slots.get_mut(id.slot) {
            slot.address = None;
        }
        self.free.push(id.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_forgotten_once_nothing_leads_there_and_its_number_means_no_other() {
        let mut addresses = Addresses::default();
        let socket = |last| SocketAddr::from(([127, 0, 0, last], 80));
        let first = addresses.id(socket(1));
        assert_eq!(addresses.id(socket(1)), first);
        addresses.get_mut(first).unwrap().lanes.push(0);
        addresses.forget_unused(first);
        assert!(addresses.get(first).is_some(), "a lane leads there");
        let address = addresses.get_mut(first).unwrap();
        (address.lanes, address.drivers) = (Vec::new(), 1);
        addresses.forget_unused(first);
        assert!(addresses.get(first).is_some(), "a driver is there");
        addresses.get_mut(first).unwrap().drivers = 0;
        addresses.forget_unused(first);
        let second = addresses.id(socket(2));
        assert!(addresses.get(first).is_none());
        assert_eq!(addresses.get(second).unwrap().socket, socket(2));
        for round in 0..1_000_u32 {
            let id = addresses.id(socket((3 + round % 5) as u8));
            addresses.forget_unused(id);
        }
        assert_eq!((addresses.slots.len(), addresses.iter().count(), addresses.ids.len()), (2, 1, 1));
    }

    #[test]
    fn each_exporter_by_tls_has_a_health_of_its_own() {
        let mut address = Address::new(SocketAddr::from(([127, 0, 0, 1], 443)));
        let now = Instant::now();
        address.health_mut(Some(3)).failed(super::super::health::Failing::Unreachable(now), now, 0.5);
        assert_eq!(address.fitness(Some(3), now), Fitness::Unreachable { is_due: false });
        assert_eq!(address.fitness(None, now), Fitness::Well);
        assert_eq!(address.fitness(Some(0), now), Fitness::Well);
        assert!(address.is_away(now));
        (address.limit, address.silent) = (Some(1), 1);
        assert_eq!(address.fitness(None, now), Fitness::Resting, "it does not answer");
    }
}
