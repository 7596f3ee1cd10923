//! Requests that go upstream as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::compress::Coded;
use super::super::gather::Pieces;
use super::super::load::Load;
use super::super::sending::Sending;
use super::job::Job;
use crate::sandbox::Ended;

/// One request or several, by their places in the queue.
pub(super) struct Group {
    jobs: Vec<(u64, Job)>,
    /// The first one's, whose address and headers all have.
    sending: Arc<Sending>,
    load: Load,
}

impl Group {
    /// The first of `waiting`, and if it `merges` those behind it that may go to the same place with it.
    pub(super) fn take(waiting: &mut BTreeMap<u64, Job>, merges: bool) -> Option<Self> {
        let (ticket, first) = waiting.pop_first()?;
        let sending = Arc::clone(&first.sending);
        let mut load = sending.load;
        let mut others = Vec::new();
        if merges && !first.is_alone {
            for (ticket, job) in waiting.iter().filter(|(_, job)| job.sending.joins(&sending)) {
                match load.joined(&job.sending.load, sending.way.most) {
                    Some(joined) if !job.is_alone => load = joined,
                    _ => break,
                }
                others.push(*ticket);
            }
        }
        let mut jobs = Vec::with_capacity(1 + others.len());
        jobs.push((ticket, first));
        jobs.extend(others.into_iter().filter_map(|ticket| waiting.remove_entry(&ticket)));
        Some(Self { jobs, sending, load })
    }

    pub(super) fn sending(&self) -> &Sending {
        &self.sending
    }

    /// How many requests of clients are in it.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn body(&self) -> Pieces {
        Coded::joined(self.jobs.iter().map(|(_, job)| &job.sending.body))
    }

    /// Bytes that it takes in the agent.
    pub(super) fn memory(&self) -> u64 {
        self.load.memory()
    }

    /// Until when a response may come for the one that waits longest.
    pub(super) fn deadline(&self) -> Instant {
        self.jobs.iter().map(|(_, job)| job.deadline).max().unwrap_or_else(Instant::now)
    }

    /// Tells each client how it ended. `ended` makes that of the body as it came. How many did not hear it any more.
    pub(super) fn tell(self, ended: impl Fn(&Bytes) -> Ended) -> usize {
        let mut unheard = 0;
        for (_, job) in self.jobs {
            let ended = ended(&job.sending.original);
            unheard += usize::from(!job.tell(ended));
        }
        unheard
    }

    /// Its requests, each to go by itself. Those that nobody waits for any more are left out.
    pub(super) fn parted(self) -> impl Iterator<Item = (u64, Job)> {
        let waited = self.jobs.into_iter().filter(|(_, job)| !job.is_abandoned());
        waited.map(|(ticket, job)| (ticket, job.alone()))
    }
}
