//! The `memory_limiter`: refuses requests while the process takes too much memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use podstamp_core::interface::{Level, Notice};

use super::admission::Admission;
use crate::memory::Memory;
use crate::observe::{Metrics, Notices};
use crate::settings::MemoryLimiter;

/// Whether memory is over its limit, as it was looked at last.
#[derive(Debug)]
pub(crate) struct Pressure {
    limiter: MemoryLimiter,
    memory: Memory,
    resident: AtomicU64,
    is_over: AtomicBool,
}

impl Pressure {
    /// Looks at memory once.
    pub(crate) fn new(limiter: &MemoryLimiter, memory: &Memory, metrics: &Metrics) -> Arc<Self> {
        let pressure = Arc::new(Self {
            limiter: limiter.clone(),
            memory: memory.clone(),
            resident: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        pressure.look();
        let shown = Arc::clone(&pressure);
        metrics.watch(
            "memory_bytes",
            "Memory of the process when the memory_limiter last looked",
            move || shown.resident.load(Ordering::Relaxed),
        );
        let refused_from = limiter.refused_from;
        metrics.watch(
            "memory_limit_bytes",
            "Memory of the process from which the memory_limiter refuses requests",
            move || refused_from,
        );
        pressure
    }

    /// Whether requests are refused.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Looks at memory again and again, for ever.
    pub(crate) async fn watch(self: Arc<Self>, admission: Arc<Admission>, notices: Arc<Notices>) {
        let mut was_over = false;
        loop {
            if self.is_over() {
                self.memory.give_back().await;
                self.look();
            }
            let is_over = self.is_over();
            if is_over {
                notices.warn(KEY, || self.describe(&admission));
            } else if was_over {
                let message = format!("{}: memory is below the limit again", self.limiter.path);
                notices.emit(&Notice { level: Level::Info, key: "memory-back".into(), message });
            }
            was_over = is_over;
            tokio::time::sleep(self.limiter.check_interval).await;
            self.look();
        }
    }

    fn look(&self) {
        // Where it is unknown nothing can be refused for it: that is told at start.
        let resident = self.memory.resident().unwrap_or_default();
        self.resident.store(resident, Ordering::Relaxed);
        self.is_over.store(resident > self.limiter.refused_from, Ordering::Relaxed);
    }

    fn describe(&self, admission: &Admission) -> String {
        let MemoryLimiter { path, limit, refused_from, .. } = &self.limiter;
        format!(
            "{path}: the process takes {} MiB, over {} MiB (the limit of {} MiB less its spike), and bodies hold {} MiB of \
             it: requests get 503 until it takes less; raise the limit, or send less at a time",
            self.resident.load(Ordering::Relaxed) >> 20,
            refused_from >> 20,
            limit >> 20,
            admission.bytes() >> 20,
        )
    }
}

const KEY: &str = "memory-limited";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_are_refused_over_the_limit_less_its_spike_and_not_where_memory_is_unknown() {
        let limiter = MemoryLimiter {
            path: "processors.memory_limiter".to_owned(),
            limit: 100,
            refused_from: 80,
            check_interval: Duration::from_secs(1),
        };
        let metrics = Metrics::default();
        for (resident, expected) in [(Some(80), false), (Some(81), true), (None, false)] {
            let memory = Memory::measured_by(move || resident);
            assert_eq!(Pressure::new(&limiter, &memory, &metrics).is_over(), expected, "{resident:?}");
        }
    }
}
