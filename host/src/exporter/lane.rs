//! The way to one upstream: a number of connections, each with one request at a time, and a queue ahead of them.
//!
//! deepflow-agent gets one connection. Requests that wait while one is on its way are merged into the next: export
//! requests concatenate.

mod breaker;
mod driver;
mod flight;
mod group;
mod job;
mod lanes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use podstamp_core::interface::{Level, Notice};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::attempt::Broken;
use super::load::MAX_MEMORY_IN_FLIGHT;
use super::sending::Sending;
use crate::observe::{Metrics, Notices, Unsent};
use crate::sandbox::Ended;
use breaker::{Breaker, Refused};
use driver::Driver;
use group::Group;
use job::Job;

pub(super) use flight::Flight;
pub(crate) use lanes::Lanes;

/// Takes requests to one upstream, in the order in which they come.
pub(super) struct Lane {
    /// Connections at a time; `None`: any number, and no requests are merged.
    limit: Option<usize>,
    /// How long clients wait.
    patience: Duration,
    state: Mutex<State>,
    /// Whether the upstream is known to be away, for requests that wait for another attempt.
    away: watch::Sender<bool>,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

struct State {
    breaker: Breaker,
    /// Requests that wait, in the order in which they came.
    waiting: BTreeMap<u64, Job>,
    next: u64,
    /// Tasks with a connection each.
    drivers: usize,
    /// Drivers that have nothing to do, the latest one last.
    parked: Vec<Arc<Notify>>,
    /// Requests on their way.
    sending: usize,
    /// Estimated bytes of the upstream's memory that requests on their way take.
    memory: u64,
    /// Requests on their way that have taken longer than clients wait.
    silent: usize,
    /// The server has ended: drivers that have nothing to do leave.
    is_closed: bool,
}

/// What a driver does next.
enum Turn {
    /// Connect for this request, which has waited longest.
    Send(Arc<Sending>),
    /// Wait to be notified.
    Park(Arc<Notify>),
    /// End the task.
    Leave,
}

impl Lane {
    fn new(limit: Option<usize>, patience: Duration, metrics: Arc<Metrics>, notices: Arc<Notices>) -> Self {
        let state = Mutex::new(State::new(patience));
        Self { limit, patience, state, away: watch::Sender::new(false), metrics, notices }
    }

    /// Sends once, and says how that ended. `deadline`: until when a response may come; `until`: until when the client
    /// waits. A client that goes away before its turn takes its request out of the queue.
    pub(super) async fn send(
        self: &Arc<Self>,
        sending: &Arc<Sending>,
        deadline: Instant,
        until: Instant,
    ) -> Ended {
        match self.start(sending, deadline) {
            Ok(flight) => flight.end(until).await,
            Err(ended) => ended,
        }
    }

    /// Puts a request into the queue. The error: it is not sent, since the upstream is away.
    pub(super) fn start(
        self: &Arc<Self>,
        sending: &Arc<Sending>,
        deadline: Instant,
    ) -> Result<Flight, Ended> {
        if sending.has_client()
            && !sending.is_drained
            && let Some(Refused { reason, after }) = self.refuse()
        {
            self.metrics.unsent(Unsent::Away);
            return Err(Ended::Away { reason, after: u32::try_from(after.as_millis()).unwrap_or(u32::MAX) });
        }
        let (reply, ended) = oneshot::channel();
        let ticket = self.enter(Job::new(Arc::clone(sending), deadline, reply));
        Ok(Flight { lane: Arc::clone(self), sending: Arc::clone(sending), ticket, ended })
    }

    /// Waits before another attempt, for `wait` or until the upstream is known to be away.
    pub(super) async fn pause(&self, sending: &Sending, wait: Duration) {
        let mut away = self.away.subscribe();
        tokio::select! {
            () = sleep(wait) => (),
            // The lane lasts as long as this.
            _ = away.wait_for(|away| *away), if sending.has_client() => (),
        }
    }

    /// Whether the upstream is known to be away.
    fn is_away(&self) -> bool {
        self.lock().breaker.is_open()
    }

    /// Why a request is not sent now; `None`: it is.
    fn refuse(&self) -> Option<Refused> {
        let mut state = self.lock();
        let is_stuck = self.limit.is_some_and(|limit| state.silent >= limit);
        state.breaker.refuse(Instant::now(), is_stuck)
    }

    /// Notes that an attempt that `begun` has not reached the upstream, and why.
    fn failed(&self, sending: &Sending, begun: Instant, reason: &str) {
        let opens = self.lock().breaker.failed(begun, Instant::now(), reason, fastrand::f64());
        if opens {
            self.away.send_replace(true);
            self.notices.warn("upstream-away", || {
                format!(
                    "{} is away: nobody has reached it for {} ms ({reason}). Until it is back, requests get 503 at once, but for \
                     one every few seconds that tries it",
                    sending.uri,
                    self.patience.as_millis(),
                )
            });
        }
    }

    /// Notes that the upstream gave a sign of life.
    fn reached(&self, sending: &Sending) {
        let closes = self.lock().breaker.reached(Instant::now());
        if closes {
            self.away.send_replace(false);
            let message = format!("{} is back", sending.uri);
            self.notices.emit(&Notice { level: Level::Info, key: "upstream-back".into(), message });
        }
    }

    /// Notes that a request on its way takes longer than clients wait.
    fn fell_silent(&self) {
        self.lock().silent += 1;
    }

    /// Notes that such a request has ended.
    fn is_heard(&self) {
        self.lock().silent -= 1;
    }

    /// The number of requests that wait.
    fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Ends the drivers that have nothing to do.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.parked.drain(..).for_each(|parked| parked.notify_one());
    }

    fn enter(self: &Arc<Self>, job: Job) -> u64 {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.insert(ticket, job);
        if let Some(parked) = state.parked.pop() {
            parked.notify_one();
        } else if self.limit.is_none_or(|limit| state.drivers < limit) {
            state.drivers += 1;
            drop(state);
            tokio::spawn(Driver::new(Arc::clone(self)).run());
        }
        ticket
    }

    /// What a driver does next. One without a connection (`is_connected`) leaves rather than parks.
    fn turn(&self, is_connected: bool) -> Turn {
        let mut state = self.lock();
        let first = state.waiting.first_key_value().map(|(_, job)| Arc::clone(&job.sending));
        match first {
            Some(first) if state.has_room(&first) || self.limit.is_none() => Turn::Send(first),
            _ if !is_connected || state.is_closed => {
                state.drivers -= 1;
                Turn::Leave
            }
            _ => {
                let parked = Arc::new(Notify::new());
                state.parked.push(Arc::clone(&parked));
                Turn::Park(parked)
            }
        }
    }

    /// Has a parked driver leave; false where it was notified at the same moment.
    fn leave(&self, parked: &Arc<Notify>) -> bool {
        let mut state = self.lock();
        let place = state.parked.iter().position(|other| Arc::ptr_eq(other, parked));
        if let Some(place) = place {
            state.parked.remove(place);
            state.drivers -= 1;
        }
        place.is_some()
    }

    /// The request that has waited longest, where it `fits`, with those that may be merged with it.
    fn take(&self, fits: impl FnOnce(&Sending) -> bool) -> Option<Group> {
        let mut state = self.lock();
        if !fits(&state.waiting.first_key_value()?.1.sending) {
            return None;
        }
        let group = Group::take(&mut state.waiting, self.limit.is_some())?;
        state.sending += 1;
        state.memory += group.memory();
        Some(group)
    }

    /// Notes that a driver was dropped before it left, as happens at the runtime's end.
    fn lost(&self) {
        self.lock().drivers -= 1;
    }

    /// Notes that a request is not on its way any more.
    fn done(&self, memory: u64) {
        let mut state = self.lock();
        state.sending -= 1;
        state.memory -= memory;
    }

    /// Puts requests that were refused together back, ahead of all others, each to be sent by itself.
    fn part(&self, group: Group) {
        let mut state = self.lock();
        state.waiting.extend(group.parted());
    }

    /// Tells `first` that no connection could be made, and the requests that wait for the same one.
    fn not_connected(&self, first: &Arc<Sending>, broken: &Broken) {
        let mut state = self.lock();
        let is_one = self.limit.is_none();
        let same = |job: &Job| {
            Arc::ptr_eq(&job.sending, first) || (!is_one && job.sending.exporter == first.exporter)
        };
        let failed: Vec<_> = state.waiting.extract_if(.., |_, job| same(job)).collect();
        drop(state);
        for (_, job) in failed {
            job.tell(Ended::NotConnected(broken.to_string()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(patience: Duration) -> Self {
        Self {
            breaker: Breaker::new(patience),
            waiting: BTreeMap::new(),
            next: 0,
            drivers: 0,
            parked: Vec::new(),
            sending: 0,
            memory: 0,
            silent: 0,
            is_closed: false,
        }
    }

    /// Whether the upstream has memory for this request too.
    fn has_room(&self, sending: &Sending) -> bool {
        self.sending == 0 || self.memory.saturating_add(sending.load.memory()) <= MAX_MEMORY_IN_FLIGHT
    }
}
