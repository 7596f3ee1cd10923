//! Keeping repeated events from filling the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// Lets an event of one key through at most once every ten seconds, and counts the others: often enough to show that a fault
/// goes on, seldom enough to leave the log readable.
#[derive(Debug, Default)]
pub struct Throttle {
    seen: HashMap<Cow<'static, str>, Seen>,
}

#[derive(Debug)]
struct Seen {
    logged: Duration,
    suppressed: u64,
}

impl Throttle {
    /// `Some` where an event is to be logged now, with the number of those that were suppressed since the last one that was
    /// logged. `now` is by any clock that does not go back.
    pub fn admit(&mut self, key: Cow<'static, str>, now: Duration) -> Option<u64> {
        let is_recent = |seen: &Seen| now.saturating_sub(seen.logged) < PERIOD;
        match self.seen.get_mut(&key) {
            Some(seen) if is_recent(seen) => {
                seen.suppressed += 1;
                None
            }
            Some(seen) => {
                let suppressed = seen.suppressed;
                *seen = Seen { logged: now, suppressed: 0 };
                Some(suppressed)
            }
            None => {
                if self.seen.len() >= MAX_KEYS {
                    self.seen.retain(|_, seen| is_recent(seen));
                }
                if self.seen.len() >= MAX_KEYS {
                    return None;
                }
                self.seen.insert(key, Seen { logged: now, suppressed: 0 });
                Some(0)
            }
        }
    }
}

const PERIOD: Duration = Duration::from_secs(10);

/// Keys that are remembered. Real events have some dozens; a guest that makes up more fills neither memory nor the log.
const MAX_KEYS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn repeated_events_pass_once_a_period_with_the_count_of_the_others() {
        let mut throttle = Throttle::default();
        let expected = [(0, Some(0)), (1, None), (9, None), (10, Some(2)), (19, None), (30, Some(1))];
        for (second, passes) in expected {
            assert_eq!(throttle.admit("agent".into(), at(second)), passes, "{second} s");
        }
    }

    #[test]
    fn one_key_does_not_silence_another() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit("agent".into(), at(0)), Some(0));
        assert_eq!(throttle.admit("client".into(), at(0)), Some(0));
    }

    #[test]
    fn made_up_keys_do_not_fill_the_memory() {
        let mut throttle = Throttle::default();
        let admitted =
            (0..10_000).filter(|key| throttle.admit(key.to_string().into(), at(0)).is_some()).count();
        assert_eq!(admitted, MAX_KEYS);
        assert_eq!(throttle.admit("later".into(), at(10)), Some(0));
    }
}
