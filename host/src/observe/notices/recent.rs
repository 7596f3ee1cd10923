//! The notices of the last minutes, for people who look when the log has gone by.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use podstamp_core::interface::Level;
use serde::Serialize;

use crate::shortened::shortened;

/// The latest notices, one of each key, within bounds of number and size.
#[derive(Debug, Default)]
pub(super) struct Recent {
    notices: HashMap<Cow<'static, str>, RecentNotice>,
}

/// A notice of the last minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RecentNotice {
    /// The stable name of the kind of notice.
    pub(crate) key: Cow<'static, str>,
    /// `info`, `warning` or `error`.
    pub(crate) level: &'static str,
    /// What is wrong, where, and what to do: as the log had it last.
    pub(crate) message: String,
    /// How often it came.
    pub(crate) count: u64,
    /// When it came first and last, Unix milliseconds.
    pub(crate) first_ms: u64,
    pub(crate) last_ms: u64,
}

impl Recent {
    /// Notes that a notice came `now`, in Unix milliseconds. `message` is `None` where the log does not have it again.
    pub(super) fn note(&mut self, key: Cow<'static, str>, level: Level, message: Option<&str>, now: u64) {
        let shortest = |message: &str| {
            let (start, rest) = shortened(message, LONGEST);
            format!("{start}{rest}")
        };
        if let Some(notice) = self.notices.get_mut(&key) {
            if is_old(notice, now) {
                (notice.count, notice.first_ms) = (0, now);
            }
            notice.count += 1;
            notice.last_ms = now;
            if let Some(message) = message {
                (notice.level, notice.message) = (name_of_level(level), shortest(message));
            }
            return;
        }
        // Of one that the log never had there is nothing to show.
        let Some(message) = message else { return };
        if self.notices.len() >= MOST {
            self.forget_oldest();
        }
        let message = shortest(message);
        let notice = RecentNotice {
            key: key.clone(),
            level: name_of_level(level),
            message,
            count: 1,
            first_ms: now,
            last_ms: now,
        };
        self.notices.insert(key, notice);
    }

    /// Those of the last ten minutes, the latest first.
    pub(super) fn list(&self, now: u64) -> Vec<RecentNotice> {
        let mut notices: Vec<_> =
            self.notices.values().filter(|notice| !is_old(notice, now)).cloned().collect();
        notices.sort_by(|one, other| (other.last_ms, &one.key).cmp(&(one.last_ms, &other.key)));
        notices
    }

    fn forget_oldest(&mut self) {
        let oldest =
            self.notices.values().min_by_key(|notice| notice.last_ms).map(|notice| notice.key.clone());
        if let Some(key) = oldest {
            self.notices.remove(&key);
        }
    }
}

fn is_old(notice: &RecentNotice, now: u64) -> bool {
    now.saturating_sub(notice.last_ms) > KEPT.as_millis() as u64
}

pub(crate) fn name_of_level(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// What is wrong now came within that time.
const KEPT: Duration = Duration::from_secs(600);

/// Real notices have some dozens of keys.
const MOST: usize = 64;

/// Bytes of a message: with [`MOST`], a hundred kilobytes at most.
const LONGEST: usize = 1_500;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(recent: &Recent, now: u64) -> Vec<(String, u64, u64, u64)> {
        let list = recent.list(now).into_iter();
        list.map(|notice| (notice.key.into_owned(), notice.count, notice.first_ms, notice.last_ms)).collect()
    }

    #[test]
    fn a_notice_is_counted_and_keeps_the_text_that_the_log_had_last() {
        let mut recent = Recent::default();
        recent.note("a".into(), Level::Warning, Some("first"), 1_000);
        recent.note("a".into(), Level::Warning, None, 2_000);
        recent.note("b".into(), Level::Info, Some("other"), 2_500);
        recent.note("a".into(), Level::Error, Some("second"), 3_000);
        recent.note("never".into(), Level::Error, None, 3_000);
        assert_eq!(told(&recent, 3_000), [("a".into(), 3, 1_000, 3_000), ("b".into(), 1, 2_500, 2_500)]);
        let latest = recent.list(3_000).remove(0);
        assert_eq!((latest.level, latest.message.as_str()), ("error", "second"));
    }

    #[test]
    fn what_is_older_than_ten_minutes_is_not_shown_and_counts_anew() {
        let mut recent = Recent::default();
        recent.note("a".into(), Level::Info, Some("text"), 0);
        assert_eq!(recent.list(600_000).len(), 1);
        assert!(recent.list(600_001).is_empty());
        recent.note("a".into(), Level::Info, None, 700_000);
        assert_eq!(told(&recent, 700_000), [("a".into(), 1, 700_000, 700_000)]);
    }

    #[test]
    fn made_up_keys_and_long_texts_do_not_fill_the_memory() {
        let mut recent = Recent::default();
        for number in 0..10_000_u64 {
            recent.note(number.to_string().into(), Level::Info, Some(&"ü".repeat(10_000)), number);
        }
        let list = recent.list(10_000);
        assert_eq!((list.len(), list[0].key.as_ref()), (MOST, "9999"));
        assert!(list.iter().all(|notice| notice.message.len() <= LONGEST + 3));
    }
}
