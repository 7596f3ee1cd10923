//! Metrics, under the same names as in the host.
//!
//! A metric of the ABI has no labels. They go into its name, `podstamp_spans_total.outcome.accepted`, from where Envoy's
//! `stats_tags` take them out again; without those, Prometheus shows `podstamp_spans_total_outcome_accepted`. Histograms take
//! whole numbers, so that times are microseconds, and only every sixteenth request is timed: Envoy itself times them all.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use podstamp_core::hosting::labels::{Attempted, Copied, Fate, Found, Label, Reason, Repair};
use podstamp_core::interface::Report;

use crate::abi::{MetricKind, host};

/// All metrics of a root. A host has one value for each in the whole process.
pub(crate) struct Metrics {
    /// By their status. There are few that occur.
    requests: RefCell<Vec<((Fate, u16), Counter)>>,
    refused: Counters<Reason>,
    resources: Counters<Fate>,
    spans: Counters<Fate>,
    received: Counter,
    decoded: Counter,
    sent: Counter,
    attempts: Counters<Attempted>,
    addresses: Counters<Found>,
    repairs: Counters<Repair>,
    copied: Counters<Copied>,
    not_copied: Counter,
    pods: Metric,
    pods_bytes: Metric,
    pods_failures: Counter,
    request_duration: Metric,
    filter_duration: Metric,
    upstream_duration: Metric,
    /// Whether anything was counted that the host has not been told.
    is_dirty: Cell<bool>,
    /// How many requests have begun.
    begun: Cell<u32>,
}

impl Metrics {
    pub(crate) fn define() -> Self {
        let gauge = |name| Metric::define(MetricKind::Gauge, name);
        let histogram = |name| Metric::define(MetricKind::Histogram, name);
        Self {
            requests: RefCell::default(),
            refused: Counters::define("podstamp_refused_requests_total"),
            resources: Counters::define("podstamp_resources_total"),
            spans: Counters::define("podstamp_spans_total"),
            received: Counter::define("podstamp_received_bytes_total"),
            decoded: Counter::define("podstamp_decoded_bytes_total"),
            sent: Counter::define("podstamp_sent_bytes_total"),
            attempts: Counters::define("podstamp_upstream_attempts_total"),
            addresses: Counters::define("podstamp_addresses_total"),
            repairs: Counters::define("podstamp_guard_repairs_total"),
            copied: Counters::define("podstamp_copied_spans_total"),
            not_copied: Counter::define("podstamp_not_copied_requests_total"),
            pods: gauge("podstamp_pods"),
            pods_bytes: gauge("podstamp_pods_bytes"),
            pods_failures: Counter::define("podstamp_pods_failures_total"),
            request_duration: histogram("podstamp_request_duration_microseconds"),
            filter_duration: histogram("podstamp_filter_duration_microseconds"),
            upstream_duration: histogram("podstamp_upstream_duration_microseconds"),
            is_dirty: Cell::default(),
            begun: Cell::default(),
        }
    }

    /// A body came in.
    pub(crate) fn received(&self, wire: usize, decoded: usize) {
        self.is_dirty.set(true);
        self.received.add(wire as u64);
        self.decoded.add(decoded as u64);
    }

    /// The time, nanoseconds, for a request that is timed.
    ///
    /// One in some is timed: each look at the clock and each time told costs about as much as checking five kilobytes of spans.
    pub(crate) fn begin(&self) -> Option<u64> {
        let number = self.begun.get();
        self.begun.set(number.wrapping_add(1));
        number.is_multiple_of(TIMED_EVERY).then(host::now)
    }

    /// The filter was called, and has reported on a request.
    pub(crate) fn met(&self, report: &Report, took: Option<u64>) {
        self.filter_duration.observe(took);
        report.found().into_iter().for_each(|(found, count)| self.addresses.add(found, count.into()));
        report.repairs().into_iter().for_each(|(repair, count)| self.repairs.add(repair, count.into()));
    }

    /// Texts of a batch that the upstream could not decode were mended.
    pub(crate) fn mended(&self, texts: u32) {
        self.is_dirty.set(true);
        self.repairs.add(Repair::TextMended, texts.into());
    }

    /// Bytes go upstream.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.add(bytes as u64);
    }

    /// An attempt to send ended.
    pub(crate) fn attempted(&self, attempted: Attempted, took: Option<u64>) {
        self.is_dirty.set(true);
        self.attempts.add(attempted, 1);
        self.upstream_duration.observe(took);
    }

    /// What became of a request's resources and spans.
    pub(crate) fn ended(&self, fate: Fate, report: &Report) {
        self.resources.add(fate, report.resources.into());
        self.spans.add(fate, report.spans.into());
    }

    /// A request was answered with `status`.
    pub(crate) fn answered(&self, status: u16, took: Option<u64>) {
        self.request_duration.observe(took);
        self.request(Fate::of(status), status);
    }

    /// A request was not taken.
    pub(crate) fn refused(&self, reason: Reason) {
        self.is_dirty.set(true);
        self.refused.add(reason, 1);
    }

    /// The client went away before it had its answer.
    pub(crate) fn cancelled(&self) {
        self.request(Fate::Cancelled, 0);
    }

    /// What became of so many copied spans.
    pub(crate) fn copied(&self, copied: Copied, spans: u32) {
        self.is_dirty.set(true);
        self.copied.add(copied, spans.into());
    }

    /// A request was not copied, so that nobody knows how many spans it had.
    pub(crate) fn copy_not_taken(&self) {
        self.is_dirty.set(true);
        self.not_copied.add(1);
    }

    /// There is a table of so many pods, which takes so many bytes.
    pub(crate) fn pods(&self, pods: usize, bytes: usize) {
        self.pods.set(pods as u64);
        self.pods_bytes.set(bytes as u64);
    }

    /// No pod table could be had.
    pub(crate) fn no_pods(&self) {
        self.is_dirty.set(true);
        self.pods_failures.add(1);
    }

    /// Whether there is anything to flush.
    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty.get()
    }

    /// Tells the host what was counted. Not with each request: the calls would cost more than what they count.
    pub(crate) fn flush(&self) {
        if !self.is_dirty.take() {
            return;
        }
        let plain = [&self.received, &self.decoded, &self.sent, &self.not_copied, &self.pods_failures];
        plain.into_iter().for_each(Counter::flush);
        self.refused.flush();
        self.resources.flush();
        self.spans.flush();
        self.attempts.flush();
        self.addresses.flush();
        self.repairs.flush();
        self.copied.flush();
        self.requests.borrow().iter().for_each(|(_, counter)| counter.flush());
    }

    fn request(&self, fate: Fate, status: u16) {
        self.is_dirty.set(true);
        let mut requests = self.requests.borrow_mut();
        if let Some((_, known)) = requests.iter().find(|(known, _)| *known == (fate, status)) {
            return known.add(1);
        }
        let outcome = fate.name();
        let code = if status == 0 { String::new() } else { format!(".code.{status}") };
        let counter = Counter::define(&format!("podstamp_requests_total.outcome.{outcome}{code}"));
        counter.add(1);
        requests.push(((fate, status), counter));
    }
}

/// Nanoseconds between two looks at the clock, where there were both.
pub(crate) fn elapsed(now: Option<u64>, then: Option<u64>) -> Option<u64> {
    now.zip(then).map(|(now, then)| now.saturating_sub(then))
}

/// A counter, which keeps its count until the host is told.
struct Counter {
    metric: Metric,
    count: Cell<u64>,
}

impl Counter {
    fn define(name: &str) -> Self {
        Self { metric: Metric::define(MetricKind::Counter, name), count: Cell::default() }
    }

    fn add(&self, count: u64) {
        self.count.set(self.count.get() + count);
    }

    fn flush(&self) {
        self.metric.add(self.count.take());
    }
}

/// A metric of the host; `None` where the host refused to define it.
#[derive(Clone, Copy)]
struct Metric(Option<u32>);

impl Metric {
    fn define(kind: MetricKind, name: &str) -> Self {
        Self(host::define_metric(kind, name).ok())
    }

    fn add(self, count: u64) {
        if let (Some(id), Ok(count @ 1..)) = (self.0, i64::try_from(count)) {
            host::increment_metric(id, count);
        }
    }

    fn set(self, value: u64) {
        if let Some(id) = self.0 {
            host::record_metric(id, value);
        }
    }

    /// `nanoseconds`, into a histogram of microseconds.
    fn observe(self, nanoseconds: Option<u64>) {
        if let Some(nanoseconds) = nanoseconds {
            self.set(nanoseconds / 1000);
        }
    }
}

/// One counter for each value of a label.
struct Counters<L> {
    cells: Vec<Counter>,
    label: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    fn define(name: &str) -> Self {
        let cell = |value: &&str| Counter::define(&format!("{name}.{}.{value}", L::KEY));
        Self { cells: L::NAMES.iter().map(cell).collect(), label: PhantomData }
    }

    fn add(&self, label: L, count: u64) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.add(count);
        }
    }

    fn flush(&self) {
        self.cells.iter().for_each(Counter::flush);
    }
}

/// One in so many requests is timed.
const TIMED_EVERY: u32 = 16;
