//! Sends what is queued.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podstamp_core::interface::Encoding;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Exporter;
use super::compress::{self, Coded};
use super::gather::Pieces;
use super::lane::Flight;
use super::load::Load;
use super::sending::{Head, Sending};
use super::spill::{Judged, Queueing};
use crate::lifecycle::Draining;
use crate::queue::{DiskError, Queue, Settled, Stored, Taken, Ticket};
use crate::sandbox::Ended;

/// An entry that is in its lane.
struct Underway {
    ticket: Ticket,
    stored: Stored,
    body: Bytes,
    flight: Flight,
}

impl Exporter {
    /// Starts the tasks that send what is queued, where there is a queue. Told to stop, they send what the upstream takes, and try
    /// again what is in memory; what is on disk stays there.
    pub(super) fn start_consumers(self: &Arc<Self>, draining: &Draining) {
        let Some(queueing) = &self.queueing else { return };
        let (queue, consumers) = (Arc::clone(&queueing.queue), queueing.consumers);
        let (exporter, draining) = (Arc::clone(self), draining.clone());
        tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            for _ in 0..consumers {
                tasks.spawn(Arc::clone(&exporter).consume(draining.clone()));
            }
            while tasks.join_next().await.is_some() {}
            // What is on its way may yet be settled.
            tokio::select! {
                () = queue.idle() => (),
                () = draining.abandoned() => (),
            }
            queue.close().await;
            drop(draining);
        });
    }

    async fn consume(self: Arc<Self>, draining: Draining) {
        let Some(queueing) = &self.queueing else { return };
        let queue = &queueing.queue;
        loop {
            let is_ending = draining.is_stopping();
            if is_ending && !queue.is_durable() {
                queue.hurry();
            }
            let taken = tokio::select! {
                biased;
                () = draining.abandoned() => return,
                taken = queue.next(is_ending) => taken,
                () = draining.stopping(), if !is_ending => continue,
            };
            let Some(taken) = taken else { return };
            tokio::select! {
                biased;
                () = self.deliver(queueing, taken) => (),
                () = draining.abandoned() => return,
            }
        }
    }

    async fn deliver(&self, queueing: &Queueing, Taken { entries, bytes }: Taken) {
        let queue = &queueing.queue;
        let begun = Instant::now();
        let turn = begun + queueing.timeout;
        // One whose turn comes late has its time all the same: it would arrive, and be sent again.
        let deadline = turn + queueing.timeout;
        let mut underway = Vec::with_capacity(entries.len());
        for (ticket, stored) in entries {
            if let Some(body) = self.read(queue, ticket, &stored).await
                && let Some(flight) = self.start(queueing, ticket, &stored, body.clone(), deadline).await
            {
                underway.push(Underway { ticket, stored, body, flight });
            }
        }
        if underway.is_empty() {
            queue.tried();
        }
        for Underway { ticket, stored, body, flight } in underway {
            let mut ended = end(flight, turn, deadline).await;
            if let Ended::Closed(original) = &mut ended {
                *original = plain(queueing, &stored, body);
            }
            let settled = match self.judge(queue, Encoding::Protobuf, ended, begun).await {
                Judged::Settled(settled) => settled,
                Judged::Mended(mended) => self.deliver_mended(queueing, &stored, mended).await,
            };
            queue.settle(ticket, settled);
        }
        queue.returned(bytes);
    }

    /// The body of an entry; `None` where it cannot be read.
    async fn read(&self, queue: &Queue, ticket: Ticket, stored: &Stored) -> Option<Bytes> {
        let error = match queue.body(stored).await {
            Ok(body) => return Some(body),
            Err(error) => error,
        };
        self.context.notices.warn("queue-damaged", || format!("an entry of a queue cannot be read: {error}"));
        let settled = match error {
            DiskError::Damaged(_) | DiskError::Gone => Settled::Lost,
            // It may be read in a while.
            DiskError::Full { .. } | DiskError::Io { .. } | DiskError::Closed => {
                sleep(UNREADABLE).await;
                Settled::Later
            }
        };
        queue.settle(ticket, settled);
        None
    }

    async fn start(
        &self,
        queueing: &Queueing,
        ticket: Ticket,
        stored: &Stored,
        body: Bytes,
        deadline: Instant,
    ) -> Option<Flight> {
        let Queueing { queue, head, body_limit, .. } = queueing;
        let entry = stored.head();
        let (coded, length) = match self.compressor.restore(entry.coding, body, *body_limit).await {
            Ok(restored) => restored,
            Err(error) => {
                let message = || format!("an entry of a queue cannot be decompressed: {error}");
                self.context.notices.warn("queue-damaged", message);
                queue.settle(ticket, Settled::Lost);
                return None;
            }
        };
        let load = Load::new(length, entry.spans, entry.memory);
        let sending = self.drained(head, coded, load);
        match self.lane(&sending).start(&sending, deadline, deadline) {
            Ok(flight) => Some(flight),
            Err(_) => {
                queue.settle(ticket, Settled::Later);
                None
            }
        }
    }

    /// Sends a body that was mended, in place of the one that is stored.
    async fn deliver_mended(&self, queueing: &Queueing, stored: &Stored, mended: Vec<u8>) -> Settled {
        let Queueing { queue, head, timeout, .. } = queueing;
        let (begun, entry) = (Instant::now(), stored.head());
        let pieces = Pieces::One(mended.into());
        let load = Load::new(pieces.len(), entry.spans, entry.memory);
        let coded = self.compressor.code(pieces, None).await;
        let sending = self.drained(head, coded, load);
        let deadline = begun + *timeout;
        let ended = self.lane(&sending).send(&sending, deadline, deadline).await;
        // As with JSON, the body is sound: nobody has to look for what could be mended.
        match self.judge(queue, Encoding::Json, ended, begun).await {
            Judged::Settled(settled) => settled,
            Judged::Mended(_) => Settled::Refused,
        }
    }

    fn drained(&self, head: &Head, body: Coded, load: Load) -> Arc<Sending> {
        // What a client sent is not needed: the body as it is stored says why an upstream closes on it.
        let sending = self.request(head, body, load, Bytes::new());
        Arc::new(Sending { is_drained: true, ..sending })
    }
}

/// How an entry's attempt ends: it has to be on its way at `turn`, and to have its response at `deadline`, or a little later where
/// it went with others that have more time.
pub(super) async fn end(mut flight: Flight, turn: Instant, deadline: Instant) -> Ended {
    for until in [turn, deadline] {
        match flight.outcome(until).await {
            Some(ended) => return ended,
            None if flight.leave() => return Ended::Waited,
            None => (),
        }
    }
    flight.end(deadline + deadline.saturating_duration_since(turn)).await
}

/// An entry's body before compression; empty where it cannot be had.
fn plain(queueing: &Queueing, stored: &Stored, body: Bytes) -> Bytes {
    compress::inflated(stored.head().coding, body, queueing.body_limit).unwrap_or_default()
}

/// How long to leave a disk alone that cannot be read.
const UNREADABLE: Duration = Duration::from_secs(1);
