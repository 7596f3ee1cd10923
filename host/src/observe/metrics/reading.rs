//! What the console shows of the metrics, read at one moment.

use podstamp_core::hosting::labels::{Label, Queued};
use prometheus_client::encoding::text;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Metrics, REQUEST};

/// The counts of a moment. Two of them make rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Requests, by how they ended.
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// Requests that went into a queue: they are accepted ones too.
    pub(crate) queued: u64,
    /// Spans, whatever became of them.
    pub(crate) spans: u64,
    /// Bytes of bodies as they came in.
    pub(crate) bytes: u64,
    /// Resources, by where their address came from, in the order of [`Found`](podstamp_core::hosting::labels::Found).
    pub(crate) addresses: Vec<u64>,
    /// Requests that took no longer than each bound of [`bounds`], and at last all of them.
    pub(crate) durations: Vec<u64>,
}

impl Reading {
    /// Requests that have ended.
    pub(crate) fn requests(&self) -> u64 {
        self.accepted + self.refused + self.failed + self.cancelled
    }
}

impl Metrics {
    /// Reads what the console shows. Whoever counts meanwhile does not wait.
    pub(crate) fn read(&self) -> Reading {
        Reading {
            accepted: self.accepted.get(),
            refused: self.refused_requests.get(),
            failed: self.failed_requests.get(),
            cancelled: self.cancelled.get(),
            queued: self.queues.count(Queued::Enqueued),
            spans: self.spans.all().sum(),
            bytes: self.received.get(),
            addresses: self.addresses.all().collect(),
            durations: cumulative(&self.request_duration),
        }
    }
}

/// The bounds of the buckets of a request's duration, in seconds.
pub(crate) fn bounds() -> impl Iterator<Item = f64> {
    let (first, count) = REQUEST;
    (0..count).map(move |power| first * 2_f64.powi(power.into()))
}

/// The counts of a histogram's buckets. A histogram shows them as text alone.
fn cumulative(histogram: &Histogram) -> Vec<u64> {
    let mut registry = Registry::default();
    registry.register("h", "-", histogram.clone());
    let mut shown = String::new();
    if text::encode(&mut shown, &registry).is_err() {
        return Vec::new();
    }
    let buckets = shown.lines().filter(|line| line.starts_with("h_bucket{"));
    buckets.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect()
}

/// The names of where addresses come from, in the order of [`Reading::addresses`].
pub(crate) fn sources() -> &'static [&'static str] {
    podstamp_core::hosting::labels::Found::NAMES
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use podstamp_core::interface::{Report, Signal};

    use super::super::{Fate, Queued};
    use super::*;

    #[test]
    fn what_is_read_is_what_was_counted() {
        let metrics = Metrics::default();
        assert_eq!(metrics.read().requests(), 0);
        let milliseconds = |count| Duration::from_millis(count);
        metrics.answered(200, milliseconds(1));
        metrics.answered(200, milliseconds(100));
        metrics.answered(413, milliseconds(1));
        metrics.answered(503, Duration::from_secs(60));
        metrics.cancelled();
        metrics.received(10, 300);
        let report =
            Report { resources: 2, spans: 7, address_pod: 2, address_unknown: 1, ..Report::default() };
        metrics.met(&report);
        metrics.ended(Signal::Traces, Fate::Accepted, &report, 0);
        metrics.ended(Signal::Traces, Fate::Failed, &report, 5);
        metrics.queue_counters(Signal::Traces, "a").add(Queued::Enqueued, 2, 9);
        metrics.queue_counters(Signal::Logs, "b").add(Queued::Enqueued, 1, 9);
        let read = metrics.read();
        assert_eq!((read.accepted, read.refused, read.failed, read.cancelled), (2, 1, 1, 1));
        assert_eq!((read.queued, read.spans, read.bytes), (3, 14, 10));
        assert_eq!(read.addresses, [0, 0, 0, 2, 0, 1, 0]);
        assert_eq!(read.durations.len(), bounds().count() + 1);
        let within = |bound: f64| read.durations[bounds().position(|other| other >= bound).unwrap()];
        assert_eq!((within(0.0005), within(0.001), within(0.128), within(8.0)), (0, 2, 3, 3));
        assert_eq!(read.durations.last(), Some(&4));
        assert_eq!(sources().len(), read.addresses.len());
    }
}
