//! The metrics of queues, by exporter and signal.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podstamp_core::hosting::labels::{Label, Queued};
use podstamp_core::interface::Signal;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::counters::Counters;
use crate::admin::ShownQueue;

/// The counters of all queues, and what their gauges show.
#[derive(Debug)]
pub(super) struct Queues {
    requests: Family<Labels<3>, Counter>,
    spans: Family<Labels<3>, Counter>,
    shown: Arc<Mutex<Vec<Shown>>>,
    counters: Mutex<Vec<QueueCounters>>,
}

/// How a queue stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueState {
    /// By the queue's sizer.
    pub(crate) size: u64,
    pub(crate) capacity: u64,
    /// What the two are counted in.
    pub(crate) unit: &'static str,
    /// How long the oldest entry has been there.
    pub(crate) oldest: Duration,
    /// Bytes of its files; `None` where it is in memory.
    pub(crate) disk: Option<u64>,
}

/// What became of the entries of one queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueCounters(Arc<[Counters<Queued>; 2]>);

/// `upstream` and `signal`, and `outcome` where there are three.
type Labels<const COUNT: usize> = [(&'static str, String); COUNT];

/// A queue to show; its state is `None` once it is gone.
struct Shown {
    labels: Labels<2>,
    state: Box<dyn Fn() -> Option<QueueState> + Send + Sync>,
}

impl Queues {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (requests, spans) = (Family::default(), Family::default());
        registry.register(
            "queue_requests",
            "Requests of queues by what became of them",
            Family::clone(&requests),
        );
        registry.register(
            "queue_spans",
            "Spans, data points and log records of queues by what became of them",
            Family::clone(&spans),
        );
        let shown = Arc::default();
        registry.register_collector(Box::new(Gauges(Arc::clone(&shown))));
        Self { requests, spans, shown, counters: Mutex::default() }
    }

    pub(super) fn counters(&self, signal: Signal, upstream: &str) -> QueueCounters {
        let counters = |family: &Family<Labels<3>, Counter>| {
            Counters::of(|outcome| {
                let [by_upstream, by_signal] = labels(signal, upstream);
                family.get_or_create_owned(&[by_upstream, by_signal, (Queued::KEY, outcome.to_owned())])
            })
        };
        let counters = QueueCounters(Arc::new([counters(&self.requests), counters(&self.spans)]));
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).push(counters.clone());
        counters
    }

    /// Requests of all queues that ended as `queued`.
    pub(super) fn count(&self, queued: Queued) -> u64 {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters
            .iter()
            .map(|QueueCounters(counters)| counters.first().map_or(0, |requests| requests.count(queued)))
            .sum()
    }

    /// All queues as they stand.
    pub(super) fn shown(&self) -> Vec<ShownQueue> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().filter_map(|queue| Some(queue.show((queue.state)()?))).collect()
    }

    pub(super) fn watch(
        &self,
        signal: Signal,
        upstream: &str,
        state: impl Fn() -> Option<QueueState> + Send + Sync + 'static,
    ) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(Shown { labels: labels(signal, upstream), state: Box::new(state) });
    }
}

impl QueueCounters {
    /// Counts requests, with so many spans in all, that ended as `queued`.
    pub(crate) fn add(&self, queued: Queued, requests: u64, spans: u64) {
        let [of_requests, of_spans] = &*self.0;
        of_requests.add(queued, requests);
        of_spans.add(queued, spans);
    }
}

fn labels(signal: Signal, upstream: &str) -> Labels<2> {
    [("upstream", upstream.to_owned()), (Signal::KEY, signal.name().to_owned())]
}

impl Shown {
    fn show(&self, state: QueueState) -> ShownQueue {
        let [(_, upstream), (_, signal)] = &self.labels;
        let name = match signal.as_str() {
            "traces" => upstream.clone(),
            signal => format!("{upstream} ({signal})"),
        };
        ShownQueue {
            name,
            requests: state.size,
            capacity: state.capacity,
            unit: state.unit,
            oldest_seconds: state.oldest.as_secs(),
            disk_bytes: state.disk,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shown").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Gauges(Arc<Mutex<Vec<Shown>>>);

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let states: Vec<_> =
            shown.iter().filter_map(|queue| Some((&queue.labels, (queue.state)()?))).collect();
        if states.is_empty() {
            return Ok(());
        }
        let mut show = |name, help, unit: Option<&Unit>, value: &dyn Fn(&QueueState) -> Option<f64>| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (labels, state) in &states {
                if let Some(value) = value(state) {
                    ConstGauge::new(value).encode(family.encode_family(*labels)?)?;
                }
            }
            fmt::Result::Ok(())
        };
        show("queue_size", "What is queued, by the queue's sizer", None, &|state| Some(state.size as f64))?;
        show("queue_capacity", "What a queue may hold, by its sizer", None, &|state| {
            Some(state.capacity as f64)
        })?;
        show(
            "queue_oldest",
            "How long the oldest entry of a queue has been there",
            Some(&Unit::Seconds),
            &|state| Some(state.oldest.as_secs_f64()),
        )?;
        show("queue_disk", "Bytes of a queue's files", Some(&Unit::Bytes), &|state| {
            state.disk.map(|bytes| bytes as f64)
        })
    }
}
