//! The metrics of `GET /metrics`; `docs/metrics.md` says what each means.
//!
//! The counters that a request touches are looked up once, at start, so that counting is an atomic addition.

mod counters;
mod gauge;
mod queues;
mod reading;

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use podstamp_core::hosting::labels::{Found, Label, Repair};
use podstamp_core::interface::Report;
use podstamp_core::interface::Signal;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::admin::ShownQueue;
use counters::Counters;
use gauge::{Watched, WatchedBy};
pub(crate) use podstamp_core::hosting::labels::{
    Attempted, Copied, Fate, GuestFailure, Limited, Queued, Reason, Reloaded, Unsent, Unserved,
};
use queues::Queues;
pub(crate) use queues::{QueueCounters, QueueState};
pub(crate) use reading::{Reading, bounds, sources};

/// All metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: RwLock<Registry>,
    requests: Family<RequestLabels, Counter>,
    /// The sums of `requests` for the console, beside `accepted` and `cancelled`. No metric.
    refused_requests: Counter,
    failed_requests: Counter,
    accepted: Counter,
    cancelled: Counter,
    refused: Counters<Reason>,
    signals: Family<SignalLabels, Counter>,
    /// Those of `signals` that there are already, by the numbers of signal and fate.
    of_signals: [[OnceLock<Counter>; 4]; 3],
    unserved: Counters<Unserved>,
    resources: Counters<Fate>,
    spans: Counters<Fate>,
    received: Counter,
    decoded: Counter,
    sent: Counter,
    attempts: Counters<Attempted>,
    retries: Counter,
    merged: Counter,
    unsent: Counters<Unsent>,
    unheard: Counter,
    addresses: Counters<Found>,
    repairs: Counters<Repair>,
    failures: Counters<GuestFailure>,
    limited: Counters<Limited>,
    reloads: Counters<Reloaded>,
    copied: Family<CopyLabels, Counter>,
    copied_requests: Family<CopiedLabels, Counter>,
    queues: Queues,
    request_duration: Histogram,
    filter_duration: Histogram,
    upstream_duration: Histogram,
}

/// `upstream` and `outcome` of `podstamp_copied_spans_total`.
type CopyLabels = [(&'static str, String); 2];

/// `signal`, `upstream` and `outcome` of `podstamp_copied_requests_total`.
type CopiedLabels = [(&'static str, String); 3];

/// `signal` and `outcome` of `podstamp_signal_requests_total`.
type SignalLabels = [(&'static str, &'static str); 2];

/// What became of the copies for one upstream.
#[derive(Clone, Debug)]
pub(crate) struct CopyCounters(Arc<[Counters<Copied>; 2]>);

impl CopyCounters {
    /// Counts a request that ended as `copied`, and so its spans except those that were `delivered`.
    pub(crate) fn add(&self, copied: Copied, spans: u64, delivered: u64) {
        let [of_spans, of_requests] = &*self.0;
        let delivered = delivered.min(spans);
        of_spans.add(Copied::Delivered, delivered);
        of_spans.add(copied, spans - delivered);
        of_requests.add(copied, 1);
    }
}

/// `outcome` and `code` of `podstamp_requests_total`.
type RequestLabels = [(&'static str, String); 2];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("podstamp");
        let registry = &mut registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register(
            "requests",
            "Export requests by how they ended and the status they got",
            requests.clone(),
        );
        let copied = Family::<CopyLabels, Counter>::default();
        registry.register(
            "copied_spans",
            "Spans for further exporters by what became of them",
            copied.clone(),
        );
        let copied_requests = Family::<CopiedLabels, Counter>::default();
        registry.register(
            "copied_requests",
            "Requests for further exporters by their signal and what became of them",
            copied_requests.clone(),
        );
        let signals = Family::<SignalLabels, Counter>::default();
        registry.register(
            "signal_requests",
            "Export requests that the filter took, by their signal and what became of them",
            signals.clone(),
        );
        let accepted =
            requests.get_or_create_owned(&[("outcome", "accepted".into()), ("code", "200".into())]);
        let cancelled =
            requests.get_or_create_owned(&[("outcome", "cancelled".into()), ("code", String::new())]);
        Self {
            accepted,
            cancelled,
            requests,
            refused_requests: Counter::default(),
            failed_requests: Counter::default(),
            refused: Counters::register(
                registry,
                "refused_requests",
                "Export requests that were not taken, by reason",
            ),
            unserved: Counters::register(
                registry,
                "refused_connections",
                "Connections of clients that were closed without being of use, by reason",
            ),
            resources: Counters::register(
                registry,
                "resources",
                "Resources of all signals by what became of them",
            ),
            spans: Counters::register(registry, "spans", "Spans by what became of them"),
            received: bytes(registry, "received", "Bytes of bodies as they came in"),
            decoded: bytes(registry, "decoded", "Bytes of bodies, their content coding undone"),
            sent: bytes(
                registry,
                "sent",
                "Bytes of bodies sent upstream, every attempt counted, copies apart",
            ),
            attempts: Counters::register(
                registry,
                "upstream_attempts",
                "Attempts to send upstream by how they ended",
            ),
            retries: counter(registry, "upstream_retries", "Requests that were sent upstream once more"),
            merged: counter(registry, "upstream_merged", "Requests that went upstream together with others"),
            unsent: Counters::register(
                registry,
                "upstream_unsent",
                "Attempts that were given up before anything was sent, by why",
            ),
            unheard: counter(
                registry,
                "upstream_unheard",
                "Requests that the upstream acknowledged when their clients had gone or been told to come again",
            ),
            addresses: Counters::register(
                registry,
                "addresses",
                "Resources by where their app.host.ip came from",
            ),
            repairs: Counters::register(
                registry,
                "guard_repairs",
                "What the guard kept from the agent, by rule",
            ),
            failures: Counters::register(
                registry,
                "filter_failures",
                "Calls of the filter that gave no answer",
            ),
            limited: Counters::register(
                registry,
                "limited",
                "Requests and connections that ran into a limit, by its key in podstamp.limits",
            ),
            reloads: Counters::register(
                registry,
                "credential_reloads",
                "Changed files with certificates, tokens or passwords by what became of them",
            ),
            copied,
            copied_requests,
            queues: Queues::register(registry),
            signals,
            of_signals: Default::default(),
            request_duration: seconds(
                registry,
                "request_duration",
                "From a request's head to its answer",
                REQUEST,
            ),
            filter_duration: seconds(registry, "filter_duration", "One call of the filter", CALL),
            upstream_duration: seconds(
                registry,
                "upstream_duration",
                "One attempt to send upstream",
                REQUEST,
            ),
            registry: RwLock::new(std::mem::take(registry)),
        }
    }
}

impl Metrics {
    /// Adds a gauge that is read at each scrape. `name` goes without the prefix.
    pub fn watch(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(Watched::gauge(name, help, read)));
    }

    /// Adds a counter that is kept elsewhere and read at each scrape. `name` goes without the prefix and without `_total`.
    pub fn watch_total(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(Watched::counter(name, help, read)));
    }

    /// Adds counters that are kept elsewhere, one for each value of a label, and read at each scrape by the value's index.
    /// `name` goes without the prefix and without `_total`.
    pub(crate) fn watch_totals<L: Label>(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn(usize) -> u64 + Send + Sync + 'static,
    ) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(WatchedBy::<L, _>::new(name, help, read)));
    }

    /// Counters for copies of a signal that go to `upstream`.
    pub(crate) fn copies(&self, signal: Signal, upstream: &str) -> CopyCounters {
        let spans = |outcome: &str| {
            self.copied
                .get_or_create_owned(&[("upstream", upstream.to_owned()), ("outcome", outcome.to_owned())])
        };
        let requests = |outcome: &str| {
            self.copied_requests.get_or_create_owned(&[
                (Signal::KEY, signal.name().to_owned()),
                ("upstream", upstream.to_owned()),
                ("outcome", outcome.to_owned()),
            ])
        };
        CopyCounters(Arc::new([Counters::of(spans), Counters::of(requests)]))
    }

    /// Counters for the queue of a signal towards `upstream`.
    pub(crate) fn queue_counters(&self, signal: Signal, upstream: &str) -> QueueCounters {
        self.queues.counters(signal, upstream)
    }

    /// Shows such a queue at each scrape, as long as it has a state.
    pub(crate) fn watch_queue(
        &self,
        signal: Signal,
        upstream: &str,
        state: impl Fn() -> Option<QueueState> + Send + Sync + 'static,
    ) {
        self.queues.watch(signal, upstream, state);
    }

    /// All queues as they stand.
    pub(crate) fn shown_queues(&self) -> Vec<ShownQueue> {
        self.queues.shown()
    }

    /// All metrics as OpenMetrics text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(out)
    }

    /// A request was answered with `status`.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        self.request_duration.observe(took.as_secs_f64());
        if status == 200 {
            self.accepted.inc();
            return;
        }
        let fate = Fate::of(status);
        if fate == Fate::Failed { &self.failed_requests } else { &self.refused_requests }.inc();
        self.requests.get_or_create(&[("outcome", fate.name().into()), ("code", status.to_string())]).inc();
    }

    /// A request was not taken.
    pub(crate) fn refused(&self, reason: Reason) {
        self.refused.add(reason, 1);
    }

    /// A connection was closed that brought no request.
    pub(crate) fn unserved(&self, unserved: Unserved) {
        self.unserved.add(unserved, 1);
    }

    /// The client went away before it had its answer.
    pub(crate) fn cancelled(&self) {
        self.cancelled.inc();
    }

    /// A body came in.
    pub(crate) fn received(&self, wire: usize, decoded: usize) {
        self.received.inc_by(wire as u64);
        self.decoded.inc_by(decoded as u64);
    }

    /// The filter was called.
    pub(crate) fn called(&self, took: Duration) {
        self.filter_duration.observe(took.as_secs_f64());
    }

    /// The filter gave no answer.
    pub(crate) fn failed(&self, failure: GuestFailure) {
        self.failures.add(failure, 1);
    }

    /// A request or a connection ran into a limit.
    pub(crate) fn limited(&self, limited: Limited) {
        self.limited.add(limited, 1);
    }

    /// A file with certificates, tokens or passwords had changed.
    pub(crate) fn reloaded(&self, reloaded: Reloaded) {
        self.reloads.add(reloaded, 1);
    }

    /// The filter has looked at a request.
    pub(crate) fn met(&self, report: &Report) {
        report.found().into_iter().for_each(|(found, count)| self.addresses.add(found, count.into()));
        report.repairs().into_iter().for_each(|(repair, count)| self.repairs.add(repair, count.into()));
    }

    /// A request that the filter took has ended. `delivered`: spans that were acknowledged, whatever became of the others.
    pub(crate) fn ended(&self, signal: Signal, fate: Fate, report: &Report, delivered: u32) {
        let labels = [(Signal::KEY, signal.name()), (Fate::KEY, fate.name())];
        let looked_up = || self.signals.get_or_create_owned(&labels);
        match self.of_signals.get(signal as usize).and_then(|fates| fates.get(fate.index())) {
            Some(known) => known.get_or_init(looked_up).inc(),
            None => looked_up().inc(),
        };
        self.resources.add(fate, report.resources.into());
        let delivered = delivered.min(report.spans);
        self.spans.add(Fate::Accepted, delivered.into());
        self.spans.add(fate, (report.spans - delivered).into());
    }

    /// An attempt to send upstream ended.
    pub(crate) fn attempted(&self, attempted: Attempted, took: Duration) {
        self.attempts.add(attempted, 1);
        self.upstream_duration.observe(took.as_secs_f64());
    }

    /// A request is sent once more.
    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    /// That many requests of clients went upstream as one.
    pub(crate) fn merged(&self, requests: usize) {
        if requests > 1 {
            self.merged.inc_by(requests as u64);
        }
    }

    /// A request was not sent.
    pub(crate) fn unsent(&self, why: Unsent) {
        self.unsent.add(why, 1);
    }

    /// That many requests were acknowledged after their clients had gone.
    pub(crate) fn unheard(&self, requests: usize) {
        self.unheard.inc_by(requests as u64);
    }

    /// Bytes were handed to the connection upstream.
    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn bytes(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
    counter
}

fn seconds(registry: &mut Registry, name: &str, help: &str, (first, count): (f64, u16)) -> Histogram {
    let histogram = Histogram::new(exponential_buckets(first, 2.0, count));
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

/// Buckets for requests: 0.25 ms to 8.2 s, doubling.
const REQUEST: (f64, u16) = (0.000_25, 16);

/// Buckets for calls: from 4 microseconds, an empty call, to 0.26 s, a body of the largest size.
const CALL: (f64, u16) = (0.000_004, 17);

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.encode().unwrap().lines().any(|shown| shown == line)
    }

    #[test]
    fn counts_are_shown_under_their_prefix_and_unit() {
        let metrics = Metrics::default();
        metrics.answered(200, Duration::from_millis(1));
        metrics.answered(413, Duration::from_millis(1));
        metrics.received(10, 300);
        metrics.failed(GuestFailure::MemoryLimit);
        let report = Report { resources: 2, spans: 7, address_pod: 2, kinds_cleared: 1, ..Report::default() };
        metrics.met(&report);
        metrics.ended(Signal::Traces, Fate::Accepted, &report, 0);
        metrics.attempted(Attempted::NotConnected, Duration::from_millis(3));
        metrics.retried();
        metrics.merged(1);
        metrics.merged(3);
        metrics.unsent(Unsent::Waited);
        metrics.unheard(2);
        metrics.ended(Signal::Traces, Fate::Failed, &report, 5);
        metrics.watch("pods", "Pods in the directory", || 42);
        metrics.watch_total("pods_reloads", "Reloads", || 7);
        for line in [
            r#"podstamp_build_info{version="0.1.0"} 1"#,
            r#"podstamp_requests_total{outcome="accepted",code="200"} 1"#,
            r#"podstamp_requests_total{outcome="refused",code="413"} 1"#,
            "podstamp_received_bytes_total 10",
            "podstamp_decoded_bytes_total 300",
            r#"podstamp_filter_failures_total{kind="memory_limit"} 1"#,
            r#"podstamp_spans_total{outcome="accepted"} 12"#,
            r#"podstamp_spans_total{outcome="failed"} 2"#,
            r#"podstamp_addresses_total{from="pod"} 2"#,
            r#"podstamp_guard_repairs_total{rule="kind_cleared"} 1"#,
            r#"podstamp_upstream_attempts_total{outcome="not_connected"} 1"#,
            "podstamp_upstream_retries_total 1",
            "podstamp_upstream_merged_total 3",
            r#"podstamp_upstream_unsent_total{reason="waited"} 1"#,
            "podstamp_upstream_unheard_total 2",
            "podstamp_upstream_duration_seconds_count 1",
            r#"podstamp_signal_requests_total{signal="traces",outcome="accepted"} 1"#,
            "podstamp_pods 42",
            "podstamp_pods_reloads_total 7",
        ] {
            assert!(shows(&metrics, line), "{line} is not in\n{}", metrics.encode().unwrap());
        }
    }
}
