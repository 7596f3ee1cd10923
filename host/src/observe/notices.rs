//! Notices to the operator in the log, without one fault filling it.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use podstamp_core::hosting::throttle::Throttle;
use podstamp_core::interface::{Level, Notice};

/// Logs notices, of each key one in a while.
#[derive(Debug)]
pub struct Notices {
    begun: Instant,
    throttle: Mutex<Throttle>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { begun: Instant::now(), throttle: Mutex::default() }
    }
}

impl Notices {
    /// Logs a notice, unless its key was logged just before.
    pub fn emit(&self, notice: &Notice) {
        if let Some(suppressed) = self.admit(notice.key.clone()) {
            write(notice.level, &notice.key, suppressed, &notice.message);
        }
    }

    /// Logs a notice about a request from `origin`, unless its key was logged just before.
    pub(crate) fn emit_of(&self, notice: &Notice, origin: &impl Display) {
        if let Some(suppressed) = self.admit(notice.key.clone()) {
            write(notice.level, &notice.key, suppressed, &format!("{} ({origin})", notice.message));
        }
    }

    /// Logs a notice in any case, for notices that come once, at start.
    pub fn tell(notice: &Notice) {
        write(notice.level, &notice.key, 0, &notice.message);
    }

    /// Logs a warning, unless `key` was logged just before. The message is only made when it is needed.
    pub fn warn(&self, key: &'static str, message: impl FnOnce() -> String) {
        if let Some(suppressed) = self.admit(key.into()) {
            write(Level::Warning, key, suppressed, &message());
        }
    }

    fn admit(&self, key: Cow<'static, str>) -> Option<u64> {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.admit(key, self.begun.elapsed())
    }
}

fn write(level: Level, key: &str, suppressed: u64, message: &str) {
    // Few notices were suppressed before: a zero on each line would be noise.
    let suppressed = (suppressed > 0).then_some(suppressed);
    match level {
        Level::Info => tracing::info!(key, suppressed, "{message}"),
        Level::Warning => tracing::warn!(key, suppressed, "{message}"),
        Level::Error => tracing::error!(key, suppressed, "{message}"),
    }
}
