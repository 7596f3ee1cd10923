//! A root context: one configuration, and what its streams share.

use std::cell::Cell;
use std::net::IpAddr;

use podstamp_core::Filter;
use podstamp_core::config::{self, Carried, Config, Fault, Mode};
use podstamp_core::directory::NoPods;
use podstamp_core::interface::{Prepared, Request, Signal};
use serde_json::Value;

use crate::abi::{environment, host};
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::pods::Pods;
use crate::tee::Copies;
use crate::{peer, support};

/// A configured filter.
pub(crate) struct Plugin {
    filter: Filter,
    metrics: Metrics,
    notices: Notices,
    /// For bodies that are kept until they are answered, or copied.
    budget: Budget,
    instance: Option<IpAddr>,
    copies: Copies,
    pods: Option<Pods>,
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
        config::resolve(&mut document, &look_up, |text| serde_json::from_str(text).ok()).refuse(&document)?;
        let filter = Filter::configure(&document)?;
        let mut notices = filter.notices().to_vec();
        notices.extend(support::review(filter.config())?);
        notices.iter().for_each(Notices::tell);
        let budget = Budget::new(filter.config().limits.in_flight_bytes as usize);
        let (metrics, instance) = (Metrics::define(), peer::instance(&variables));
        let config = filter.config();
        let source = config.proxy_wasm.pods.clone();
        let pods = source.map(|source| Pods::new(source, config.fields()));
        Ok(Self {
            filter,
            metrics,
            notices: Notices::default(),
            budget,
            instance,
            copies: Copies::default(),
            pods,
            period: Cell::new(0),
        })
    }

    /// Has [`Plugin::tick`] called when there is something to do.
    pub(crate) fn schedule(&self) {
        let pods = self.pods.as_ref().map(|pods| pods.next(host::now()).max(TICK));
        let counts = self.metrics.is_dirty().then_some(FLUSH);
        let copies = (!self.copies.is_idle()).then_some(TICK);
        self.tick_every([pods, counts, copies].into_iter().flatten().min().unwrap_or(0));
    }

    /// Something was counted: the host is told soon.
    pub(crate) fn counted(&self) {
        if !(1..=FLUSH).contains(&self.period.get()) {
            self.tick_every(FLUSH);
        }
    }

    fn tick_every(&self, period: u32) {
        if self.period.replace(period) != period {
            host::tick_every(period);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        if let Mode::Tee { cluster } = &self.config().proxy_wasm.mode {
            self.copies.advance(self, cluster);
        }
        if let Some(pods) = &self.pods {
            pods.advance(self);
        }
        self.metrics.flush();
        self.schedule();
    }

    /// A request of our own has ended.
    pub(crate) fn called(&self, token: u32, headers: bool, body_size: usize) {
        if !self.copies.called(self, token, headers, body_size)
            && let Some(pods) = &self.pods
        {
            pods.called(self, token, headers, body_size);
        }
        self.schedule();
    }

    pub(crate) fn copies(&self) -> &Copies {
        &self.copies
    }

    pub(crate) fn config(&self) -> &Config {
        self.filter.config()
    }

    /// Whether a signal is stamped here.
    pub(crate) fn carries(&self, signal: Signal) -> bool {
        support::carries(self.config(), signal)
    }

    /// What becomes of a signal that is stamped here.
    pub(crate) fn carried(&self, signal: Signal) -> &Carried {
        self.config().carried(signal).unwrap_or(&self.config().traces)
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

    /// Checks a request, and stamps it: with the pods that are known now. Where it is `timed`, gives the time afterwards,
    /// nanoseconds.
    pub(crate) fn prepare(&self, request: &Request<'_>, timed: bool) -> (Prepared, Option<u64>) {
        // Where the host does not know the time, it says 0.
        let now = Some(host::now()).filter(|now| *now > 0);
        let request = &Request { now, ..*request };
        let prepared = match self.pods.as_ref().and_then(Pods::table) {
            Some(table) => self.filter.prepare(request, &*table),
            None => self.filter.prepare(request, &NoPods),
        };
        let ended = timed.then(host::now);
        self.metrics.met(&prepared.report, since(ended, now));
        prepared.notices.iter().for_each(|notice| self.notices.emit(notice));
        self.counted();
        (prepared, ended)
    }
}

/// Nanoseconds between two looks at the clock, where there were both.
pub(crate) fn since(now: Option<u64>, then: Option<u64>) -> Option<u64> {
    now.zip(then).map(|(now, then)| now.saturating_sub(then))
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.metrics.flush();
    }
}

/// The document: a JSON text, or a `google.protobuf.Struct`, which Envoy hands over in its own bytes and others as JSON.
/// Without a configuration it is the default one, as in the host.
fn parse(bytes: &[u8]) -> Result<Value, Vec<Fault>> {
    let text = match bytes.trim_ascii() {
        b"" => config::DEFAULT_DOCUMENT.as_bytes(),
        text => text,
    };
    // As a text, like all JSON here: a second reader, of bytes, would be 25 kB of the module.
    let text = std::str::from_utf8(text).map_err(|error| error.to_string());
    let read = text.and_then(|text| serde_json::from_str(text).map_err(|error| error.to_string()));
    read.or_else(|error| config::from_struct(bytes).ok_or(error)).map_err(|error| {
        let message = format!(
            "is no JSON ({error}): give the document as a google.protobuf.Struct, or as a google.protobuf.StringValue with JSON"
        );
        vec![Fault { path: String::new(), message }]
    })
}

/// Milliseconds: how long a copy may wait until it is looked at, and half a table until it is read on.
const TICK: u32 = 10;

/// Milliseconds: how old what the host shows may be.
const FLUSH: u32 = 100;
