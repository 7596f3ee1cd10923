//! How long to wait after a failure: longer each time, and not all clients of a central podstamp at the same moment.

use std::time::Duration;

/// Waits between attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Begins anew, after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt. `asked`: the least that the other side asked for. `random`: from 0 to 1.
    pub(super) fn next(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        let grown = FIRST.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        let wait = grown.min(LONGEST).max(asked.unwrap_or_default().min(LONGEST));
        wait.mul_f64(0.5 + random.clamp(0.0, 1.0))
    }
}

/// A central podstamp that restarts is back within a second or two.
const FIRST: Duration = Duration::from_secs(1);

/// The pods that are known grow old meanwhile.
const LONGEST: Duration = Duration::from_secs(30);

const MAX_DOUBLINGS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        let mut seconds = || backoff.next(None, 0.5).as_secs();
        assert_eq!([(); 7].map(|()| seconds()), [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next(None, 0.5), FIRST);
    }

    #[test]
    fn clients_come_at_different_times_and_not_before_they_are_asked_to() {
        let wait = |asked, random| Backoff::default().next(asked, random);
        assert_eq!((wait(None, 0.0), wait(None, 1.0)), (FIRST / 2, FIRST * 3 / 2));
        assert_eq!(wait(Some(Duration::from_secs(10)), 0.5), Duration::from_secs(10));
        assert_eq!(wait(Some(Duration::from_secs(3600)), 0.5), LONGEST);
    }
}
