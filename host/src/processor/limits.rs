//! What keeps a guest in bounds: memory, and the clock that ends calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter};

/// How often the epoch advances: the grain of the time limit. A tick costs one atomic addition.
pub(super) const TICK: Duration = Duration::from_millis(10);

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
