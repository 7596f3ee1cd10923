//! A guest's limits: its memory, and the time of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter, UpdateDeadline};

/// How often the epoch advances, which is how finely the time of a call is measured. A tick costs one atomic addition.
const TICK: Duration = Duration::from_millis(10);

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
#[derive(Debug, Default)]
pub(super) struct Time {
    limit: Duration,
    /// The thread's CPU time when the call was first looked at.
    begun: Option<Duration>,
}

impl Time {
    /// Begins a call, and returns the ticks after which to look at it. Most calls are over by then and never read the clock.
    pub(super) fn begin(&mut self, limit: Duration) -> u64 {
        *self = Self { limit, begun: None };
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
        let ticks = left.as_nanos().div_ceil(TICK.as_nanos());
        UpdateDeadline::Continue(u64::try_from(ticks).unwrap_or(u64::MAX / 8))
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

/// The thread that advances an engine's epoch until this is dropped.
pub(super) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    engine.increment_epoch();
                }
            })
            .ok();
        Self { stop, thread }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
