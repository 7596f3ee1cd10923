//! A metric that is read at each scrape, rather than kept up to date.

use std::fmt;
use std::marker::PhantomData;

use podstamp_core::hosting::labels::Label;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

pub(super) struct Watched<F> {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    read: F,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Gauge,
    Counter,
}

impl<F> Watched<F> {
    pub(super) fn gauge(name: &'static str, help: &'static str, read: F) -> Self {
        Self { kind: Kind::Gauge, name, help, read }
    }

    pub(super) fn counter(name: &'static str, help: &'static str, read: F) -> Self {
        Self { kind: Kind::Counter, name, help, read }
    }

    fn show(&self, mut encoder: DescriptorEncoder<'_>, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(encoder.encode_descriptor(self.name, self.help, None, metric.metric_type())?)
    }
}

impl<F> fmt::Debug for Watched<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Collector for Watched<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let number = (self.read)();
        match self.kind {
            Kind::Gauge => self.show(encoder, &ConstGauge::new(number)),
            Kind::Counter => self.show(encoder, &ConstCounter::new(number)),
        }
    }
}

/// Counters that are read at each scrape, one for each value of a label.
pub(super) struct WatchedBy<L, F> {
    name: &'static str,
    help: &'static str,
    /// The counter of the value with an index.
    read: F,
    label: PhantomData<fn(L)>,
}

impl<L, F> WatchedBy<L, F> {
    pub(super) fn new(name: &'static str, help: &'static str, read: F) -> Self {
        Self { name, help, read, label: PhantomData }
    }
}

impl<L, F> fmt::Debug for WatchedBy<L, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WatchedBy").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<L: Label, F: Fn(usize) -> u64 + Send + Sync + 'static> Collector for WatchedBy<L, F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        for (index, name) in L::NAMES.iter().enumerate() {
            let counter = ConstCounter::new((self.read)(index));
            counter.encode(family.encode_family(&[(L::KEY, *name)])?)?;
        }
        Ok(())
    }
}
