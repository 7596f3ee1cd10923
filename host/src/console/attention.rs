//! Whether somebody looks at the console.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Console;

/// Who looks at the console, or did a moment ago.
#[derive(Debug)]
pub(super) struct Attention {
    begun: Instant,
    watches: AtomicUsize,
    /// Until when somebody counts as looking who asks now and then, milliseconds since `begun`.
    until: AtomicU64,
}

impl Default for Attention {
    fn default() -> Self {
        Self { begun: Instant::now(), watches: AtomicUsize::new(0), until: AtomicU64::new(0) }
    }
}

impl Attention {
    /// Whether somebody looks.
    pub(super) fn is_there(&self) -> bool {
        self.watches.load(Ordering::Relaxed) > 0 || self.elapsed() < self.until.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }
}

/// Somebody looks at the console until the watch is dropped, and counts as looking for a moment longer: a page asks again, and a
/// connection comes back.
pub(crate) struct Watch {
    console: Arc<Console>,
    attention: fn(&Console) -> &Attention,
}

impl Watch {
    pub(super) fn new(console: Arc<Console>, attention: fn(&Console) -> &Attention) -> Self {
        attention(&console).watches.fetch_add(1, Ordering::Relaxed);
        Self { console, attention }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let attention = (self.attention)(&self.console);
        let until = attention.elapsed() + LINGERS.as_millis() as u64;
        attention.until.fetch_max(until, Ordering::Relaxed);
        attention.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// How long somebody counts as looking after the last request.
const LINGERS: Duration = Duration::from_secs(10);
