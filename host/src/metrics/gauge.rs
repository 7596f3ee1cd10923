//! A number that is read when somebody looks, rather than kept up to date.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

pub(super) struct Watched<F> {
    name: &'static str,
    help: &'static str,
    read: F,
}

impl<F> Watched<F> {
    pub(super) fn new(name: &'static str, help: &'static str, read: F) -> Self {
        Self { name, help, read }
    }
}

impl<F> fmt::Debug for Watched<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Collector for Watched<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new((self.read)());
        let encoder = encoder.encode_descriptor(self.name, self.help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }
}
