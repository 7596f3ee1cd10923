//! A request that is in a lane: it waits, is on its way, or has ended.

use std::sync::Arc;

use tokio::sync::oneshot::Receiver;
use tokio::time::{Instant, timeout_at};

use super::super::sending::Sending;
use super::Lane;
use crate::observe::Unsent;
use crate::sandbox::Ended;

/// A request in a lane. Dropping it takes the request out of the queue; one that is on its way goes on, and nobody hears of it.
pub(in crate::exporter) struct Flight {
    pub(super) lane: Arc<Lane>,
    pub(super) sending: Arc<Sending>,
    /// The request's place in the queue.
    pub(super) ticket: u64,
    pub(super) ended: Receiver<Ended>,
}

impl Flight {
    /// How the attempt has ended; `None` where that is not known at `until`.
    pub(in crate::exporter) async fn outcome(&mut self, until: Instant) -> Option<Ended> {
        let ended = timeout_at(until, &mut self.ended).await.ok()?;
        Some(ended.unwrap_or_else(|_| Ended::Closed(self.sending.original.clone())))
    }

    /// Waits for the outcome, and gives up at `until`.
    pub(in crate::exporter) async fn end(mut self, until: Instant) -> Ended {
        if let Some(ended) = self.outcome(until).await {
            return ended;
        }
        if !self.leave() {
            return Ended::TimedOut;
        }
        if self.sending.has_client() {
            self.lane.pool.metrics.unsent(Unsent::Waited);
        }
        Ended::Waited
    }

    /// Takes the request out of the queue; false where it is on its way already.
    pub(in crate::exporter) fn leave(&self) -> bool {
        self.lane.pool.leave_queue(self.lane.number, self.ticket)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.leave();
    }
}
