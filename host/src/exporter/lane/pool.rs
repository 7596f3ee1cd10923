//! The connections of all lanes: which address a request goes to, and which request a connection takes next.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use podstamp_core::interface::{Level, Notice};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::super::attempt::Broken;
use super::super::sending::Sending;
use super::address::{Id, Kind};
use super::batches::Added;
use super::breaker::Refused;
use super::destination::Destination;
use super::driver::Driver;
use super::follow::{Name, follow};
use super::group::Group;
use super::health::Failing;
use super::job::Job;
use super::state::{Start, State, first, wake_all};
use crate::network::Network;
use crate::observe::{Attempted, Metrics, Notices};
use crate::sandbox::Ended;

/// The connections of all lanes, and the requests that wait for one.
pub(super) struct Pool {
    state: Mutex<State>,
    pub(super) settings: PoolSettings,
    pub(super) network: Network,
    pub(super) metrics: Arc<Metrics>,
    pub(super) notices: Arc<Notices>,
    /// Connections that were made.
    pub(super) opened: AtomicU64,
    /// Connections that were closed for their age.
    pub(super) aged: AtomicU64,
}

/// How all lanes keep their connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSettings {
    /// How long clients wait.
    pub(crate) patience: Duration,
    /// How old a connection may grow, give or take a tenth; `None`: any age.
    pub(crate) max_connection_age: Option<Duration>,
    /// Whether addresses on this node are used first, as long as one of them works.
    pub(crate) prefers_local_node: bool,
}

/// What a driver does next.
pub(super) enum Turn {
    /// Connect for this request of that lane, whose turn it is.
    Send(usize, Arc<Sending>),
    /// Wait to be notified.
    Park(Arc<Notify>),
    /// End the task.
    Leave,
}

impl Pool {
    pub(super) fn new(
        settings: PoolSettings,
        network: Network,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Self {
        let (state, opened, aged) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { state, settings, network, metrics, notices, opened, aged }
    }

    /// Adds a lane to `name`, and gives its number.
    pub(super) fn add_lane(&self, name: Name, limit: Option<usize>) -> usize {
        let mut state = self.lock();
        let lane = state.lanes.len();
        let literal = name.literal();
        state.lanes.push(Destination::new(name, limit, self.settings.patience));
        if let Some(socket) = literal {
            state.use_addresses(lane, &[(socket, false)]);
        }
        lane
    }

    /// Why a request is not sent now; `None`: it is.
    pub(super) fn refuse(&self, lane: usize) -> Option<Refused> {
        let State { lanes, addresses, .. } = &mut *self.lock();
        let lane = lanes.get_mut(lane)?;
        let is_stuck = lane.is_stuck(addresses);
        lane.breaker.refuse(Instant::now(), is_stuck)
    }

    /// Has a request wait for a connection, and gives its ticket. One that is to go with others waits for them first, for half of
    /// what is left until `until` at most.
    pub(super) fn enter(self: &Arc<Self>, lane: usize, job: Job, until: Instant) -> u64 {
        let mut state = self.lock();
        let ticket = state.tickets;
        state.tickets += 1;
        let Some(destination) = state.lanes.get_mut(lane) else { return ticket };
        let count = match job.batch() {
            None => {
                destination.waiting.insert(ticket, job);
                1
            }
            Some(batch) => {
                let now = Instant::now();
                let due = now + batch.timeout.min(until.saturating_duration_since(now) / 2);
                let Added { released, batches, timer } =
                    destination.batches.add(ticket, job, batch.size, due);
                released.into_iter().for_each(|(ticket, job)| destination.waiting.insert(ticket, job));
                if let Some((number, due)) = timer {
                    tokio::spawn(Arc::clone(self).release(lane, number, due));
                }
                batches
            }
        };
        if let Some(asked) = &destination.resolve
            && !std::mem::replace(&mut destination.is_followed, true)
        {
            tokio::spawn(follow(Arc::clone(self), lane, destination.name.clone(), Arc::clone(asked)));
        } else if destination.addresses.is_empty() {
            destination.ask();
        }
        self.start_drivers(state, lane, count, None);
        ticket
    }

    /// Has the requests of a batch wait for a connection once its time is up.
    async fn release(self: Arc<Self>, lane: usize, number: u64, due: Instant) {
        sleep_until(due).await;
        let mut state = self.lock();
        let Some(destination) = state.lanes.get_mut(lane) else { return };
        let released = destination.batches.release(number);
        let count = usize::from(!released.is_empty());
        released.into_iter().for_each(|(ticket, job)| destination.waiting.insert(ticket, job));
        self.start_drivers(state, lane, count, None);
    }

    /// Whether a lane leads anywhere.
    pub(super) fn has_addresses(&self, lane: usize) -> bool {
        self.lock().lanes.get(lane).is_some_and(|lane| !lane.addresses.is_empty())
    }

    /// Takes a request out of the queue; false where it is on its way already.
    pub(super) fn leave_queue(&self, lane: usize, ticket: u64) -> bool {
        self.with_lane(lane, |lane| {
            lane.waiting.remove(ticket).or_else(|| lane.batches.remove(ticket)).is_some()
        })
    }

    /// What becomes known when the upstream is away.
    pub(super) fn away(&self, lane: usize) -> Option<watch::Receiver<bool>> {
        self.lock().lanes.get(lane).map(|lane| lane.away.subscribe())
    }

    /// What a driver does next. One without a connection (`is_connected`) leaves rather than parks.
    pub(super) fn turn(&self, id: Id, is_connected: bool) -> Turn {
        let mut state = self.lock();
        let first = state.first(id).map(|(lane, job)| (lane, Arc::clone(&job.sending)));
        let is_closed = state.is_closed;
        let address = state.addresses.get_mut(id);
        match (first, address) {
            (_, Some(address)) if address.limit.is_some_and(|limit| address.drivers > limit) => {
                state.remove_driver(id);
                Turn::Leave
            }
            (Some((lane, sending)), _) => Turn::Send(lane, sending),
            (None, Some(address)) if is_connected && !is_closed && !address.has_gone() => {
                let parked = Arc::new(Notify::new());
                address.parked.push(Arc::clone(&parked));
                Turn::Park(parked)
            }
            _ => {
                state.remove_driver(id);
                Turn::Leave
            }
        }
    }

    /// Has a parked driver leave; false where it was notified at the same moment.
    pub(super) fn unpark(&self, id: Id, parked: &Arc<Notify>) -> bool {
        let mut state = self.lock();
        let Some(address) = state.addresses.get_mut(id) else { return true };
        let place = address.parked.iter().position(|other| Arc::ptr_eq(other, parked));
        if let Some(place) = place {
            address.parked.remove(place);
            state.remove_driver(id);
        }
        place.is_some()
    }

    /// The request whose turn it is at an address, where it `fits`, with those that may be merged with it.
    pub(super) fn take(&self, id: Id, fits: impl FnOnce(&Sending) -> bool) -> Option<(usize, Group)> {
        let State { lanes, addresses, .. } = &mut *self.lock();
        let (lane, job) = first(lanes, addresses, id)?;
        if !fits(&job.sending) {
            return None;
        }
        let destination = lanes.get_mut(lane)?;
        let group = Group::take(&mut destination.waiting, destination.limit.is_some())?;
        let address = addresses.get_mut(id)?;
        address.sending += 1;
        address.memory += group.memory();
        address.health_mut(group.sending().kind()).taken();
        Some((lane, group))
    }

    /// Notes that a driver was dropped before it left, as happens at the runtime's end.
    pub(super) fn lost(&self, id: Id) {
        self.lock().remove_driver(id);
    }

    /// Notes that a request is not on its way any more.
    pub(super) fn done(&self, id: Id, memory: u64) {
        if let Some(address) = self.lock().addresses.get_mut(id) {
            address.sending -= 1;
            address.memory -= memory;
        }
    }

    /// Puts requests that were refused together back, ahead of all others, each to be sent by itself.
    pub(super) fn part(self: &Arc<Self>, lane: usize, group: Group) {
        let mut state = self.lock();
        let Some(destination) = state.lanes.get_mut(lane) else { return };
        group.parted().for_each(|(ticket, job)| destination.waiting.insert(ticket, job));
        // The driver that puts them back takes the first of them.
        let others = destination.waiting.len().saturating_sub(1);
        self.start_drivers(state, lane, others, None);
    }

    /// Where `id` is.
    pub(super) fn socket(&self, id: Id) -> Option<SocketAddr> {
        self.lock().addresses.get(id).map(|address| address.socket)
    }

    /// Whether a connection that is not there soon should be given up, since the name has addresses of another family.
    pub(super) fn is_in_doubt(&self, lane: usize) -> bool {
        self.lock().lanes.get(lane).is_some_and(|lane| lane.family.is_in_doubt())
    }

    /// Has another address connect as well, since that takes long where a driver is.
    pub(super) fn hedge(self: &Arc<Self>, lane: usize, id: Id) {
        self.start_drivers(self.lock(), lane, 1, Some(id));
    }

    /// Notes that a connection was made.
    pub(super) fn connected(self: &Arc<Self>, lane: usize, id: Id, kind: Kind) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        let State { lanes, addresses, .. } = &mut *state;
        if let Some(lane) = lanes.get_mut(lane) {
            lane.family.is_proven = true;
        }
        let Some(address) = addresses.get_mut(id) else { return };
        address.connections += 1;
        if address.health_mut(kind).connected() {
            let socket = address.socket;
            drop(state);
            self.tell_well(socket);
        }
    }

    /// Notes that a connection has ended.
    pub(super) fn disconnected(&self, id: Id) {
        if let Some(address) = self.lock().addresses.get_mut(id) {
            address.connections -= 1;
        }
    }

    /// Notes that no connection could be made for `sending`: requests that wait try other addresses, and are told where there is
    /// none left, if `gives_up` says so.
    pub(super) fn not_connected(
        self: &Arc<Self>,
        lane: usize,
        id: Id,
        sending: &Sending,
        begun: Instant,
        broken: &Broken,
        gives_up: bool,
    ) {
        let reason = broken.to_string();
        self.failed(lane, id, sending, begun, Failing::Unreachable(begun), &reason);
        if !gives_up {
            return;
        }
        let mut state = self.lock();
        let lanes = state.addresses.get(id).map(|address| address.lanes.clone()).unwrap_or_default();
        let told: Vec<_> = lanes.iter().flat_map(|lane| state.give_up(*lane)).collect();
        if let Some(lane) = state.lanes.get(lane) {
            lane.ask();
        }
        let reason = match state.lanes.get(lane).map_or(0, |lane| lane.addresses.len()) {
            0 | 1 => reason,
            count => format!("none of {count} addresses takes connections, the last one: {reason}"),
        };
        drop(state);
        for lane in lanes {
            self.start_drivers(self.lock(), lane, 1, None);
        }
        for job in told {
            job.tell(Ended::NotConnected(reason.clone()));
        }
    }

    /// Notes that an attempt that `begun` has not reached an address, and why.
    pub(super) fn failed(
        &self,
        lane: usize,
        id: Id,
        sending: &Sending,
        begun: Instant,
        failing: Failing,
        reason: &str,
    ) {
        let now = Instant::now();
        let kind = sending.kind();
        let State { lanes, addresses, .. } = &mut *self.lock();
        let (Some(lane), Some(address)) = (lanes.get_mut(lane), addresses.get_mut(id)) else { return };
        let is_told = address.health_mut(kind).failed(failing, now, fastrand::f64());
        let socket = address.socket;
        if is_told && lane.addresses.len() > 1 {
            self.tell_unwell(sending, socket, reason);
        }
        // A copy's TLS is its own, and so is what is wrong with it.
        let is_own = matches!(failing, Failing::Unreachable(_)) && !sending.has_client();
        let counts = failing != Failing::Refused && !is_own;
        if counts
            && lane.is_failing(addresses, kind)
            && lane.breaker.failed(begun, now, reason, fastrand::f64())
        {
            lane.away.send_replace(true);
            self.tell_away(sending, reason);
        }
    }

    /// Notes that an address gave a sign of life, and whether what it said is `sound`.
    pub(super) fn reached(&self, lane: usize, id: Id, sending: &Sending, is_sound: bool) {
        let State { lanes, addresses, .. } = &mut *self.lock();
        let (Some(lane), Some(address)) = (lanes.get_mut(lane), addresses.get_mut(id)) else { return };
        if lane.breaker.reached(Instant::now()) {
            lane.away.send_replace(false);
            let message = format!("{} is back", sending.uri);
            self.notices.emit(&Notice { level: Level::Info, key: "upstream-back".into(), message });
        }
        if is_sound && address.health_mut(sending.kind()).answered() {
            self.tell_well(address.socket);
        }
    }

    /// Notes that a request on its way takes longer than clients wait.
    pub(super) fn fell_silent(&self, id: Id) {
        if let Some(address) = self.lock().addresses.get_mut(id) {
            address.silent += 1;
        }
    }

    /// Has other addresses take what waits for `id`.
    pub(super) fn start_others(self: &Arc<Self>, id: Id) {
        let lanes = self.lock().addresses.get(id).map(|address| address.lanes.clone()).unwrap_or_default();
        for lane in lanes {
            let state = self.lock();
            // Without a limit each request has a driver of its own already.
            let limited = state.lanes.get(lane).filter(|lane| lane.limit.is_some());
            let waiting = limited.map_or(0, |lane| lane.waiting.len());
            self.start_drivers(state, lane, waiting, None);
        }
    }

    /// Notes that such a request has ended.
    pub(super) fn is_heard(&self, id: Id) {
        if let Some(address) = self.lock().addresses.get_mut(id) {
            address.silent -= 1;
        }
    }

    /// Asks for a name to be resolved, since a connection has ended.
    pub(super) fn ask(&self, id: Id) {
        let State { lanes, addresses, .. } = &*self.lock();
        let all = addresses.get(id).into_iter().flat_map(|address| &address.lanes);
        all.filter_map(|lane| lanes.get(*lane)).for_each(Destination::ask);
    }

    /// Takes over what a name was resolved to, by a question that `begun`, each address with whether it is on this node.
    pub(super) fn resolved(
        self: &Arc<Self>,
        lane: usize,
        name: &Name,
        begun: Instant,
        resolved: io::Result<Vec<(SocketAddr, bool)>>,
    ) {
        let sockets = match resolved {
            Ok(sockets) if !sockets.is_empty() => sockets,
            Ok(_) => return self.unresolved(lane, name, begun, "the name has no address"),
            Err(error) => return self.unresolved(lane, name, begun, &error.to_string()),
        };
        let mut state = self.lock();
        state.use_addresses(lane, &sockets);
        let Some(destination) = state.lanes.get_mut(lane) else { return };
        let was_unresolved = std::mem::take(&mut destination.is_unresolved);
        let waiting = destination.waiting.len();
        self.start_drivers(state, lane, waiting, None);
        if was_unresolved {
            let message = format!("{name} can be resolved again");
            self.notices.emit(&Notice { level: Level::Info, key: "upstream-resolved".into(), message });
        }
    }

    fn unresolved(&self, lane: usize, name: &Name, begun: Instant, reason: &str) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(lane) else { return };
        if !lane.addresses.is_empty() {
            if !std::mem::replace(&mut lane.is_unresolved, true) {
                self.notices.warn("upstream-unresolved", || {
                    format!(
                        "{name} cannot be resolved ({reason}). Its {} known addresses are used on",
                        lane.addresses.len()
                    )
                });
            }
            return;
        }
        let told = lane.waiting.extract(|_| true);
        if let Some(job) = told.iter().find(|job| job.sending.has_client())
            && lane.breaker.failed(begun, Instant::now(), reason, fastrand::f64())
        {
            lane.away.send_replace(true);
            self.tell_away(&job.sending, reason);
        }
        drop(state);
        for job in told {
            tracing::debug!(url = %job.sending.uri, error = reason, "no connection");
            if job.sending.has_client() {
                self.metrics.attempted(Attempted::NotConnected, begun.elapsed());
            }
            job.tell(Ended::NotConnected(reason.to_owned()));
        }
    }

    /// Whether the server has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Ends the drivers that have nothing to do.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.addresses.iter_mut().for_each(wake_all);
        state.lanes.iter().for_each(Destination::ask);
    }

    /// The number of requests that wait, for a connection or for others.
    pub(super) fn waiting(&self) -> usize {
        self.lock().lanes.iter().map(|lane| lane.waiting.len() + lane.batches.len()).sum()
    }

    /// The number of upstreams that are known to be away.
    pub(super) fn lanes_away(&self) -> usize {
        self.lock().lanes.iter().filter(|lane| lane.breaker.is_open()).count()
    }

    /// The number of addresses that are known.
    pub(super) fn addresses(&self) -> usize {
        self.lock().addresses.iter().filter(|address| !address.has_gone()).count()
    }

    /// The number of addresses that are left alone.
    pub(super) fn addresses_away(&self) -> usize {
        let now = Instant::now();
        let state = self.lock();
        state.addresses.iter().filter(|address| !address.has_gone() && address.is_away(now)).count()
    }

    /// Wakes or starts drivers for as many of the requests that wait as `count` says, and for addresses that are due for a try.
    fn start_drivers(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        lane: usize,
        count: usize,
        except: Option<Id>,
    ) {
        let starts = state.assign(lane, count, except);
        drop(state);
        for Start { id, probe } in starts {
            tokio::spawn(Driver::new(Arc::clone(self), id).run(probe));
        }
    }

    fn with_lane<T: Default>(&self, lane: usize, ask: impl FnOnce(&mut Destination) -> T) -> T {
        self.lock().lanes.get_mut(lane).map(ask).unwrap_or_default()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
