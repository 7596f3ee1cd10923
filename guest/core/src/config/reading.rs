//! A document, read with all that is wrong with it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::agent::DEFAULT_URL;
use crate::config::carried::{self, Carried, Processors};
use crate::config::catalog::Catalog;
use crate::config::compiled::Config;
use crate::config::document::{Entry, Environment, Fault, Findings, ReadScalar, Unresolved, expand};
use crate::config::exporters::otlphttp::{self, Exporter};
use crate::config::podstamp;
use crate::config::podstamp::upstream::Upstream;
use crate::config::processors::k8sattributes::node_from_env_var;
use crate::config::processors::order;
use crate::config::receivers::otlp;
use crate::config::service::{self, Parts};
use crate::interface::{Level, Notice};
use crate::pipeline::Pipeline;
use crate::signal::Signal;

/// A document as far as it can be read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configuration. Keys at fault have their defaults in it.
    pub config: Config,
    /// All that is wrong with it.
    pub faults: Vec<Fault>,
    /// Paths whose values the environment did not give.
    unknown: BTreeSet<String>,
}

/// How to take a variable that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// A warning: where a document is checked, the variables of where it is to run need not be there.
    Warned,
    /// A fault.
    Refused,
}

impl Reading {
    /// Adds faults that were found elsewhere, unless they come of what is not known.
    pub fn add(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults.into_iter().filter(|fault| !is_within(&fault.path, &self.unknown)));
    }
}

/// Reads a document, `${env:...}` already expanded and `filter.node_from_env_var` resolved. The error has all faults.
pub fn parse(document: &Value) -> Result<Config, Vec<Fault>> {
    let reading = read_all(document, Unresolved::default(), Unset::Refused);
    if reading.faults.is_empty() { Ok(reading.config) } else { Err(reading.faults) }
}

/// Reads a document whatever is wrong with it. `unresolved` is what [`resolve`] gave for it.
pub fn read_all(document: &Value, unresolved: Unresolved, unset: Unset) -> Reading {
    let findings = Findings::default();
    let (mut config, unused) = read_document(document, &findings);
    let (found, mut notices) = findings.into_parts();
    // What nobody reads need not be there.
    let is_read = |fault: &Fault| !is_within(&fault.path, &unused);
    let mut faults: Vec<_> = unresolved.faults.into_iter().filter(is_read).collect();
    let lacking: Vec<_> = unresolved.unset.into_iter().filter(is_read).collect();
    let unknown = faults.iter().chain(&lacking).map(|fault| fault.path.clone()).collect();
    match unset {
        Unset::Refused => faults.extend(lacking),
        Unset::Warned => notices.extend(lacking.iter().map(|fault| Notice {
            level: Level::Warning,
            key: "config-unset-variable".into(),
            message: fault.to_string(),
        })),
    }
    config.notices = notices;
    let mut reading = Reading { config, faults, unknown };
    reading.add(found);
    reading
}

/// Whether a path is one of several or below one.
fn is_within(path: &str, paths: &BTreeSet<String>) -> bool {
    let ends = path.match_indices(['.', '[']).map(|(end, _)| end).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).any(|above| !above.is_empty() && paths.contains(above))
}

/// Reads a whole document. Gives the configuration, and the paths of what nobody reads.
pub(super) fn read_document(document: &Value, findings: &Findings) -> (Config, BTreeSet<String>) {
    let mut root = Entry::root(document, findings).section();
    let catalog = Catalog::of_document(&mut root);
    let service = service::read_service(&root.take("service"), &catalog);
    let Parts { receiver, processors, exporters } = service.traces();
    let own = root.take("podstamp");
    root.close();
    let further =
        carried::read_further(document, &service, receiver.map(|found| found.id), &catalog, findings);
    catalog.report_unused();

    let (extensions, signals) = (&service.extensions, further.signals());
    let received = receiver
        .map(|component| otlp::read_receiver(&component.entry, extensions, &signals))
        .unwrap_or_default();
    let Processors { steps, batch, memory_limiter } =
        carried::read_processors(processors, received.include_metadata);
    let mut exporters = carried::exporters_of(&exporters, extensions, Signal::Traces, &signals).into_iter();
    let exporter = exporters.next().unwrap_or_else(|| implied_exporter(findings));
    let copies: Vec<_> = exporters.collect();
    let own = podstamp::read_podstamp(&own, received.receiver.largest(), extensions);
    extensions.report_unused();
    let unused = catalog.unused().chain(["service.telemetry"]).map(str::to_owned).collect();

    let rules = own.guard.rules(exporter.is_agent || copies.iter().any(|exporter| exporter.is_agent));
    order::check_order(&steps, &rules, Signal::Traces, findings);
    let mut request_headers = further.headers;
    if received.include_metadata {
        request_headers.extend(carried::headers(&steps));
    }
    // Sorted, each once.
    let request_headers: BTreeSet<_> = request_headers.into_iter().collect();
    let pipeline = Pipeline::new(steps.into_iter().map(|(_, step)| step).collect());
    let mut traces = Carried { pipeline, exporter, copies, rules, batch };
    let (mut metrics, mut logs) = (further.metrics, further.logs);
    for carried in metrics.iter_mut().chain(&mut logs) {
        carried.rules = own.guard.further_rules();
    }
    let guarded = |exporter: &Exporter| own.guard.is_on(exporter.is_agent);
    let to_traces_upstreams = traces.exporters().map(|exporter| (guarded(exporter), exporter));
    let to_other_upstreams = metrics.iter_mut().chain(&mut logs).flat_map(Carried::exporters);
    share_connections(
        to_traces_upstreams.chain(to_other_upstreams.map(|exporter| (false, exporter))).collect(),
        own.upstream,
    );
    let config = Config {
        traces,
        metrics,
        logs,
        trusted_proxies: own.trusted_proxies,
        proxy_protocol: own.proxy_protocol,
        strict_ports: own.strict_ports,
        include_metadata: received.include_metadata,
        request_headers: request_headers.into_iter().collect(),
        receiver: received.receiver,
        upstream: own.upstream,
        queue: own.queue,
        memory_limiter: memory_limiter.or(further.memory_limiter),
        limits: own.limits,
        drain_delay: own.drain_delay,
        admin: own.admin,
        pods: own.pods,
        proxy_wasm: own.proxy_wasm,
        notices: Vec::new(),
    };
    (config, unused)
}

/// Sets the connections of each upstream; the flag beside an exporter says whether the guard is on for it. Exporters to the
/// same upstream share the fewest.
fn share_connections(exporters: Vec<(bool, &mut Exporter)>, upstream: Upstream) {
    let asked = exporters
        .iter()
        .map(|(guarded, exporter)| (exporter.authority().to_owned(), upstream.connections(*guarded)));
    let asked: Vec<_> = asked.collect();
    for (_, exporter) in exporters {
        let same = asked.iter().filter(|(authority, count)| authority == exporter.authority() && *count > 0);
        exporter.connections = same.map(|(_, count)| *count).min().unwrap_or_default();
    }
}

fn implied_exporter(findings: &Findings) -> Exporter {
    let path = "service.pipelines.traces.exporters";
    let message = format!("missing, so traces go to the deepflow-agent on this host, {DEFAULT_URL}");
    findings.notice(Level::Info, "config-default", path, &message);
    otlphttp::implied(path)
}

impl Unresolved {
    /// Refuses what lacks where the document is read. With it, all other faults of the document.
    pub fn refuse(self, document: &Value) -> Result<(), Vec<Fault>> {
        if self == Self::default() {
            return Ok(());
        }
        let faults = read_all(document, self, Unset::Refused).faults;
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Puts the environment into a document: expands `${env:NAME}` as in the Collector, and resolves
/// `filter.node_from_env_var` of k8sattributes. Gives what could not be put there.
pub fn resolve(document: &mut Value, environment: Environment<'_>, read_scalar: ReadScalar) -> Unresolved {
    let mut unresolved = expand::expand(document, environment, read_scalar);
    unresolved.unset.extend(node_from_env_var::resolve(document, environment));
    unresolved
}
