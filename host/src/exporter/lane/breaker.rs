//! A circuit breaker: whether an upstream is known to be away, so that clients do not wait for it in vain.
//!
//! A request waits for as long as its client does, so that a restart which takes less goes by unnoticed. Once no request has
//! reached the upstream for that long, the breaker opens: requests are refused at once, except for one now and then that
//! tries the upstream.

use std::time::Duration;

use tokio::time::Instant;

/// The breaker of one upstream.
#[derive(Debug)]
pub(super) struct Breaker {
    patience: Duration,
    /// When the upstream last gave a sign of life.
    reached: Option<Instant>,
    /// When the first attempt since then began that has not reached the upstream.
    failing: Option<Instant>,
    open: Option<Open>,
}

/// The state of an open breaker.
#[derive(Debug)]
struct Open {
    /// Why the upstream is away, for people.
    reason: String,
    /// When a request may try the upstream.
    until: Instant,
    /// How long after that the next request may.
    interval: Duration,
}

/// Why a request is not sent, and when to come again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) after: Duration,
}

impl Breaker {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, reached: None, failing: None, open: None }
    }

    /// Whether requests are refused.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Why a request must not be sent `now`; `None` if it may, as a try if the breaker is open. A try is like other requests: if
    /// its client goes away, another request tries after the interval. `is_stuck` says that no connection is available for the
    /// request.
    pub(super) fn refuse(&mut self, now: Instant, is_stuck: bool) -> Option<Refused> {
        let open = self.open.as_mut()?;
        if now >= open.until && !is_stuck {
            open.until = now + open.interval;
            return None;
        }
        let after = open.until.saturating_duration_since(now).max(FIRST);
        Some(Refused { reason: open.reason.clone(), after })
    }

    /// Notes an attempt that `begun` and has not reached the upstream; true where that opens the breaker. `random`, from 0
    /// to 1, spreads the next try.
    pub(super) fn failed(&mut self, begun: Instant, now: Instant, reason: &str, random: f64) -> bool {
        // Another attempt has reached it meanwhile.
        if self.reached.is_some_and(|reached| reached >= begun) {
            return false;
        }
        let failing = *self.failing.get_or_insert(begun);
        if now.saturating_duration_since(failing) < self.patience {
            return false;
        }
        let grown = self.open.as_ref().map_or(FIRST, |open| (open.interval * 2).min(LONGEST));
        let until = now + grown.mul_f64(0.75 + random / 2.0);
        let opens = self.open.is_none();
        self.open = Some(Open { reason: reason.to_owned(), until, interval: grown });
        opens
    }

    /// Notes a sign of life of the upstream; true where that closes the breaker.
    pub(super) fn reached(&mut self, now: Instant) -> bool {
        self.reached = Some(now);
        self.failing = None;
        self.open.take().is_some()
    }
}

/// How long after opening the first try may be, and the shortest wait that a client is told.
const FIRST: Duration = Duration::from_secs(1);

/// The longest interval between tries: an agent that is back is used after that time at the latest.
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(8);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A breaker that has been open since the second moment; its first failure was at the first.
    fn opened() -> (Breaker, Instant, Instant) {
        let (mut breaker, begin) = (Breaker::new(PATIENCE), Instant::now());
        let open = begin + PATIENCE;
        assert!(!breaker.failed(begin, begin, "refused", 0.5));
        assert!(breaker.failed(open, open, "refused", 0.5));
        (breaker, begin, open)
    }

    #[test]
    fn it_opens_once_nobody_has_reached_the_upstream_for_as_long_as_clients_wait() {
        let (mut breaker, begin) = (Breaker::new(PATIENCE), Instant::now());
        for second in 0..8 {
            let now = begin + seconds(second);
            assert!(!breaker.failed(now, now, "refused", 0.5));
            assert_eq!(breaker.refuse(now, false), None);
        }
        let now = begin + PATIENCE;
        assert!(breaker.failed(now, now, "refused", 0.5));
        let refused = Refused { reason: "refused".to_owned(), after: FIRST };
        assert_eq!(breaker.refuse(now, false), Some(refused));
    }

    #[test]
    fn one_request_that_is_not_answered_for_so_long_is_enough() {
        let (mut breaker, begin) = (Breaker::new(PATIENCE), Instant::now());
        assert!(breaker.failed(begin, begin + PATIENCE, "silent", 0.5));
    }

    #[test]
    fn what_another_request_has_reached_meanwhile_is_not_away() {
        let (mut breaker, begin) = (Breaker::new(PATIENCE), Instant::now());
        assert!(!breaker.reached(begin + seconds(1)));
        assert!(!breaker.failed(begin, begin + seconds(60), "silent", 0.5));
        // And failures from before count no more.
        assert!(!breaker.failed(begin + seconds(61), begin + seconds(62), "refused", 0.5));
        assert!(!breaker.reached(begin + seconds(63)));
        assert!(!breaker.failed(begin + seconds(70), begin + seconds(70), "refused", 0.5));
        assert!(!breaker.is_open());
    }

    #[test]
    fn one_request_at_a_time_tries_less_and_less_often_until_one_arrives() {
        let (mut breaker, _, mut now) = opened();
        for interval in [1, 2, 4, 8, 10, 10] {
            let early = now + seconds(interval) - Duration::from_millis(1);
            assert!(breaker.refuse(early, false).is_some(), "{interval}");
            now += seconds(interval);
            assert_eq!(breaker.refuse(now, false), None, "{interval}");
            assert!(breaker.refuse(now, false).is_some(), "another one while that tries");
            assert!(!breaker.failed(now, now, "refused", 0.5), "it is open already");
        }
        now += seconds(10);
        assert_eq!(breaker.refuse(now, false), None);
        assert!(breaker.reached(now));
        assert_eq!(breaker.refuse(now, false), None);
        assert_eq!(breaker.refuse(now, false), None);
    }

    #[test]
    fn a_request_that_tries_and_goes_away_leaves_it_to_another() {
        let (mut breaker, _, open) = opened();
        assert_eq!(breaker.refuse(open + seconds(1), false), None);
        assert!(breaker.refuse(open + seconds(1), false).is_some());
        assert_eq!(breaker.refuse(open + seconds(2), false), None);
    }

    #[test]
    fn nobody_tries_where_every_connection_waits_for_an_answer() {
        let (mut breaker, _, open) = opened();
        assert!(breaker.refuse(open + seconds(60), true).is_some());
        assert_eq!(breaker.refuse(open + seconds(60), false), None);
    }

    #[test]
    fn tries_are_spread() {
        for (random, after) in [(0.0, 750), (1.0, 1_250)] {
            let (mut breaker, begin) = (Breaker::new(PATIENCE), Instant::now());
            let now = begin + PATIENCE;
            assert!(breaker.failed(begin, now, "silent", random));
            let at = |milliseconds| now + Duration::from_millis(milliseconds);
            assert!(breaker.refuse(at(after - 1), false).is_some());
            assert_eq!(breaker.refuse(at(after), false), None);
        }
    }
}
