//! A root context: one configuration, and what its streams share.

use std::cell::Cell;
use std::net::IpAddr;

use podstamp_core::Filter;
use podstamp_core::config::{self, Config, Fault, Mode};
use podstamp_core::directory::{Directory, NoPods};
use serde_json::Value;

use crate::abi::{environment, host};
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::tee::Copies;
use crate::{origin, review};

/// A configured filter.
pub(crate) struct Plugin {
    filter: Filter,
    metrics: Metrics,
    notices: Notices,
    /// For bodies that are kept until they are answered, or copied.
    budget: Budget,
    instance: Option<IpAddr>,
    copies: Copies,
    /// How often `tick` is called, milliseconds; 0: not at all.
    period: Cell<u32>,
}

impl Plugin {
    /// Reads a configuration. The error has all faults.
    pub(crate) fn configure(text: &[u8]) -> Result<Self, Vec<Fault>> {
        let variables = environment::variables();
        let look_up =
            |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let mut document = parse(text)?;
        let mut notices = config::resolve(&mut document, &look_up, |text| serde_json::from_str(text).ok())?;
        let filter = Filter::configure(&document)?;
        notices.extend(filter.notices().iter().cloned());
        notices.extend(review::review(filter.config())?);
        notices.iter().for_each(Notices::tell);
        let budget = Budget::new(filter.config().limits.in_flight_bytes as usize);
        let (metrics, instance) = (Metrics::define(), origin::instance(&variables));
        let (notices, copies) = (Notices::default(), Copies::default());
        Ok(Self { filter, metrics, notices, budget, instance, copies, period: Cell::new(0) })
    }

    /// Has [`Plugin::tick`] called as often as there is something to do.
    pub(crate) fn schedule(&self) {
        let period = if self.copies.is_idle() { 0 } else { TICK };
        if self.period.replace(period) != period {
            host::tick_every(period);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        if let Mode::Tee { cluster } = &self.config().proxy_wasm.mode {
            self.copies.advance(self, cluster);
        }
        self.schedule();
    }

    /// A request of our own has ended.
    pub(crate) fn called(&self, token: u32, headers: bool, body_size: usize) {
        self.copies.called(self, token, headers, body_size);
        self.schedule();
    }

    pub(crate) fn copies(&self) -> &Copies {
        &self.copies
    }

    pub(crate) fn config(&self) -> &Config {
        self.filter.config()
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The address of the pod that this proxy is a sidecar in.
    pub(crate) fn instance(&self) -> Option<IpAddr> {
        self.instance
    }

    pub(crate) fn directory(&self) -> &dyn Directory {
        &NoPods
    }
}

/// The document: a JSON text, or a `google.protobuf.Struct`, which Envoy hands over in its own bytes and others as JSON.
/// Without a configuration it is the default one, as in the host.
fn parse(bytes: &[u8]) -> Result<Value, Vec<Fault>> {
    let text = match bytes.trim_ascii() {
        b"" => config::DEFAULT_DOCUMENT.as_bytes(),
        text => text,
    };
    let read = serde_json::from_slice(text);
    read.or_else(|error| config::from_struct(bytes).ok_or(error)).map_err(|error| {
        let message = format!(
            "is no JSON ({error}): give the document as a google.protobuf.Struct, or as a google.protobuf.StringValue with JSON"
        );
        vec![Fault { path: String::new(), message }]
    })
}

/// Milliseconds: how long a copy may wait at most until it is looked at.
const TICK: u32 = 10;
