//! Whether an address is well, and how long one that is not is left alone: a circuit breaker for one of several.
//!
//! An upstream with one address is used all the same, since there is no other; there the [breaker](super::breaker) decides
//! whether clients wait.

use std::time::Duration;

use tokio::time::Instant;

/// The health of one address.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Failures one after the other.
    strikes: u32,
    rest: Option<Rest>,
    /// Whether people were told that it is left alone.
    told: bool,
}

/// The state of an address that is left alone.
#[derive(Debug)]
struct Rest {
    /// When the latest attempt to connect began and when it failed; `None` where connections are taken.
    unreachable: Option<(Instant, Instant)>,
    /// When it may be tried.
    until: Instant,
    /// How long after that it may be tried again.
    interval: Duration,
    /// Whether the next request is a try.
    is_tried: bool,
}

/// A failure of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    /// No connection, by an attempt that began then.
    Unreachable(Instant),
    /// No answer in time.
    Late,
    /// A closed connection, or an answer that says that it is busy: what a request may have brought about, too.
    Refused,
}

/// Whether an address may have a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    /// It is due for a try with one request.
    Due,
    Well,
    /// It takes connections, and is left alone.
    Resting,
    /// It takes no connections. `is_due`: a connection may be tried.
    Unreachable {
        is_due: bool,
    },
}

impl Health {
    pub(super) fn fitness(&self, now: Instant) -> Fitness {
        match &self.rest {
            None => Fitness::Well,
            Some(Rest { unreachable: Some(_), until, .. }) => Fitness::Unreachable { is_due: now >= *until },
            Some(rest) if rest.is_tried || now >= rest.until => Fitness::Due,
            Some(_) => Fitness::Resting,
        }
    }

    /// Whether it has failed, and not been well since.
    pub(super) fn is_failing(&self) -> bool {
        self.strikes > 0
    }

    /// When the latest attempt to connect began and when it failed; `None` where it did not.
    pub(super) fn unreachable(&self) -> Option<(Instant, Instant)> {
        self.rest.as_ref()?.unreachable
    }

    /// Notes that it is tried `now`: the next try comes after the interval.
    pub(super) fn begin_try(&mut self, now: Instant) {
        if let Some(rest) = &mut self.rest {
            rest.until = now + rest.interval;
            rest.is_tried = rest.unreachable.is_none();
        }
    }

    /// Notes that a request is on its way there.
    pub(super) fn taken(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.is_tried = false;
        }
    }

    /// Notes a failure. `random`, from 0 to 1, spreads the next try. True where it has failed so often that people should know.
    pub(super) fn failed(&mut self, failing: Failing, now: Instant, random: f64) -> bool {
        self.strikes = self.strikes.saturating_add(1);
        if failing == Failing::Refused && self.strikes < REPEATEDLY {
            return false;
        }
        let unreachable = match failing {
            Failing::Unreachable(begun) => Some((begun, now)),
            Failing::Late | Failing::Refused => None,
        };
        let interval = self.rest.as_ref().map_or(FIRST, |rest| (rest.interval * 2).min(LONGEST));
        let until = now + interval.mul_f64(0.75 + random / 2.0);
        self.rest = Some(Rest { unreachable, until, interval, is_tried: false });
        self.strikes >= REPEATEDLY && !std::mem::replace(&mut self.told, true)
    }

    /// Notes that a connection was made. True where that makes it well and people should know.
    pub(super) fn connected(&mut self) -> bool {
        match &self.rest {
            Some(Rest { unreachable: Some(_), .. }) => self.answered(),
            _ => false,
        }
    }

    /// Notes an answer. True where people should know that it is well again.
    pub(super) fn answered(&mut self) -> bool {
        self.strikes = 0;
        self.rest = None;
        std::mem::take(&mut self.told)
    }
}

/// So many failures one after the other are no accident of a request.
const REPEATEDLY: u32 = 3;

/// How long an address is left alone at first.
const FIRST: Duration = Duration::from_secs(1);

/// The longest time between tries: an address that is back is used after that time at the latest.
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn what_takes_no_connection_is_left_alone_for_longer_each_time() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        let mut told = Vec::new();
        for interval in [1, 2, 4, 8, 16, 30, 30] {
            told.push(health.failed(Failing::Unreachable(now), now, 0.5));
            assert_eq!(health.unreachable(), Some((now, now)));
            let early = now + seconds(interval) - Duration::from_millis(1);
            assert_eq!(health.fitness(early), Fitness::Unreachable { is_due: false }, "{interval}");
            now += seconds(interval);
            assert_eq!(health.fitness(now), Fitness::Unreachable { is_due: true }, "{interval}");
            health.begin_try(now);
            assert_eq!(health.fitness(now), Fitness::Unreachable { is_due: false }, "one try at a time");
        }
        assert_eq!(told, [false, false, true, false, false, false, false], "people are told once");
        assert!(health.connected(), "and told that it is back");
        assert_eq!(health.fitness(now), Fitness::Well);
        assert!(!health.is_failing());
        // The next outage begins anew.
        assert!(!health.failed(Failing::Unreachable(now), now, 0.5));
        assert_eq!(health.fitness(now + seconds(1)), Fitness::Unreachable { is_due: true });
        assert!(!health.connected());
    }

    #[test]
    fn what_does_not_answer_is_tried_by_one_request_after_a_while() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert!(!health.failed(Failing::Late, now, 0.5));
        assert_eq!(health.fitness(now), Fitness::Resting);
        assert!(!health.connected());
        assert_eq!(health.fitness(now), Fitness::Resting, "a connection says nothing of answers");
        let due = now + seconds(1);
        assert_eq!(health.fitness(due), Fitness::Due);
        health.begin_try(due);
        assert_eq!(health.fitness(due), Fitness::Due, "until the request is on its way");
        health.taken();
        assert_eq!(health.fitness(due), Fitness::Resting);
        health.answered();
        assert_eq!(health.fitness(due), Fitness::Well);
    }

    #[test]
    fn a_close_may_be_the_requests_own_fault_and_three_in_a_row_are_not() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 0..3 {
            assert!(!health.failed(Failing::Refused, now, 0.5));
            assert!(!health.failed(Failing::Refused, now, 0.5));
            assert_eq!(health.fitness(now), Fitness::Well);
            assert!(!health.answered());
        }
        assert!(!health.failed(Failing::Refused, now, 0.5));
        assert!(!health.failed(Failing::Refused, now, 0.5));
        assert!(health.failed(Failing::Refused, now, 0.5));
        assert_eq!(health.fitness(now), Fitness::Resting);
    }

    #[test]
    fn tries_are_spread() {
        for (random, after) in [(0.0, 750), (1.0, 1_250)] {
            let (mut health, now) = (Health::default(), Instant::now());
            health.failed(Failing::Late, now, random);
            let at = |milliseconds| now + Duration::from_millis(milliseconds);
            assert_eq!(health.fitness(at(after - 1)), Fitness::Resting);
            assert_eq!(health.fitness(at(after)), Fitness::Due);
        }
    }
}
