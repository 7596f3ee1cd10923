//! Requests that go upstream as one.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::compress::Coded;
use super::super::gather::Pieces;
use super::super::load::Load;
use super::super::sending::Sending;
use super::job::Job;
use super::waiting::Waiting;
use crate::sandbox::Ended;

/// One request or several, by their places in the queue.
pub(super) struct Group {
    jobs: Vec<(u64, Job)>,
    /// The first request, whose address and headers all have.
    sending: Arc<Sending>,
    load: Load,
}

impl Group {
    /// Takes the request of `waiting` whose turn it is and, where the lane `merges` or the exporter puts requests together,
    /// those behind it that may go with it.
    pub(super) fn take(waiting: &mut Waiting, merges: bool) -> Option<Self> {
        let (ticket, first) = waiting.pop()?;
        let sending = Arc::clone(&first.sending);
        let mut load = sending.load;
        let mut others = Vec::new();
        let merges = merges || sending.way.batch.is_some();
        if merges && !first.is_alone {
            for (ticket, job) in waiting.iter().filter(|(_, job)| job.sending.joins(&sending)) {
                match load.joined(&job.sending.load, sending.way.most) {
                    Some(joined) if !job.is_alone => load = joined,
                    _ => break,
                }
                others.push(ticket);
            }
        }
        let mut jobs = Vec::with_capacity(1 + others.len());
        jobs.push((ticket, first));
        jobs.extend(others.into_iter().filter_map(|ticket| Some((ticket, waiting.remove(ticket)?))));
        Some(Self { jobs, sending, load })
    }

    pub(super) fn sending(&self) -> &Sending {
        &self.sending
    }

    /// The number of requests of clients that are merged here.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The body; `None`: the requests have to go each by itself. One always can.
    pub(super) fn body(&self) -> Option<Pieces> {
        Coded::joined(self.jobs.iter().map(|(_, job)| &job.sending.body))
    }

    /// Estimated bytes of the agent's memory that the request takes.
    pub(super) fn memory(&self) -> u64 {
        self.load.memory()
    }

    /// The latest of the requests' deadlines.
    pub(super) fn deadline(&self) -> Instant {
        self.jobs.iter().map(|(_, job)| job.deadline).max().unwrap_or_else(Instant::now)
    }

    /// Tells each client the outcome that `ended` makes of its body as it came, and returns how many had gone.
    pub(super) fn tell(self, ended: impl Fn(&Bytes) -> Ended) -> usize {
        let mut unheard = 0;
        for (_, job) in self.jobs {
            let ended = ended(&job.sending.original);
            unheard += usize::from(!job.tell(ended));
        }
        unheard
    }

    /// The requests, each to go by itself, without those whose clients have gone.
    pub(super) fn parted(self) -> impl Iterator<Item = (u64, Job)> {
        let waited = self.jobs.into_iter().filter(|(_, job)| !job.is_abandoned());
        waited.map(|(ticket, job)| (ticket, job.alone()))
    }
}
