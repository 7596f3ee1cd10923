//! Notices to the operator in the log, without one fault filling it.

mod recent;

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use podstamp_core::hosting::throttle::Throttle;
use podstamp_core::interface::{Level, Notice};

use crate::sandbox::clock;
use recent::Recent;

pub(crate) use recent::{RecentNotice, name_of_level};

/// Logs notices, of each key one in a while.
#[derive(Debug)]
pub struct Notices {
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    throttle: Throttle,
    recent: Recent,
}

impl Default for Notices {
    fn default() -> Self {
        Self { begun: Instant::now(), state: Mutex::default() }
    }
}

impl Notices {
    /// Logs a notice, unless its key was logged just before.
    pub fn emit(&self, notice: &Notice) {
        self.admit(notice.level, notice.key.clone(), || notice.message.clone());
    }

    /// Logs a notice about a request from `origin`, unless its key was logged just before.
    pub(crate) fn emit_of(&self, notice: &Notice, origin: &impl Display) {
        self.admit(notice.level, notice.key.clone(), || format!("{} ({origin})", notice.message));
    }

    /// Logs a notice in any case, for notices that come once, at start.
    pub fn tell(notice: &Notice) {
        write(notice.level, &notice.key, 0, &notice.message);
    }

    /// Logs a warning, unless `key` was logged just before. The message is only made when it is needed.
    pub fn warn(&self, key: &'static str, message: impl FnOnce() -> String) {
        self.admit(Level::Warning, key.into(), message);
    }

    /// The notices of the last minutes, the latest first.
    pub(crate) fn recent(&self) -> Vec<RecentNotice> {
        self.lock().recent.list(clock::milliseconds())
    }

    fn admit(&self, level: Level, key: Cow<'static, str>, message: impl FnOnce() -> String) {
        let now = clock::milliseconds();
        let mut state = self.lock();
        let Some(suppressed) = state.throttle.admit(key.clone(), self.begun.elapsed()) else {
            return state.recent.note(key, level, None, now);
        };
        // Whoever makes a message may look at what is locked.
        drop(state);
        let message = message();
        self.lock().recent.note(key.clone(), level, Some(&message), now);
        write(level, &key, suppressed, &message);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
