//! The requests that wait for a connection: those of clients, and those that come out of a queue.

use std::collections::BTreeMap;

use super::job::Job;

/// Requests by the order in which they came. Where both kinds wait, they take turns.
#[derive(Default)]
pub(super) struct Waiting {
    live: BTreeMap<u64, Job>,
    drained: BTreeMap<u64, Job>,
    /// Whether a request out of a queue is next, where there is one.
    is_drained_next: bool,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.live.len() + self.drained.len()
    }

    pub(super) fn insert(&mut self, ticket: u64, job: Job) {
        let kind = if job.sending.is_drained { &mut self.drained } else { &mut self.live };
        kind.insert(ticket, job);
    }

    pub(super) fn remove(&mut self, ticket: u64) -> Option<Job> {
        self.live.remove(&ticket).or_else(|| self.drained.remove(&ticket))
    }

    /// The request whose turn it is.
    pub(super) fn first(&self) -> Option<(u64, &Job)> {
        let (first, second) = self.in_turn();
        let (ticket, job) = first.first_key_value().or_else(|| second.first_key_value())?;
        Some((*ticket, job))
    }

    /// Takes the request whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(u64, Job)> {
        let (ticket, _) = self.first()?;
        let job = self.remove(ticket)?;
        self.is_drained_next = !job.sending.is_drained;
        Some((ticket, job))
    }

    /// The requests that wait, those of the kind whose turn it is ahead of the others.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Job)> {
        let (first, second) = self.in_turn();
        first.iter().chain(second).map(|(ticket, job)| (*ticket, job))
    }

    /// Takes all requests that are `such`.
    pub(super) fn extract(&mut self, such: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut extracted: Vec<_> = self.live.extract_if(.., |_, job| such(job)).collect();
        extracted.extend(self.drained.extract_if(.., |_, job| such(job)));
        extracted.into_iter().map(|(_, job)| job).collect()
    }

    fn in_turn(&self) -> (&BTreeMap<u64, Job>, &BTreeMap<u64, Job>) {
        if self.is_drained_next { (&self.drained, &self.live) } else { (&self.live, &self.drained) }
    }
}
