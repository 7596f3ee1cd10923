//! What an exporter could not deliver yet: kept in memory or on disk until the upstream takes it.
//!
//! Nothing is queued while the upstream takes requests. What it does not take is queued, and the client is answered; consumers
//! send it later, oldest first. An index in memory has the order of all entries; their bodies are in memory or in a log on disk.

mod disk;
mod entry;
mod gate;
mod index;
mod size;
pub mod stored;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use podstamp_core::config::{self, Fault, Sizer};
use podstamp_core::interface::{Level, Notice, Signal};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::observe::{Metrics, Notices, QueueCounters, QueueState, Queued};
use crate::settings;
use disk::{Disk, Key, OpenError, Opened};
use gate::{Gate, Passage};
use index::{First, Index, Most, Place, Slot};

pub(crate) use disk::DiskError;
pub(crate) use entry::{Coding, Entry, Head};
pub(crate) use index::Ticket;
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

/// Why a request cannot be queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error("the queue is full")]
    Full,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Queue {
    /// Opens the queue of an exporter for a signal, with what is on disk from before. Blocks. The error names the key whose folder
    /// cannot be used.
    pub(crate) fn open(
        exporter: &str,
        signal: Signal,
        settings: &config::SendingQueue,
        memory: u64,
        keep_for: Option<Duration>,
        metrics: &Metrics,
        notices: Arc<Notices>,
    ) -> Result<Arc<Self>, Fault> {
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
            most: most(settings),
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

    /// Keeps all entries, or none. With a disk, they are durable once this returns. `until`: how long to wait for room where the
    /// configuration says so. `is_leased`: the first one is on its way, and is left alone until it is settled; its ticket comes
    /// back. Where the future is dropped nothing is kept.
    pub(crate) async fn keep(
        &self,
        entries: Vec<Entry>,
        until: Instant,
        is_leased: bool,
    ) -> Result<Option<Ticket>, NotKept> {
        let size = entries.iter().fold(Size::default(), |sum, entry| sum.plus(&Size::of(&entry.head)));
        let kept = self.write(entries, size, until, is_leased).await;
        if let Err(error) = &kept {
            self.count(Queued::NotEnqueued, &size);
            let key = match error {
                NotKept::Full => "queue-full",
                NotKept::Disk(_) => "queue-disk",
            };
            self.notices.warn(key, || {
                format!("exporters.{}.sending_queue: {error}: a client is told to come again", self.exporter)
            });
        }
        kept
    }

    async fn write(
        &self,
        entries: Vec<Entry>,
        size: Size,
        until: Instant,
        is_leased: bool,
    ) -> Result<Option<Ticket>, NotKept> {
        self.reserve(&size, until).await?;
        let mut coming = Coming { queue: self, size, written: Vec::new(), is_kept: false };
        let mut places = Vec::with_capacity(entries.len());
        for Entry { head, body } in entries {
            let place = match &self.disk {
                None => Place::Memory(body),
                Some(disk) => {
                    let key = disk.append(&Entry { head, body }).await?;
                    coming.written.push(key);
                    Place::Disk(key)
                }
            };
            places.push((head, place));
        }
        coming.is_kept = true;
        drop(coming);
        let mut first = None;
        let mut state = self.lock();
        for (head, place) in places {
            let ticket = state.index.add(head, place, Instant::now(), is_leased && first.is_none());
            first = first.or(Some(ticket));
        }
        drop(state);
        self.count(Queued::Enqueued, &size);
        self.changed.notify_waiters();
        Ok(first)
    }

    async fn reserve(&self, size: &Size, until: Instant) -> Result<(), NotKept> {
        loop {
            let mut freed = std::pin::pin!(self.room.notified());
            freed.as_mut().enable();
            if self.try_reserve(size) {
                return Ok(());
            }
            if !self.waits_for_room || timeout_at(until, freed).await.is_err() {
                return Err(NotKept::Full);
            }
        }
    }

    fn try_reserve(&self, size: &Size) -> bool {
        let mut state = self.lock();
        let then = state.index.size().plus(size);
        let fits = then.by(self.sizer) <= self.capacity && (self.disk.is_some() || then.bytes <= self.memory);
        if fits {
            state.index.reserve(size);
        }
        fits
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

    /// Has the upstream tried at once: the process ends.
    pub(crate) fn hurry(&self) {
        self.lock().gate.hurry(Instant::now());
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
            oldest: state.index.oldest().map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            disk: self.disk.as_ref().map(Disk::bytes),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries for which there is room, and of which some are written. Dropping it undoes that, unless all of them are.
struct Coming<'a> {
    queue: &'a Queue,
    size: Size,
    written: Vec<Key>,
    is_kept: bool,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        self.queue.lock().index.unreserve(&self.size);
        self.queue.room.notify_waiters();
        if let Some(disk) = &self.queue.disk {
            self.written.drain(..).for_each(|key| disk.remove(key));
        }
    }
}

impl Stored {
    pub(crate) fn head(&self) -> &Head {
        &self.0.head
    }
}

/// What makes a queue's folder unusable, without opening it. Blocks.
pub(crate) fn check(settings: &config::SendingQueue) -> Option<Fault> {
    let storage = settings.storage.as_ref()?;
    Disk::check(storage).err().map(|error| fault(storage, &error))
}

/// Says which queues on disk belong to none of `queues`, those of the configuration. Blocks.
pub(crate) fn tell_of_strangers<'a>(queues: impl Iterator<Item = (Signal, &'a settings::Queue)> + Clone) {
    let names: Vec<_> = queues.clone().map(|(signal, queue)| name(&queue.exporter.id, signal)).collect();
    let storages: BTreeMap<_, _> = queues
        .filter_map(|(_, queue)| queue.sending.storage.as_ref())
        .map(|storage| (&storage.directory, storage))
        .collect();
    for storage in storages.into_values() {
        for (stranger, folder) in Disk::strangers(storage, &names) {
            Notices::tell(&Notice {
                level: Level::Warning,
                key: "queue-stranger".into(),
                message: format!(
                    "{}: the queue of {stranger} belongs to no exporter here and is not sent: `podstamp queue export` shows what \
                     is in it, `podstamp queue drop` removes it",
                    folder.display()
                ),
            });
        }
    }
}

/// The name by which a queue's folder is known.
fn name(exporter: &str, signal: Signal) -> String {
    format!("{exporter} {}", signal.name())
}

fn fault(storage: &config::FileStorage, error: &OpenError) -> Fault {
    Fault { path: format!("{}.directory", storage.path), message: error.to_string() }
}

/// Puts what is on disk into the index, and says what is there and what is damaged.
fn recover(opened: Opened, exporter: &str, index: &mut Index, counters: &QueueCounters) -> Disk {
    let Opened { disk, entries, damage, foreign } = opened;
    let (now, today) = (Instant::now(), milliseconds_since_1970());
    for (key, head) in entries {
        index.reserve(&Size::of(&head));
        let age = Duration::from_millis(today.saturating_sub(head.queued));
        // A clock that runs for less than that has been set since.
        let since = now.checked_sub(age).unwrap_or(now);
        index.add(head, Place::Disk(key), since, false);
    }
    let tell = |level, key: &'static str, message| Notices::tell(&Notice { level, key: key.into(), message });
    let size = index.size();
    if size.requests > 0 {
        let Size { requests, items, bytes } = size;
        let message = format!(
            "exporters.{exporter}.sending_queue: {requests} requests with {items} spans ({bytes} bytes) are queued on disk from \
             before, and are sent now"
        );
        tell(Level::Info, "queue-recovered", message);
    }
    for damage in damage {
        if damage.is_loss() {
            counters.add(Queued::Lost, 1, 0);
        }
        tell(
            if damage.is_loss() { Level::Error } else { Level::Warning },
            "queue-damaged",
            format!("exporters.{exporter}.sending_queue: {damage}"),
        );
    }
    for path in foreign {
        let message = format!("{}: is none of podstamp's files, and stays as it is", path.display());
        tell(Level::Warning, "queue-foreign", message);
    }
    disk
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

/// The time for [`Head::queued`].
pub(crate) fn milliseconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that one consumer sends together at most.
const MAX_BYTES: u64 = 4 << 20;

/// Bytes that all consumers of a queue have at a time.
const MAX_OUT: u64 = 16 << 20;

/// Attempts without an answer after which an entry is worth a word.
const SUSPICIOUS: u32 = 3;
