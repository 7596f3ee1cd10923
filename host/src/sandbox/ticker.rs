//! The thread that advances an engine's epoch, by which the time of calls is measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// Advances an engine's epoch until it is dropped, and rests while there are no calls, so that the processor may as well.
pub(super) struct Ticker {
    pace: Arc<Pace>,
    thread: Option<JoinHandle<()>>,
}

/// How often an epoch advances, and whether it does.
#[derive(Debug)]
pub(super) struct Pace {
    tick: Duration,
    /// Whether a call has asked for the epoch since the last tick.
    asked: AtomicBool,
    resting: AtomicBool,
    stopped: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Ticker {
    /// `limit`: how long a call may take.
    pub(super) fn start(engine: &Engine, limit: Duration) -> Self {
        let pace = Arc::new(Pace::new(limit));
        let run = {
            let (engine, pace) = (engine.clone(), Arc::clone(&pace));
            move || pace.run(|| engine.increment_epoch())
        };
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn(run).ok();
        Self { pace, thread }
    }

    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pace.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

impl Pace {
    /// A pace at which a call of `limit` is measured finely enough.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            tick: (limit / TICKS).clamp(SHORTEST, LONGEST),
            asked: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// Has the epoch advance for [`LONGEST_LOOK`] ticks at least.
    pub(super) fn ask(&self) {
        // Most calls find it set, and leave the cache line to all cores.
        if self.asked.load(Ordering::Relaxed) {
            return;
        }
        // Either this sees that the thread rests, or the thread sees what is asked before it does.
        self.asked.store(true, Ordering::SeqCst);
        if self.resting.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Ticks that take as long, or as many as a call may go on for until it [asks](Self::ask) again.
    pub(super) fn ticks(&self, time: Duration) -> u64 {
        let ticks = time.as_nanos().div_ceil(self.tick.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX).min(LONGEST_LOOK)
    }

    fn run(&self, advance: impl Fn()) {
        self.thread.set(std::thread::current()).ok();
        let mut unasked = 0;
        while !self.stopped.load(Ordering::Relaxed) {
            if unasked > 2 * LONGEST_LOOK {
                self.rest();
                unasked = 0;
                continue;
            }
            std::thread::sleep(self.tick);
            advance();
            unasked = if self.asked.swap(false, Ordering::SeqCst) { 0 } else { unasked + 1 };
        }
    }

    /// Waits until a call asks.
    fn rest(&self) {
        self.resting.store(true, Ordering::SeqCst);
        while !self.asked.load(Ordering::SeqCst) && !self.stopped.load(Ordering::Relaxed) {
            std::thread::park();
        }
        self.resting.store(false, Ordering::SeqCst);
    }
}

/// Ticks that the time of a call takes: it is measured to a fortieth.
const TICKS: u32 = 40;

/// A tick wakes a processor.
const SHORTEST: Duration = Duration::from_millis(10);

/// As long as somebody who waits for a call that is stuck may wait in vain.
const LONGEST: Duration = Duration::from_millis(50);

/// Ticks after which a call that still runs is looked at, at the latest.
const LONGEST_LOOK: u64 = 100;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// What each tick sends.
    fn ticking(pace: &Arc<Pace>) -> (Receiver<()>, JoinHandle<()>) {
        let ((tick, ticks), pace) = (channel(), Arc::clone(pace));
        let run = move || pace.run(|| tick.send(()).unwrap());
        (ticks, std::thread::spawn(run))
    }

    #[test]
    fn it_goes_on_while_it_is_asked_and_rests_while_it_is_not_and_goes_on_again() {
        let pace = Arc::new(Pace::new(Duration::ZERO));
        let (ticks, thread) = ticking(&pace);
        for round in 0..2 {
            pace.ask();
            while pace.asked.load(Ordering::SeqCst) || !pace.resting.load(Ordering::SeqCst) {
                std::thread::sleep(SHORTEST);
            }
            let count = ticks.try_iter().count() as u64;
            assert!(count > LONGEST_LOOK, "{count} ticks in round {round}");
        }
        pace.stopped.store(true, Ordering::Relaxed);
        thread.thread().unpark();
        thread.join().unwrap();
        assert_eq!(ticks.iter().count(), 0, "there is nothing to measure any more");
    }

    #[test]
    fn a_call_is_measured_finely_and_looked_at_before_the_thread_would_rest() {
        for (limit, tick) in [(0, 10), (400, 10), (1_000, 25), (2_000, 50), (60_000, 50)] {
            let pace = Pace::new(Duration::from_millis(limit));
            assert_eq!(pace.tick, Duration::from_millis(tick));
            assert_eq!(pace.ticks(Duration::from_millis(1)), 1);
            assert!(pace.ticks(Duration::MAX) <= LONGEST_LOOK);
        }
    }
}
