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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use podstamp_core::interface::Upstream;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::super::super::compress::Coded;
    use super::super::super::gather::Pieces;
    use super::super::super::load::{Load, Most};
    use super::super::super::sending::{Head, Sending, Way};
    use super::super::group::Group;
    use super::*;
    use crate::tls::Connector;

    /// A request of so many spans, of which 10 go together.
    fn job(is_drained: bool, spans: u32) -> Job {
        let to = Upstream { url: "http://127.0.0.1/".to_owned(), headers: Vec::new(), timeout: 1 };
        let connector = Connector::new(None, Duration::from_secs(1));
        let way = Arc::new(Way {
            connector,
            tls: None,
            most: Most::new(10, 0),
            has_client: !is_drained,
            batch: None,
        });
        let body = Coded::Plain(Pieces::One(Bytes::from_static(b"x")));
        let load = Load::new(1, spans, 0);
        let sending = Sending::new(0, Head::new(&to).unwrap(), body, load, Bytes::new(), way);
        let sending = Arc::new(Sending { is_drained, ..sending });
        Job::new(sending, Instant::now(), oneshot::channel().0)
    }

    fn waiting(jobs: &[(bool, u32)]) -> Waiting {
        let mut waiting = Waiting::default();
        for (ticket, (is_drained, spans)) in (0..).zip(jobs) {
            waiting.insert(ticket, job(*is_drained, *spans));
        }
        waiting
    }

    #[test]
    fn requests_of_clients_and_of_queues_take_turns() {
        let mut waiting = waiting(&[(true, 1), (true, 1), (true, 1), (false, 1), (false, 1), (true, 1)]);
        let mut order = Vec::new();
        while let Some((ticket, _)) = waiting.pop() {
            order.push(ticket);
        }
        assert_eq!(order, [3, 0, 4, 1, 2, 5]);
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn both_kinds_go_together_those_whose_turn_it_is_ahead() {
        let mut waiting = waiting(&[(true, 4), (false, 4), (true, 4), (false, 4), (true, 4)]);
        let mut next =
            || Group::take(&mut waiting, true).map(|group| (group.sending().is_drained, group.len()));
        // Two fill a request.
        assert_eq!(next(), Some((false, 2)));
        assert_eq!(next(), Some((true, 2)));
        assert_eq!(next(), Some((true, 1)));
        assert_eq!(next(), None);
    }

    #[test]
    fn what_is_left_of_one_kind_is_filled_up_with_the_other() {
        let mut waiting = waiting(&[(true, 3), (false, 3), (true, 3), (true, 3)]);
        let group = Group::take(&mut waiting, true).unwrap();
        assert_eq!((group.sending().is_drained, group.len(), waiting.len()), (false, 3, 1));
    }
}
