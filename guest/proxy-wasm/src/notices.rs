//! Logging what the operator should see, without letting one fault fill the log.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use podstamp_core::exchange::{Answer, Level, Notice};

use crate::abi::{LogLevel, host};

/// Logs notices, those of one key at most once a period.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// When each was logged last, nanoseconds, and how many were not since.
    logged: RefCell<HashMap<Cow<'static, str>, (u64, u64)>>,
}

impl Notices {
    /// Logs a notice in any case.
    pub(crate) fn tell(notice: &Notice) {
        let level = match notice.level {
            Level::Info => LogLevel::Info,
            Level::Warning => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        host::log(level, &format!("{}: {}", notice.key, notice.message));
    }

    /// Logs a notice, unless one of its key was logged within the period.
    pub(crate) fn emit(&self, notice: &Notice) {
        let now = host::now();
        let mut logged = self.logged.borrow_mut();
        if let Some((last, left_out)) = logged.get_mut(&notice.key)
            && now.saturating_sub(*last) < PERIOD
        {
            *left_out += 1;
            return;
        }
        // The core has some dozens of keys.
        let left_out = logged.insert(notice.key.clone(), (now, 0)).map_or(0, |(_, left_out)| left_out);
        drop(logged);
        if left_out == 0 {
            return Self::tell(notice);
        }
        let message = format!("{} (and {left_out} more like it)", notice.message);
        Self::tell(&Notice { message, ..notice.clone() });
    }

    /// Logs what an answer has for the operator, if anything.
    pub(crate) fn emit_of(&self, answer: &Answer) {
        if let Some(notice) = &answer.notice {
            self.emit(notice);
        }
    }

    /// Logs a warning, unless one of its key was logged within the period.
    pub(crate) fn warn(&self, key: &'static str, message: String) {
        self.emit(&Notice { level: Level::Warning, key: key.into(), message });
    }
}

/// As in the host: 10 s.
const PERIOD: u64 = 10_000_000_000;
