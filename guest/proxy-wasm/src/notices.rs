//! Logging what the operator should see, without letting one fault fill the log.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use podstamp_core::hosting::throttle::Throttle;
use podstamp_core::interface::{Answer, Level, Notice};

use crate::abi::{LogLevel, host};

/// Logs notices, and those with the same key only now and then.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    throttle: RefCell<Throttle>,
}

impl Notices {
    /// Logs a notice, however often its key was logged.
    pub(crate) fn tell(notice: &Notice) {
        write(notice.level, &notice.key, 0, &notice.message);
    }

    /// Logs a notice, unless its key was logged just before.
    pub(crate) fn emit(&self, notice: &Notice) {
        if let Some(suppressed) = self.admit(notice.key.clone()) {
            write(notice.level, &notice.key, suppressed, &notice.message);
        }
    }

    /// Logs the notice of an answer, if it has one.
    pub(crate) fn emit_of(&self, answer: &Answer) {
        if let Some(notice) = &answer.notice {
            self.emit(notice);
        }
    }

    /// Logs the notice of an answer, if it has one, with the `origin` of the request.
    pub(crate) fn emit_with(&self, answer: &Answer, origin: &str) {
        if let Some(notice) = &answer.notice {
            self.emit(&Notice { message: format!("{} ({origin})", notice.message), ..notice.clone() });
        }
    }

    /// Logs a warning, unless `key` was logged just before. The message is only made when it is needed.
    pub(crate) fn warn(&self, key: &'static str, message: impl FnOnce() -> String) {
        if let Some(suppressed) = self.admit(key.into()) {
            write(Level::Warning, key, suppressed, &message());
        }
    }

    fn admit(&self, key: Cow<'static, str>) -> Option<u64> {
        self.throttle.borrow_mut().admit(key, Duration::from_nanos(host::now()))
    }
}

fn write(level: Level, key: &str, suppressed: u64, message: &str) {
    let level = match level {
        Level::Info => LogLevel::Info,
        Level::Warning => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    let others = if suppressed > 0 { format!(" (and {suppressed} more like it)") } else { String::new() };
    host::log(level, &format!("{key}: {message}{others}"));
}
