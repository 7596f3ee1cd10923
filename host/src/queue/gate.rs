//! Whether requests go straight through or into the queue at once.
//!
//! The gate shuts when an attempt fails and nothing has come through since that attempt began. While it is shut one consumer tries
//! now and then; the first success of anybody opens it.

use std::time::Duration;

use tokio::time::Instant;

/// The gate of one queue.
#[derive(Debug)]
pub(super) struct Gate {
    /// When the upstream last took a request.
    reached: Option<Instant>,
    shut: Option<Shut>,
}

/// The state of a gate that is shut.
#[derive(Debug)]
struct Shut {
    /// Since when it is shut.
    since: Instant,
    /// When a consumer may try.
    until: Instant,
    /// Tries that have failed since it was shut.
    tries: u32,
    /// Whether a consumer tries now.
    is_tried: bool,
}

/// Whether a consumer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// As much as there is.
    Open,
    /// A little, to see whether the upstream is back.
    Try,
    /// Nothing before that moment; `None`: before another consumer's try has ended.
    Shut(Option<Instant>),
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { reached: None, shut: None }
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.is_some()
    }

    /// Tries that have failed in a row.
    pub(super) fn tries(&self) -> u32 {
        self.shut.as_ref().map_or(0, |shut| shut.tries)
    }

    /// Whether a consumer may send now. Who gets [`Passage::Try`] says afterwards how that ended.
    pub(super) fn passage(&mut self, now: Instant) -> Passage {
        match &mut self.shut {
            None => Passage::Open,
            Some(Shut { is_tried: true, .. }) => Passage::Shut(None),
            Some(shut) if now >= shut.until => {
                shut.is_tried = true;
                Passage::Try
            }
            Some(shut) => Passage::Shut(Some(shut.until)),
        }
    }

    /// The upstream took a request.
    pub(super) fn reached(&mut self, now: Instant) {
        self.reached = Some(now);
        self.shut = None;
    }

    /// An attempt that `begun` has failed; the next one is due after `delay`.
    pub(super) fn failed(&mut self, begun: Instant, now: Instant, delay: Duration) {
        if self.reached.is_some_and(|reached| reached >= begun) {
            self.tried();
            return;
        }
        if let Some(shut) = self.shut.as_mut().filter(|shut| begun < shut.since) {
            // It belongs to the failure that shut the gate, and is no try.
            shut.until = shut.until.max(now + delay);
            return;
        }
        let tries = self.tries().saturating_add(1);
        let (since, until) = self.shut.as_ref().map_or((now, now), |shut| (shut.since, shut.until));
        self.shut = Some(Shut { since, until: until.max(now + delay), tries, is_tried: false });
    }

    /// The next try is due now.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(shut) = &mut self.shut {
            shut.until = shut.until.min(now);
        }
    }

    /// A try has ended and says nothing about the upstream.
    pub(super) fn tried(&mut self) {
        if let Some(shut) = &mut self.shut {
            shut.is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(5);

    #[test]
    fn it_shuts_at_a_failure_lets_one_try_at_a_time_and_opens_at_a_success() {
        let (mut gate, begin) = (Gate::new(), Instant::now());
        assert_eq!(gate.passage(begin), Passage::Open);
        gate.failed(begin, begin, DELAY);
        assert!(gate.is_shut());
        assert_eq!(gate.passage(begin), Passage::Shut(Some(begin + DELAY)));
        let due = begin + DELAY;
        assert_eq!(gate.passage(due), Passage::Try);
        assert_eq!(gate.passage(due), Passage::Shut(None));
        gate.failed(due, due, DELAY);
        assert_eq!((gate.tries(), gate.passage(due)), (2, Passage::Shut(Some(due + DELAY))));
        assert_eq!(gate.passage(due + DELAY), Passage::Try);
        gate.reached(due + DELAY);
        assert_eq!((gate.tries(), gate.passage(due + DELAY)), (0, Passage::Open));
    }

    #[test]
    fn what_failed_together_is_one_failure() {
        let (mut gate, begin) = (Gate::new(), Instant::now());
        let now = begin + DELAY;
        for _ in 0..50 {
            gate.failed(begin, now, DELAY);
        }
        assert_eq!((gate.tries(), gate.passage(now)), (1, Passage::Shut(Some(now + DELAY))));
        assert_eq!(gate.passage(now + DELAY), Passage::Try);
        gate.failed(begin, now + DELAY, Duration::ZERO);
        assert_eq!(gate.passage(now + DELAY), Passage::Shut(None), "somebody tries still");
    }

    #[test]
    fn an_attempt_that_began_before_the_last_success_says_nothing() {
        let (mut gate, begin) = (Gate::new(), Instant::now());
        gate.reached(begin + DELAY);
        gate.failed(begin, begin + 2 * DELAY, DELAY);
        assert!(!gate.is_shut());
    }

    #[test]
    fn a_try_that_is_hurried_is_due_at_once() {
        let (mut gate, begin) = (Gate::new(), Instant::now());
        gate.failed(begin, begin, DELAY);
        gate.hurry(begin);
        assert_eq!(gate.passage(begin), Passage::Try);
    }

    #[test]
    fn a_try_that_came_to_nothing_leaves_the_next_one_to_others() {
        let (mut gate, begin) = (Gate::new(), Instant::now());
        gate.failed(begin, begin, Duration::ZERO);
        assert_eq!(gate.passage(begin), Passage::Try);
        gate.tried();
        assert_eq!(gate.passage(begin), Passage::Try);
    }
}
