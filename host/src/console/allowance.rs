//! How much of the processor the console may take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Processor time for examining requests: a share of the time that passes, saved up for a moment at most.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Nanoseconds that may be taken; below 0 where the last examination took more than there was.
    credit: i64,
    at: Instant,
    examined: u64,
}

/// How rich an allowance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Credit {
    /// Nothing may be examined now.
    None,
    /// What has to be examined may be.
    Some,
    /// Anything may be examined: requests are few.
    Plenty,
}

impl Default for Allowance {
    fn default() -> Self {
        let most = share(false).most();
        Self(Arc::new(Mutex::new(State { credit: most, at: Instant::now(), examined: 0 })))
    }
}

impl Allowance {
    /// What may be taken now.
    pub(super) fn credit(&self, now: Instant, looking: bool) -> Credit {
        let share = share(looking);
        let mut state = self.lock();
        let passed = now.saturating_duration_since(state.at).as_nanos() as i64;
        state.at = state.at.max(now);
        let earned = passed / 1_000 * share.per_mille;
        // What was saved while somebody looked may still be used.
        state.credit = state.credit.saturating_add(earned).min(share.most().max(state.credit));
        match state.credit {
            ..=0 => Credit::None,
            credit if credit * 2 < share.most() => Credit::Some,
            _ => Credit::Plenty,
        }
    }

    /// Takes what an examination took of the processor, whether or not it came to anything.
    pub(super) fn charge(&self, taken: Duration, examined: bool) {
        let mut state = self.lock();
        state.credit = state.credit.saturating_sub(taken.as_nanos() as i64);
        state.examined += u64::from(examined);
    }

    /// How many requests were examined.
    pub(super) fn examined(&self) -> u64 {
        self.lock().examined
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A share of the time that passes.
#[derive(Clone, Copy, Debug)]
struct Share {
    per_mille: i64,
    /// How long it may be saved up for.
    saved: Duration,
}

impl Share {
    /// The most nanoseconds that are saved up.
    fn most(self) -> i64 {
        self.saved.as_nanos() as i64 / 1_000 * self.per_mille
    }
}

/// Half a per cent of one processor while nobody looks, so that with what picking costs it stays below one; a tenth while
/// somebody does.
fn share(looking: bool) -> Share {
    if looking {
        Share { per_mille: 100, saved: Duration::from_secs(3) }
    } else {
        Share { per_mille: 5, saved: Duration::from_secs(10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_share_of_the_time_is_taken_and_more_while_somebody_looks() {
        for (looking, per_mille) in [(false, 5), (true, 100)] {
            let allowance = Allowance::default();
            let begun = Instant::now();
            let mut taken = Duration::ZERO;
            for millisecond in 0..100_000 {
                let now = begun + Duration::from_millis(millisecond);
                if allowance.credit(now, looking) > Credit::None {
                    taken += Duration::from_millis(3);
                    allowance.charge(Duration::from_millis(3), true);
                }
            }
            let share = taken.as_millis() * 1_000 / 100_000;
            assert!((per_mille - 1..=per_mille + 4).contains(&share), "{share} per mille");
            assert_eq!(u128::from(allowance.examined()), taken.as_millis() / 3);
        }
    }

    #[test]
    fn where_requests_are_few_there_is_plenty_and_an_expensive_one_is_paid_back() {
        let (allowance, begun) = (Allowance::default(), Instant::now());
        assert_eq!(allowance.credit(begun, false), Credit::Plenty);
        allowance.charge(Duration::from_millis(40), true);
        assert_eq!(allowance.credit(begun, false), Credit::Some);
        allowance.charge(Duration::from_secs(1), false);
        assert_eq!(allowance.credit(begun + Duration::from_secs(100), false), Credit::None);
        assert_eq!(allowance.credit(begun + Duration::from_secs(250), false), Credit::Plenty);
    }
}
