//! The thread that writes a log: appends of all that wait with one sync, and removals some time later.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::damage::DiskError;
use super::fields::checksum;
use super::folder::{segment_path, sync};
use super::format::{RECORDS, RecordHead};
use super::index::ENTRY as INDEX_ENTRY;
use super::lock::Lock;
use super::segment::{Active, Written};
use super::state::{Location, Segment};
use super::{Key, Shared};
use crate::queue::entry::{Entry, Head};

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Order {
    Append(Entry, oneshot::Sender<Result<Key, DiskError>>),
    /// There are removals to write.
    Removed,
    Close(oneshot::Sender<()>),
}

/// The thread's own.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) orders: Receiver<Order>,
    pub(super) active: Option<Active>,
    /// The number of the entry that was written last.
    pub(super) sequence: u64,
    /// The number of the segment that was begun last.
    pub(super) segment: u64,
    /// Copies nothing out of segments before this.
    pub(super) reclaims_after: Instant,
    /// The folder is this process's until the thread ends.
    pub(super) _lock: Lock,
}

/// An entry to write.
struct Item {
    sequence: u64,
    head: Head,
    body: Bytes,
    /// Who waits for it; `None` for an entry that is copied from another segment.
    reply: Option<oneshot::Sender<Result<Key, DiskError>>>,
}

impl Writer {
    /// Runs until it is told to close, or nobody can tell it anything any more.
    pub(super) fn run(mut self) {
        let mut tidies_at = self.shared.state().has_changes().then(Instant::now);
        let closed = loop {
            let order = match tidies_at {
                Some(at) => self.orders.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => self.orders.recv().map_err(RecvTimeoutError::from),
            };
            let next = match order {
                Ok(Order::Append(entry, reply)) => self.append(entry, reply),
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break None,
            };
            // An order to write removals says itself in what is to be written.
            if let Some(Order::Close(reply)) = next {
                break Some(reply);
            }
            if tidies_at.is_none() && self.shared.state().has_changes() {
                tidies_at = Some(Instant::now() + TIDYING);
            }
            if tidies_at.is_some_and(|at| at <= Instant::now()) {
                tidies_at = self.tidy().then(|| Instant::now() + TIDYING);
            }
        };
        self.finish();
        drop(self);
        if let Some(closed) = closed {
            // Whoever closed the log may have gone.
            closed.send(()).unwrap_or_default();
        }
    }

    /// Writes an entry and all others that wait behind it; gives the order that came after these.
    fn append(&mut self, entry: Entry, reply: oneshot::Sender<Result<Key, DiskError>>) -> Option<Order> {
        let mut items = VecDeque::new();
        let mut bytes = 0;
        let mut next = Some(Order::Append(entry, reply));
        while let Some(Order::Append(Entry { head, body }, reply)) = next {
            self.sequence += 1;
            bytes += body.len();
            let head = Head { length: u32::try_from(body.len()).unwrap_or(u32::MAX), ..head };
            items.push_back(Item { sequence: self.sequence, head, body, reply: Some(reply) });
            if bytes >= GROUP_BYTES || items.len() >= GROUP {
                next = None;
                break;
            }
            next = self.orders.try_recv().ok();
        }
        self.write(items);
        next
    }

    /// Writes entries, group by group as they fit into segments; says whether all are written.
    fn write(&mut self, mut items: VecDeque<Item>) -> bool {
        while !items.is_empty() {
            let Err(error) = self.write_group(&mut items) else { continue };
            for item in items {
                item.fail(error.again());
            }
            return false;
        }
        true
    }

    /// Writes the first of `items`, as many as belong into one segment. The error holds for those that are left.
    fn write_group(&mut self, items: &mut VecDeque<Item>) -> Result<(), DiskError> {
        let most = self.shared.most_bytes;
        let wanted = items.front().map_or(0, Item::bytes);
        let room = match most {
            0 => u64::MAX,
            // The index of this segment, and the head of another.
            most => most.saturating_sub(
                self.shared.state().bytes() + RECORDS + self.active.as_ref().map_or(0, Active::index_bytes),
            ),
        };
        if wanted > room {
            let error = io::Error::new(io::ErrorKind::StorageFull, format!("max_size is {most} bytes"));
            return Err(DiskError::new(&self.shared.place, &self.shared.folder, error));
        }
        if self.active.as_ref().is_some_and(|active| !active.has_room(0, wanted, self.shared.segment_bytes)) {
            self.fill();
        }
        let active = match &mut self.active {
            Some(active) => active,
            None => self.active.insert(create(&self.shared, &mut self.segment)?),
        };
        let (mut records, mut bytes) = (Vec::new(), 0);
        for item in items.iter() {
            let next = bytes + item.bytes();
            if next + INDEX_ENTRY * records.len() as u64 > room
                || !active.has_room(records.len() as u32, next, self.shared.segment_bytes)
            {
                break;
            }
            bytes = next;
            let Item { sequence, head, body, .. } = item;
            let ordinal = active.count + records.len() as u32;
            let record = RecordHead {
                sequence: *sequence,
                ordinal,
                head: *head,
                body: checksum(active.header.key, body),
            };
            records.push((record.encode(active.header.key), body.clone()));
        }
        let (mut offset, first) = (active.at, active.count);
        let Written { whole, error, is_spoiled } = active.write(&records, self.shared.fsync);
        let (segment, path, size) = (active.number, active.path.clone(), active.at);
        let mut state = self.shared.state();
        state.resize(segment, size);
        for (ordinal, item) in (first..).zip(items.drain(..whole)) {
            let location = Location { segment, ordinal, offset, length: item.head.length };
            offset += item.bytes();
            let Some(reply) = item.reply else {
                state.relocate(item.sequence, location);
                continue;
            };
            state.insert(item.sequence, location);
            if reply.send(Ok(Key(item.sequence))).is_err() {
                // Nobody knows of it.
                state.remove(item.sequence);
            }
        }
        if is_spoiled {
            state.fill(segment);
            self.active = None;
        }
        error.map_or(Ok(()), |error| Err(DiskError::new(&self.shared.place, &path, error)))
    }

    /// Writes no more to the segment that is written to.
    fn fill(&mut self) {
        if let Some(active) = self.active.take() {
            let number = active.number;
            let size = active.finish();
            let mut state = self.shared.state();
            state.resize(number, size);
            state.fill(number);
        }
    }

    /// Writes removals, deletes what is empty, and copies what is left where most is removed. Says whether there is more to do.
    fn tidy(&mut self) -> bool {
        self.write_removals();
        if Instant::now() < self.reclaims_after {
            return self.shared.state().has_changes();
        }
        let wasteful = self.shared.state().wasteful(2 * self.shared.segment_bytes);
        if let Some(number) = wasteful
            && !self.copy_from(number)
        {
            self.reclaims_after = Instant::now() + RECLAIM_PAUSE;
        }
        wasteful.is_some() || self.shared.state().has_changes()
    }

    fn write_removals(&mut self) {
        if let Some(active) = &self.active
            && active.at > WORTHWHILE
            && self.shared.state().is_empty(active.number)
        {
            let number = active.number;
            self.active = None;
            self.shared.state().fill(number);
        }
        let changes = self.shared.state().take_changes();
        let Shared { folder, fsync, .. } = &*self.shared;
        for (number, place, block) in changes.marks {
            let path = segment_path(folder, number);
            let file = OpenOptions::new().write(true).open(&path);
            let written = file.and_then(|file| {
                file.write_all_at(&block, place)?;
                if *fsync { file.sync_data() } else { Ok(()) }
            });
            if let Err(error) = written {
                tracing::warn!(%error, file = %path.display(), "removals are not written: a restart would deliver these entries again");
            }
        }
        if changes.empty.is_empty() {
            return;
        }
        for number in changes.empty {
            self.shared.forget_file(number);
            let path = segment_path(folder, number);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, file = %path.display(), "a file of a queue that is delivered is not deleted");
                }
                _ => {}
            }
        }
        if *fsync && let Err(error) = sync(folder) {
            tracing::warn!(%error, folder = %folder.display(), "the folder of a queue is not synced");
        }
    }

    /// Copies the entries of a segment behind the last one, so that it can be deleted; says whether all are copied.
    fn copy_from(&mut self, number: u64) -> bool {
        let sequences = self.shared.state().entries_of(number);
        let mut items = VecDeque::new();
        for sequence in sequences {
            match self.shared.read_record(sequence) {
                Ok((head, body)) => items.push_back(Item { sequence, head, body, reply: None }),
                Err(DiskError::Gone) => {}
                Err(_) => {
                    // Whoever wants to send it is told.
                    self.shared.state().spoil(number);
                    return false;
                }
            }
        }
        self.write(items)
    }

    fn finish(&mut self) {
        self.fill();
        self.write_removals();
        // Orders that came late are refused.
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Append(_, reply) = order {
                reply.send(Err(DiskError::Closed)).unwrap_or_default();
            }
        }
    }
}

/// Begins a segment.
fn create(shared: &Shared, last: &mut u64) -> Result<Active, DiskError> {
    loop {
        *last += 1;
        match Active::create(&shared.folder, *last, shared.fsync) {
            Ok((active, marks)) => {
                let segment = Segment::new(active.header, marks, RECORDS, false);
                shared.state().add_segment(active.number, segment);
                return Ok(active);
            }
            // Somebody has put a file there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let path = segment_path(&shared.folder, *last);
                *last -= 1;
                return Err(DiskError::new(&shared.place, &path, error));
            }
        }
    }
}

impl Item {
    /// Bytes of the record.
    fn bytes(&self) -> u64 {
        (super::format::RECORD_HEAD + self.body.len()) as u64
    }

    fn fail(self, error: DiskError) {
        if let Some(reply) = self.reply {
            // Who waited may have gone.
            reply.send(Err(error)).unwrap_or_default();
        }
    }
}

/// How long removals may wait: they cost a write for each segment, whatever their number.
const TIDYING: Duration = Duration::from_millis(200);

/// How long until copying is tried again after there was no room for it.
const RECLAIM_PAUSE: Duration = Duration::from_secs(10);

/// Bytes of a segment for which it is deleted as soon as nothing is in it, though it takes further entries.
const WORTHWHILE: u64 = 8 << 20;

/// The most entries that are written at a time, and the bytes from which on no more are taken: that many take a disk some ten
/// milliseconds.
const GROUP: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;
