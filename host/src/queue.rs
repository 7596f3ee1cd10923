//! What an exporter could not deliver yet: kept in memory or on disk until the upstream takes it.
//!
//! Nothing is queued while the upstream takes requests. What it does not take is queued, and the client is answered; consumers
//! send it later, oldest first. An index in memory has the order of all entries; their bodies are in memory or in a log on disk.

mod disk;
mod entry;
mod gate;
mod index;
mod keeping;
mod recovery;
mod size;
pub mod stored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use podstamp_core::config::{self, Fault, Sizer};
use podstamp_core::interface::{Level, Notice, Signal};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::observe::{Metrics, Notices, QueueCounters, QueueState, Queued};
use disk::Disk;
use gate::{Gate, Passage};
use index::{First, Index, Most, Place, Slot};
use recovery::{fault, name, recover};

pub(crate) use disk::DiskError;
pub(crate) use entry::{Coding, Entry, Head, milliseconds_since_1970};
pub(crate) use index::Ticket;
pub(crate) use keeping::NotKept;
pub(crate) use recovery::{check, tell_of_strangers};
pub(crate) use size::Size;

/// The queue of one exporter and one signal.
pub(crate) struct Queue {
    /// The exporter's id, for people.
    exporter: String,
    sizer: Sizer,
    capacity: u64,
    /// The most bytes of bodies in memory.
    memory: u64,
    /// Whether who finds the queue full waits for room.
    waits_for_room: bool,
    /// The most that a consumer sends together.
    most: Most,
    /// How long an entry is kept; `None`: until it is delivered.
    keep_for: Option<Duration>,
    /// `None`: bodies are in memory.
    disk: Option<Disk>,
    state: Mutex<State>,
    /// Something may be sent that could not be sent before.
    changed: Notify,
    /// Something has left.
    room: Notify,
    counters: QueueCounters,
    notices: Arc<Notices>,
}

/// What bounds a queue beside its own section of the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    /// Bytes of bodies in memory.
    pub(crate) memory: u64,
    /// How long an entry is kept; `None`: until it is delivered.
    pub(crate) keep_for: Option<Duration>,
    /// Whether requests that wait go upstream together.
    pub(crate) merges: bool,
}

#[derive(Debug)]
struct State {
    index: Index,
    gate: Gate,
}

/// Entries that a consumer has to send, and to settle each of.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) entries: Vec<(Ticket, Stored)>,
    /// Bytes of their bodies, to be given back with [`Queue::returned`].
    pub(crate) bytes: u64,
}

/// An entry whose body may be on disk.
#[derive(Clone, Debug)]
pub(crate) struct Stored(Slot);

/// What a consumer may do now.
enum Turn {
    Send(Taken),
    /// Wait for a change, and no longer than until that moment.
    Wait(Option<Instant>),
}

/// What became of an entry that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The upstream has it.
    Delivered,
    /// The upstream will never take it.
    Refused,
    /// It cannot be read any more.
    Lost,
    /// It is to be sent again.
    Later,
    /// Likewise, but it may be at fault itself.
    Suspect,
}

impl Queue {
    /// Opens the queue of an exporter for a signal, with what is on disk from before. Blocks. The error names the key whose folder
    /// cannot be used.
    pub(crate) fn open(
        exporter: &str,
        signal: Signal,
        settings: &config::SendingQueue,
        kept: Keeping,
        metrics: &Metrics,
        notices: Arc<Notices>,
    ) -> Result<Arc<Self>, Fault> {
        let Keeping { memory, keep_for, merges } = kept;
        let counters = metrics.queue_counters(signal, exporter);
        let mut index = Index::default();
        let disk = match &settings.storage {
            None => None,
            Some(storage) => {
                let opened = Disk::open(storage, &name(exporter, signal));
                let opened = opened.map_err(|error| fault(storage, &error))?;
                Some(recover(opened, exporter, &mut index, &counters))
            }
        };
        let queue = Arc::new(Self {
            exporter: exporter.to_owned(),
            sizer: settings.sizer,
            capacity: settings.queue_size,
            memory,
            waits_for_room: settings.block_on_overflow,
            // Each entry would have a connection of its own where nothing is merged.
            most: if merges { most(settings) } else { Most { requests: 1, ..most(settings) } },
            keep_for,
            disk,
            state: Mutex::new(State { index, gate: Gate::new() }),
            changed: Notify::new(),
            room: Notify::new(),
            counters,
            notices,
        });
        let shown = Arc::downgrade(&queue);
        metrics.watch_queue(signal, exporter, move || shown.upgrade().map(|queue| queue.show()));
        Ok(queue)
    }

    /// Whether entries outlive the process.
    pub(crate) fn is_durable(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether the upstream is known to take nothing, so that requests are queued without having been sent.
    pub(crate) fn is_shut(&self) -> bool {
        self.lock().gate.is_shut()
    }

    /// Tries that have failed in a row.
    pub(crate) fn tries(&self) -> u32 {
        self.lock().gate.tries()
    }

    /// What a consumer has to send next: waits until there is something and the upstream may take it. None where `is_ending`
    /// and nothing is left, or what is left is on disk and cannot be sent now. Where the future is dropped, nobody has taken anything.
    pub(crate) async fn next(&self, is_ending: bool) -> Option<Taken> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.turn() {
                Turn::Send(taken) => return Some(taken),
                Turn::Wait(_) if is_ending && (self.is_durable() || self.lock().index.is_empty()) => {
                    return None;
                }
                Turn::Wait(Some(at)) => drop(timeout_at(at, changed).await),
                Turn::Wait(None) => changed.await,
            }
        }
    }

    fn turn(&self) -> Turn {
        let now = Instant::now();
        let mut state = self.lock();
        self.expire(&mut state.index, now);
        let Some(First { from, due, .. }) = state.index.first() else { return Turn::Wait(None) };
        let expiry = self.keep_for.and_then(|keep_for| from.checked_add(keep_for));
        if due > now {
            return Turn::Wait(expiry.into_iter().chain([due]).min());
        }
        let most = match state.gate.passage(now) {
            Passage::Open => self.most,
            Passage::Try => Most { requests: 1, ..self.most },
            Passage::Shut(due) => return Turn::Wait(due.into_iter().chain(expiry).min()),
        };
        let slots = state.index.take(now, most, MAX_OUT);
        if slots.is_empty() {
            state.gate.tried();
            return Turn::Wait(expiry);
        }
        let bytes = slots.iter().map(|(_, slot)| u64::from(slot.head.length)).sum();
        let entries = slots.into_iter().map(|(ticket, slot)| (ticket, Stored(slot))).collect();
        Turn::Send(Taken { entries, bytes })
    }

    fn expire(&self, index: &mut Index, now: Instant) {
        let Some(keep_for) = self.keep_for else { return };
        let mut sum = Size::default();
        while let Some(First { ticket, from, .. }) = index.first()
            && now.saturating_duration_since(from) >= keep_for
        {
            if let Some(slot) = index.remove(ticket) {
                sum = sum.plus(&Size::of(&slot.head));
                self.forget(&slot);
            }
        }
        if sum.requests > 0 {
            self.count(Queued::Expired, &sum);
            self.room.notify_waiters();
            self.notices.warn("queue-expired", || {
                format!(
                    "exporters.{}.sending_queue: {} requests with {} spans are given up: the upstream has not taken them within \
                     retry_on_failure.max_elapsed_time ({} s; 0 keeps them for ever)",
                    self.exporter,
                    sum.requests,
                    sum.items,
                    keep_for.as_secs(),
                )
            });
        }
    }

    /// The body of an entry.
    pub(crate) async fn body(&self, Stored(slot): &Stored) -> Result<Bytes, DiskError> {
        match (&slot.place, &self.disk) {
            (Place::Memory(body), _) => Ok(body.clone()),
            (Place::Disk(key), Some(disk)) => disk.read(*key).await,
            (Place::Disk(_), None) => Err(DiskError::Gone),
        }
    }

    /// Notes what became of an entry.
    pub(crate) fn settle(&self, ticket: Ticket, settled: Settled) {
        let outcome = match settled {
            Settled::Later => {
                self.lock().index.release(ticket);
                return self.changed.notify_waiters();
            }
            Settled::Suspect => {
                let times = self.lock().index.suspect(ticket, Instant::now());
                self.changed.notify_waiters();
                if times > SUSPICIOUS {
                    self.notices.warn("queue-suspect", || {
                        format!(
                            "exporters.{}.sending_queue: a request has got no answer {times} times, where others may have: it is tried \
                             less and less often. `podstamp queue export` shows what is in it, where the queue is on disk",
                            self.exporter
                        )
                    });
                }
                return;
            }
            Settled::Delivered => Queued::Delivered,
            Settled::Refused => Queued::Refused,
            Settled::Lost => Queued::Lost,
        };
        let mut state = self.lock();
        let slot = state.index.remove(ticket);
        let is_last = state.index.is_empty();
        drop(state);
        if let Some(slot) = slot {
            self.count(outcome, &Size::of(&slot.head));
            self.forget(&slot);
            if is_last {
                let message =
                    format!("exporters.{}.sending_queue: nothing is queued any more", self.exporter);
                self.notices.emit(&Notice { level: Level::Info, key: "queue-empty".into(), message });
            }
        }
        self.room.notify_waiters();
        self.changed.notify_waiters();
    }

    /// Notes that a consumer does not hold so many bytes any more.
    pub(crate) fn returned(&self, bytes: u64) {
        self.lock().index.returned(bytes);
        self.changed.notify_waiters();
    }

    /// Notes that the upstream took a request.
    pub(crate) fn reached(&self) {
        let mut state = self.lock();
        let opens = state.gate.is_shut();
        state.gate.reached(Instant::now());
        drop(state);
        if opens {
            self.changed.notify_waiters();
        }
    }

    /// Notes that an attempt that `begun` came to nothing, and when the next one is due.
    pub(crate) fn failed(&self, begun: Instant, delay: Duration) {
        self.lock().gate.failed(begun, Instant::now(), delay);
        self.changed.notify_waiters();
    }

    /// Notes that an attempt has ended and says nothing about the upstream.
    pub(crate) fn tried(&self) {
        self.lock().gate.tried();
        self.changed.notify_waiters();
    }

    /// Waits until nobody has an entry.
    pub(crate) async fn idle(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.lock().index.is_idle() {
                return;
            }
            changed.await;
        }
    }

    /// Has the upstream tried soon: the process ends.
    pub(crate) fn hurry(&self) {
        self.lock().gate.hurry(Instant::now() + HURRY);
        self.changed.notify_waiters();
    }

    /// Ends the queue: what is on disk stays there, and what is in memory is lost and said to be.
    pub(crate) async fn close(&self) {
        if let Some(disk) = &self.disk {
            return disk.close().await;
        }
        let size = self.lock().index.size();
        if size.requests > 0 {
            self.count(Queued::Lost, &size);
            Notices::tell(&Notice {
                level: Level::Error,
                key: "queue-lost".into(),
                message: format!(
                    "exporters.{}.sending_queue: {} requests with {} spans are lost, which were acknowledged and could not be \
                     delivered within podstamp.limits.drain_timeout: `storage` keeps them on disk",
                    self.exporter, size.requests, size.items
                ),
            });
        }
    }

    fn forget(&self, slot: &Slot) {
        if let (Place::Disk(key), Some(disk)) = (&slot.place, &self.disk) {
            disk.remove(*key);
        }
    }

    fn count(&self, queued: Queued, size: &Size) {
        self.counters.add(queued, size.requests, size.items);
    }

    fn show(&self) -> QueueState {
        let state = self.lock();
        let now = Instant::now();
        QueueState {
            size: state.index.size().by(self.sizer),
            capacity: self.capacity,
            unit: match self.sizer {
                Sizer::Requests => "requests",
                Sizer::Items => "spans",
                Sizer::Bytes => "bytes",
            },
            oldest: state.index.oldest().map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            disk: self.disk.as_ref().map(Disk::bytes),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    pub(crate) fn head(&self) -> &Head {
        &self.0.head
    }
}

/// The most that a consumer sends together, by `sending_queue.batch`.
fn most(settings: &config::SendingQueue) -> Most {
    let any = Most { bytes: MAX_BYTES, items: u64::MAX, requests: u64::MAX };
    match &settings.batch {
        Some(batch) if batch.max_size > 0 => match batch.sizer {
            Sizer::Items => Most { items: batch.max_size, ..any },
            Sizer::Bytes => Most { bytes: batch.max_size.min(MAX_BYTES), ..any },
            Sizer::Requests => Most { requests: batch.max_size, ..any },
        },
        _ => any,
    }
}

/// Bytes that one consumer sends together at most.
const MAX_BYTES: u64 = 4 << 20;

/// Bytes that all consumers of a queue have at a time.
const MAX_OUT: u64 = 16 << 20;

/// Attempts without an answer after which an entry is worth a word.
const SUSPICIOUS: u32 = 3;

/// How long until the upstream is tried again while the process ends.
const HURRY: Duration = Duration::from_millis(250);
