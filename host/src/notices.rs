//! Logging what the operator should see, without letting one fault fill the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use podstamp_core::exchange::{Level, Notice};

/// Logs notices, those of one key at most once a period.
#[derive(Debug)]
pub struct Notices {
    limit: RateLimited,
}

impl Default for Notices {
    fn default() -> Self {
        Self { limit: RateLimited::new(PERIOD) }
    }
}

impl Notices {
    /// Logs a notice, unless its key was logged within the period.
    pub fn emit(&self, notice: &Notice) {
        if let Some(suppressed) = self.limit.admit(notice.key.clone()) {
            write(notice.level, &notice.key, suppressed, &notice.message);
        }
    }

    /// Logs a notice in any case: for those that come once, as at start.
    pub fn tell(notice: &Notice) {
        write(notice.level, &notice.key, 0, &notice.message);
    }

    /// Logs a warning, unless `key` was logged within the period. The message is only made when it is needed.
    pub fn warn(&self, key: &'static str, message: impl FnOnce() -> String) {
        if let Some(suppressed) = self.limit.admit(Cow::Borrowed(key)) {
            write(Level::Warning, key, suppressed, &message());
        }
    }
}

/// Lets an event of one key through at most once a period, and counts the others.
#[derive(Debug)]
pub struct RateLimited {
    period: Duration,
    seen: Mutex<HashMap<Cow<'static, str>, Seen>>,
}

impl RateLimited {
    /// Nothing seen yet.
    pub fn new(period: Duration) -> Self {
        Self { period, seen: Mutex::default() }
    }

    /// Whether to log an event now: if so, how many were suppressed since the last one that was logged.
    pub fn admit(&self, key: impl Into<Cow<'static, str>>) -> Option<u64> {
        self.admit_at(key.into(), Instant::now())
    }

    fn admit_at(&self, key: Cow<'static, str>, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(&key) {
            None => {
                if seen.len() >= MAX_KEYS {
                    seen.retain(|_, entry| now.duration_since(entry.logged) < self.period);
                }
                if seen.len() >= MAX_KEYS {
                    return None;
                }
                seen.insert(key, Seen { logged: now, suppressed: 0 });
                Some(0)
            }
            Some(entry) if now.duration_since(entry.logged) >= self.period => {
                let suppressed = entry.suppressed;
                *entry = Seen { logged: now, suppressed: 0 };
                Some(suppressed)
            }
            Some(entry) => {
                entry.suppressed += 1;
                None
            }
        }
    }
}

#[derive(Debug)]
struct Seen {
    logged: Instant,
    suppressed: u64,
}

fn write(level: Level, key: &str, suppressed: u64, message: &str) {
    // Most are the first of their kind: a zero on each line would be noise.
    let suppressed = (suppressed > 0).then_some(suppressed);
    match level {
        Level::Info => tracing::info!(key, suppressed, "{message}"),
        Level::Warning => tracing::warn!(key, suppressed, "{message}"),
        Level::Error => tracing::error!(key, suppressed, "{message}"),
    }
}

/// Often enough to show that a fault goes on, seldom enough to leave the log readable.
const PERIOD: Duration = Duration::from_secs(10);

/// There are some dozens of kinds. A guest that makes up more fills neither memory nor the log.
const MAX_KEYS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_events_pass_once_a_period_with_the_count_of_the_others() {
        let limit = RateLimited::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.admit_at("agent".into(), at(0)), Some(0));
        assert_eq!(limit.admit_at("agent".into(), at(1)), None);
        assert_eq!(limit.admit_at("agent".into(), at(9)), None);
        assert_eq!(limit.admit_at("agent".into(), at(10)), Some(2));
        assert_eq!(limit.admit_at("agent".into(), at(19)), None);
        assert_eq!(limit.admit_at("agent".into(), at(30)), Some(1));
    }

    #[test]
    fn one_key_does_not_silence_another() {
        let limit = RateLimited::new(Duration::from_secs(10));
        assert_eq!(limit.admit("agent"), Some(0));
        assert_eq!(limit.admit("client"), Some(0));
    }

    #[test]
    fn made_up_keys_do_not_fill_the_memory() {
        let limit = RateLimited::new(Duration::from_secs(10));
        let start = Instant::now();
        let admitted =
            (0..10_000).filter(|key| limit.admit_at(key.to_string().into(), start).is_some()).count();
        assert_eq!(admitted, MAX_KEYS);
        assert_eq!(limit.admit_at("later".into(), start + Duration::from_secs(10)), Some(0));
    }
}
