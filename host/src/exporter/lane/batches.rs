//! Requests that wait for others to go with them, where the pipeline lists `batch`.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::load::Load;
use super::job::Job;

/// The batches of a lane that are not on their way yet.
#[derive(Default)]
pub(super) struct Batches {
    open: Vec<Batch>,
    /// Batches so far.
    begun: u64,
}

/// A batch that others may still join.
struct Batch {
    number: u64,
    load: Load,
    /// When it leaves, however small it is.
    due: Instant,
    jobs: BTreeMap<u64, Job>,
}

/// What comes of a request that was added.
#[derive(Default)]
pub(super) struct Added {
    /// The requests that leave now, by their tickets.
    pub(super) released: Vec<(u64, Job)>,
    /// How many batches these are.
    pub(super) batches: usize,
    /// The number of a batch that is to be released at that moment.
    pub(super) timer: Option<(u64, Instant)>,
}

impl Batches {
    /// Adds a request to the batch that it may go with, which leaves once it has `size` items; 0: at once. A batch that it does not
    /// fit into leaves without it. `due`: when the request has to leave.
    pub(super) fn add(&mut self, ticket: u64, job: Job, size: u32, due: Instant) -> Added {
        let mut added = Added::default();
        let place = self.open.iter().position(|batch| batch.takes(&job));
        let joined = place.and_then(|place| self.open.get(place)).and_then(|batch| batch.load_with(&job));
        let place = match (place, joined) {
            (Some(place), Some(_)) => place,
            (place, _) => {
                added
                    .released
                    .extend(place.into_iter().flat_map(|place| self.open.swap_remove(place).leave()));
                added.batches = usize::from(place.is_some());
                let number = self.begun;
                self.begun += 1;
                added.timer = Some((number, due));
                self.open.push(Batch { number, load: Load::default(), due, jobs: BTreeMap::new() });
                self.open.len() - 1
            }
        };
        let Some(batch) = self.open.get_mut(place) else { return added };
        if due < batch.due {
            batch.due = due;
            added.timer = Some((batch.number, due));
        }
        batch.load = joined.unwrap_or(job.sending.load);
        batch.jobs.insert(ticket, job);
        if batch.load.spans() >= size.into() {
            added.released.extend(self.open.swap_remove(place).leave());
            added.batches += 1;
            added.timer = None;
        }
        added
    }

    /// Takes a batch whose time is up. None where it has left before, or waits for longer after all.
    pub(super) fn release(&mut self, number: u64) -> Vec<(u64, Job)> {
        let place = self.open.iter().position(|batch| batch.number == number);
        place.map(|place| self.open.swap_remove(place).leave().collect()).unwrap_or_default()
    }

    /// Takes out a request that nobody waits for any more.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Job> {
        let job = self.open.iter_mut().find_map(|batch| batch.jobs.remove(&ticket))?;
        self.open.retain(|batch| !batch.jobs.is_empty());
        Some(job)
    }

    /// The requests in all batches.
    pub(super) fn len(&self) -> usize {
        self.open.iter().map(|batch| batch.jobs.len()).sum()
    }
}

impl Batch {
    /// Whether a request goes to the same place in the same way.
    fn takes(&self, job: &Job) -> bool {
        self.jobs.values().next().is_some_and(|first| job.sending.joins(&first.sending))
    }

    /// The load with a request more; `None` where that is too much for one.
    fn load_with(&self, job: &Job) -> Option<Load> {
        self.load.joined(&job.sending.load, job.sending.way.most)
    }

    /// The requests, which begin to wait for a connection now.
    fn leave(self) -> impl Iterator<Item = (u64, Job)> {
        self.jobs.into_iter().map(|(ticket, job)| (ticket, job.entering()))
    }
}
