//! What a pool knows of its lanes and addresses, behind one lock: an address may have lanes, and a lane addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::sending::Sending;
use super::address::{Address, Addresses, Id};
use super::destination::Destination;
use super::job::Job;

/// All lanes and all addresses.
#[derive(Default)]
pub(super) struct State {
    pub(super) lanes: Vec<Destination>,
    pub(super) addresses: Addresses,
    /// Requests so far.
    pub(super) tickets: u64,
    /// Times so far that an address was chosen.
    pub(super) turns: u64,
    /// The server has ended: drivers that have nothing to do leave.
    pub(super) is_closed: bool,
}

/// A driver to start.
pub(super) struct Start {
    pub(super) id: Id,
    /// A request to connect for, before looking for one to send.
    pub(super) probe: Option<(usize, Arc<Sending>)>,
}

impl State {
    /// Chooses addresses for as many of the requests that wait as `count` says, wakes the drivers that are parked there, and
    /// gives those to start.
    pub(super) fn assign(&mut self, lane: usize, count: usize, except: Option<Id>) -> Vec<Start> {
        let Self { lanes, addresses, turns, .. } = self;
        let mut starts = Vec::new();
        let Some(destination) = lanes.get_mut(lane) else { return starts };
        let Some((_, first)) = destination.waiting.first() else { return starts };
        let now = Instant::now();
        for _ in 0..count {
            let Some(id) = destination.choose(addresses, first, now, except) else { break };
            let Some(address) = addresses.get_mut(id) else { break };
            *turns += 1;
            address.used = *turns;
            address.health_mut(first.sending.kind()).begin_try(now);
            match address.parked.pop() {
                Some(parked) => parked.notify_one(),
                None => {
                    address.drivers += 1;
                    starts.push(Start { id, probe: None });
                }
            }
        }
        let kind = first.sending.kind();
        let due: Vec<_> = destination.due(addresses, kind, now).collect();
        for id in due {
            if let Some(address) = addresses.get_mut(id) {
                address.health_mut(kind).begin_try(now);
                address.drivers += 1;
                starts.push(Start { id, probe: Some((lane, Arc::clone(&first.sending))) });
            }
        }
        starts
    }

    /// The request whose turn it is at an address.
    pub(super) fn first(&self, id: Id) -> Option<(usize, &Job)> {
        first(&self.lanes, &self.addresses, id)
    }

    pub(super) fn remove_driver(&mut self, id: Id) {
        if let Some(address) = self.addresses.get_mut(id) {
            address.drivers -= 1;
        }
        self.addresses.forget_unused(id);
    }

    /// Takes the requests out of a lane for which no address is left, after turning to its other address family.
    pub(super) fn give_up(&mut self, lane: usize) -> Vec<Job> {
        let Self { lanes, addresses, .. } = self;
        let Some(lane) = lanes.get_mut(lane) else { return Vec::new() };
        let is_hopeless = |job: &Job| lane.has_failed_everywhere(addresses, job);
        let Some((ticket, _)) = lane.waiting.iter().find(|(_, job)| is_hopeless(job)) else {
            return Vec::new();
        };
        if let Some(job) = lane.waiting.remove(ticket) {
            let turns = lane.turn_family(addresses, &job);
            lane.waiting.insert(ticket, job);
            if turns {
                return Vec::new();
            }
        }
        let mut waiting = std::mem::take(&mut lane.waiting);
        let told = waiting.extract(|job| lane.has_failed_everywhere(addresses, job));
        lane.waiting = waiting;
        told
    }

    /// Has a lane lead to `sockets`, and nowhere else.
    pub(super) fn use_addresses(&mut self, lane: usize, sockets: &[(SocketAddr, bool)]) {
        let Self { lanes, addresses, .. } = self;
        let Some(limit) = lanes.get(lane).map(|lane| lane.limit) else { return };
        let mut ids = Vec::with_capacity(sockets.len());
        let mut known = Vec::with_capacity(sockets.len());
        for (socket, is_local) in sockets {
            let socket = SocketAddr::new(socket.ip().to_canonical(), socket.port());
            let id = addresses.id(socket);
            if ids.contains(&id) {
                continue;
            }
            ids.push(id);
            known.push(socket);
            let Some(address) = addresses.get_mut(id) else { continue };
            address.is_local = *is_local;
            if !address.lanes.contains(&lane) {
                address.lanes.push(lane);
                address.limit = address.limit.into_iter().chain(limit).min();
            }
        }
        let Some(destination) = lanes.get_mut(lane) else { return };
        destination.use_family_of(&known);
        let before = std::mem::replace(&mut destination.addresses, ids.clone());
        for id in before.into_iter().filter(|id| !ids.contains(id)) {
            if let Some(address) = addresses.get_mut(id) {
                address.lanes.retain(|other| *other != lane);
                address.limit = address.lanes.iter().filter_map(|lane| lanes.get(*lane)?.limit).min();
                if address.has_gone() {
                    wake_all(address);
                }
            }
            addresses.forget_unused(id);
        }
    }
}

/// The request whose turn it is at an address, among those of all lanes that lead there.
pub(super) fn first<'a>(lanes: &'a [Destination], addresses: &Addresses, id: Id) -> Option<(usize, &'a Job)> {
    let address = addresses.get(id)?;
    let now = Instant::now();
    let firsts = address.lanes.iter().filter_map(|number| {
        let lane = lanes.get(*number)?;
        let (ticket, job) = lane.waiting.first()?;
        let may = lane.permits(addresses, id, job, now) && address.has_room(&job.sending);
        may.then_some((ticket, *number, job))
    });
    firsts.min_by_key(|(ticket, ..)| *ticket).map(|(_, lane, job)| (lane, job))
}

/// Wakes all parked drivers.
pub(super) fn wake_all(address: &mut Address) {
    address.parked.drain(..).for_each(|parked| parked.notify_one());
}
