//! How long to wait before a source of pods is asked again: longer each time, and not all who lost the same source at the same
//! moment.

use std::time::Duration;

/// Waits between attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits of which the first takes some `first`.
    pub(super) fn from(first: Duration) -> Self {
        Self { first, failures: 0 }
    }

    /// Begins anew, after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt: between half and one and a half of what it would be without spreading. `asked`: the
    /// least that the other side asked for. `random`: from 0 to 1.
    pub(super) fn next(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        let grown = self.first.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        let wait = grown.min(LONGEST).max(asked.unwrap_or_default().min(LONGEST));
        wait.mul_f64(0.5 + random.clamp(0.0, 1.0))
    }
}

/// As in client-go. The pods that are known grow old meanwhile.
const LONGEST: Duration = Duration::from_secs(30);

/// Enough to grow from a millisecond to the longest wait.
const MAX_DOUBLINGS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_up_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::from(FIRST);
        let mut seconds = || backoff.next(None, 0.5).as_secs();
        assert_eq!([(); 7].map(|()| seconds()), [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next(None, 0.5), FIRST);
    }

    #[test]
    fn waits_for_the_api_server_grow_up_to_a_limit_and_are_spread() {
        let mut backoff = Backoff::from(Duration::from_millis(800));
        for expected in [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let wait = backoff.next(None, fastrand::f64()).as_millis() as f64 / f64::from(expected);
            assert!((0.49..1.5).contains(&wait), "{wait} of {expected} ms");
        }
        backoff.reset();
        assert!(backoff.next(None, fastrand::f64()) < Duration::from_millis(1_200));
        let waits: std::collections::BTreeSet<_> =
            (0..16).map(|_| Backoff::from(FIRST).next(None, fastrand::f64())).collect();
        assert!(waits.len() > 8, "{waits:?}");
    }

    #[test]
    fn clients_come_at_different_times_and_not_before_they_are_asked_to() {
        let wait = |asked, random| Backoff::from(FIRST).next(asked, random);
        assert_eq!((wait(None, 0.0), wait(None, 1.0)), (FIRST / 2, FIRST * 3 / 2));
        assert_eq!(wait(Some(Duration::from_secs(10)), 0.5), Duration::from_secs(10));
        assert_eq!(wait(Some(Duration::from_secs(3600)), 0.5), LONGEST);
    }
}
