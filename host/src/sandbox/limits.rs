//! A guest's limits: its memory, and the time of a call.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::ticker::Pace;

/// Caps an instance's memory, and remembers a refusal: the guest traps after it, and this tells why.
#[derive(Debug)]
pub(super) struct Memory {
    cap: usize,
    used: usize,
    /// What the guest had once it was configured.
    idle: usize,
    refused: bool,
}

impl Memory {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, used: 0, idle: 0, refused: false }
    }

    /// Whether the guest was refused memory.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// The guest is configured: calls may take as much again as it was allowed for that.
    pub(super) fn settle(&mut self) {
        self.cap = self.cap.saturating_add(self.used);
        self.idle = self.used;
        self.refused = false;
    }

    /// Bytes of memory that calls have added; they never become fewer.
    pub(super) fn grown(&self) -> usize {
        self.used.saturating_sub(self.idle)
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.cap && maximum.is_none_or(|maximum| desired <= maximum);
        // An allocator that asks for less after a refusal has not met the cap.
        self.refused = !allowed;
        if allowed {
            self.used = desired;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE)
    }
}

/// Entries of a guest's function table. podstamp's own has some hundred, and never grows.
const MAX_TABLE: usize = 20_000;

/// The limit of a call, in CPU time: a thread that waits for a processor, as under a container's CPU limit, is not a guest that
/// is stuck.
#[derive(Debug)]
pub(super) struct Time {
    pace: Arc<Pace>,
    limit: Duration,
    /// The thread's CPU time when the call was first looked at.
    begun: Option<Duration>,
}

impl Time {
    /// The time of calls in an engine whose epoch advances at this pace.
    pub(super) fn new(pace: Arc<Pace>) -> Self {
        Self { pace, limit: Duration::ZERO, begun: None }
    }

    /// Begins a call, and returns the ticks after which to look at it. Most calls are over by then and never read the clock.
    pub(super) fn begin(&mut self, limit: Duration) -> u64 {
        (self.limit, self.begun) = (limit, None);
        self.pace.ask();
        FIRST_LOOK
    }

    /// Ends the call, or says when to look again.
    pub(super) fn look(&mut self) -> UpdateDeadline {
        let now = cpu_time();
        let used = now.saturating_sub(*self.begun.get_or_insert(now));
        let left = self.limit.saturating_sub(used);
        if left.is_zero() {
            return UpdateDeadline::Interrupt;
        }
        self.pace.ask();
        UpdateDeadline::Continue(self.pace.ticks(left))
    }
}

/// Ticks until a call is first looked at: two, since the current one has begun already.
const FIRST_LOOK: u64 = 2;

/// The CPU time of this thread.
#[cfg(unix)]
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The time since the first call, in place of CPU time, which only Unix tells.
#[cfg(not(unix))]
pub(crate) fn cpu_time() -> Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed()
}
