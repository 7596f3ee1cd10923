//! How entries come into a queue: all of a request's or none, and durable where there is a disk.

use tokio::time::{Instant, timeout_at};

use super::Queue;
use super::disk::{DiskError, Key};
use super::entry::Entry;
use super::index::{Place, Ticket};
use super::size::Size;
use crate::observe::Queued;

/// Why a request cannot be queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error("the queue is full")]
    Full,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Queue {
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
