//! How long to wait before the API server is asked again.

use std::time::Duration;

/// Waits that grow, each of them spread, so that those who lost the same server do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    first: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::from(FIRST)
    }
}

impl Backoff {
    /// Waits of which the first takes some `first`.
    pub(super) fn from(first: Duration) -> Self {
        Self { next: first, first }
    }

    /// Begins anew: the server does again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next wait: between half and one and a half of what it would be without spreading.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(MOST);
        wait.mul_f64(0.5 + fastrand::f64())
    }
}

/// As in client-go.
pub(super) const FIRST: Duration = Duration::from_millis(800);

/// As in client-go.
const MOST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_are_spread() {
        let mut backoff = Backoff::default();
        for expected in [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let wait = backoff.wait().as_millis() as f64 / f64::from(expected);
            assert!((0.49..1.5).contains(&wait), "{wait} of {expected} ms");
        }
        backoff.reset();
        assert!(backoff.wait() < Duration::from_millis(1_200));
        let waits: std::collections::BTreeSet<_> = (0..16).map(|_| Backoff::default().wait()).collect();
        assert!(waits.len() > 8, "{waits:?}");
    }
}
