//! One configuration, and what it makes of requests.

use std::cell::RefCell;

use podstamp_core::config::{self, Carried, Config, Fault};
use podstamp_core::interface::{Prepared, Request, Signal};
use podstamp_core::{Filter, Stamps};
use serde_json::Value;

use crate::abi::{environment, host};
use crate::budget::Budget;
use crate::instruments::Instruments;
use crate::metrics::elapsed;
use crate::notices::Notices;
use crate::peer::Peers;
use crate::pods::Pods;
use crate::support;

/// A configured filter, with what its streams share.
pub(crate) struct Plugin {
    filter: Filter,
    /// What resources were stamped with, by this filter and with these pods.
    stamps: RefCell<Stamps>,
    /// The budget of bodies that are kept until they are answered, or copied.
    budget: Budget,
    peers: Peers,
    pods: Option<Pods>,
}

impl Plugin {
    /// Configures the filter. The error has all faults of the document.
    pub(crate) fn configure(text: &[u8]) -> Result<Self, Vec<Fault>> {
        let variables = environment::variables();
        let look_up =
            |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let mut document = parse_document(text)?;
        config::resolve(&mut document, &look_up, |text| config::read_json(text).ok()).refuse(&document)?;
        let filter = Filter::configure(&document)?;
        let mut notices = filter.notices().to_vec();
        notices.extend(support::check_support(filter.config())?);
        notices.iter().for_each(Notices::tell);
        let config = filter.config();
        let source = config.proxy_wasm.pods.clone();
        Ok(Self {
            budget: Budget::new(config.limits.in_flight_bytes as usize),
            peers: Peers::new(config, &variables),
            pods: source.map(|source| Pods::new(source, config.fields())),
            stamps: Stamps::with_room().into(),
            filter,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        self.filter.config()
    }

    /// Whether a signal is stamped here.
    pub(crate) fn carries(&self, signal: Signal) -> bool {
        support::carries(self.config(), signal)
    }

    /// The pipeline and exporter of a signal that is stamped here.
    pub(crate) fn carried(&self, signal: Signal) -> &Carried {
        self.config().carried(signal).unwrap_or(&self.config().traces)
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The pod table, where the document names a cluster to ask for it.
    pub(crate) fn pods(&self) -> Option<&Pods> {
        self.pods.as_ref()
    }

    /// Checks a request and stamps it, with the pods that are known now. Where it is `timed`, also gives the time afterwards,
    /// nanoseconds.
    pub(crate) fn prepare(
        &self,
        request: &Request<'_>,
        timed: bool,
        instruments: &Instruments,
    ) -> (Prepared, Option<u64>) {
        // Where the host does not know the time, it says 0.
        let now = Some(host::now()).filter(|now| *now > 0);
        let request = &Request { now, ..*request };
        let known = self.pods.as_ref().map(Pods::known).unwrap_or_default();
        let prepared = self.filter.prepare_with(request, &known, &mut self.stamps.borrow_mut());
        let ended = timed.then(host::now);
        instruments.metrics().met(&prepared.report, elapsed(ended, now));
        prepared.notices.iter().for_each(|notice| instruments.notices().emit(notice));
        instruments.counted();
        (prepared, ended)
    }
}

/// Reads the document: a JSON text, or a `google.protobuf.Struct`, which Envoy hands over in its own bytes and others as JSON.
/// Nothing stands for the default document, as in the host.
fn parse_document(bytes: &[u8]) -> Result<Value, Vec<Fault>> {
    let text = match bytes.trim_ascii() {
        b"" => config::DEFAULT_DOCUMENT.as_bytes(),
        text => text,
    };
    let text = std::str::from_utf8(text).map_err(|error| error.to_string());
    let read = text.and_then(|text| config::read_json(text).map_err(|error| error.to_string()));
    read.or_else(|error| config::from_struct(bytes).ok_or(error)).map_err(|error| {
        let message = format!(
            "is no JSON ({error}): give the document as a google.protobuf.Struct, or as a google.protobuf.StringValue with JSON"
        );
        vec![Fault { path: String::new(), message }]
    })
}
