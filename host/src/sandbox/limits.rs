//! What keeps a guest in bounds: memory, and the clocks that end calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter, UpdateDeadline};

/// How often the epoch advances: the grain of the time limit. A tick costs one atomic addition.
const TICK: Duration = Duration::from_millis(10);

/// Caps an instance's memory and remembers that it met the cap: what follows is a trap, and this tells why.
#[derive(Debug)]
pub(super) struct Memory {
    cap: usize,
    used: usize,
    refused: bool,
}

impl Memory {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, used: 0, refused: false }
    }

    /// Whether the guest was refused memory.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// Bytes of memory that the guest has. It never shrinks.
    pub(super) fn used(&self) -> usize {
        self.used
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

/// A guest's function table; ours has some hundred entries, and none grows.
const MAX_TABLE: usize = 20_000;

/// How long a call may take, in time of the processor: a thread that waits for one, as under a container's CPU limit, is not
/// a guest that is stuck.
#[derive(Debug, Default)]
pub(super) struct Time {
    limit: Duration,
    /// What the thread had used when the call was first looked at.
    begun: Option<Duration>,
}

impl Time {
    /// A call begins. Gives the ticks after which to look at it. Most calls are over by then, and never read the clock.
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

/// Ticks; the current one has begun already.
const FIRST_LOOK: u64 = 2;

/// What this thread has used of a processor.
#[cfg(unix)]
pub(super) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// As near to it as there is.
#[cfg(not(unix))]
pub(super) fn cpu_time() -> Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed()
}

/// The thread that advances an engine's epoch, for as long as this lives.
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
