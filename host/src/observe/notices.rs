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
        self.lock().recent.list(now())
    }

    fn admit(&self, level: Level, key: Cow<'static, str>, message: impl FnOnce() -> String) {
        let admitted = self.lock().throttle.admit(key.clone(), self.begun.elapsed());
        // Whoever makes a message may look at what is locked.
        let message = admitted.map(|_| message());
        self.lock().recent.note(key.clone(), level, message.as_deref(), now());
        if let (Some(suppressed), Some(message)) = (admitted, message) {
            write(level, &key, suppressed, &message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unix milliseconds.
fn now() -> u64 {
    clock::now().unwrap_or_default() / 1_000_000
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
