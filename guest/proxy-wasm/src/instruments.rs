//! How a root tells the proxy of its work: metrics, the log, and the ticks on which it does so.

use std::cell::Cell;

use crate::abi::host;
use crate::metrics::Metrics;
use crate::notices::Notices;

/// The instruments of a root, which its streams share.
pub(crate) struct Instruments {
    metrics: Metrics,
    notices: Notices,
    ticker: Ticker,
}

impl Instruments {
    /// Defines the metrics in the host.
    pub(crate) fn define() -> Self {
        Self { metrics: Metrics::define(), notices: Notices::default(), ticker: Ticker::default() }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    /// Something was counted: the host is told soon.
    pub(crate) fn counted(&self) {
        self.ticker.within(FLUSH);
    }
}

impl Drop for Instruments {
    fn drop(&mut self) {
        self.metrics.flush();
    }
}

/// How often the host calls the root with a tick.
#[derive(Default)]
pub(crate) struct Ticker {
    /// Milliseconds; 0: not at all.
    period: Cell<u32>,
}

impl Ticker {
    /// Has the root called every so many milliseconds; 0: no longer.
    pub(crate) fn every(&self, period: u32) {
        if self.period.replace(period) != period {
            host::tick_every(period);
        }
    }

    /// Has the root called within so many milliseconds.
    pub(crate) fn within(&self, period: u32) {
        if !(1..=period).contains(&self.period.get()) {
            self.every(period);
        }
    }
}

/// Milliseconds between ticks while a copy waits, or the rest of a pod table.
pub(crate) const TICK: u32 = 10;

/// Milliseconds until the host is told what was counted.
pub(crate) const FLUSH: u32 = 100;
