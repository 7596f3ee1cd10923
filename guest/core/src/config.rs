//! The configuration document: the OpenTelemetry Collector's, as JSON, and one more section, `podstamp`.
//!
//! A document is read once, into what runs. Everything that is wrong with it is reported at once, each fault with its
//! path. What the Collector knows and podstamp goes without is accepted with a notice where that loses nothing, and a
//! fault where it would.

mod carried;
mod catalog;
mod collector;
mod document;
mod environment;
mod exporters;
mod extensions;
mod podstamp;
mod processors;
mod receivers;
mod service;
mod tls;

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use crate::claims::Claims;
use crate::directory::{Details, Fields};
use crate::interface::{Level, Notice};
use crate::pipeline::Pipeline;
use crate::signal::Signal;
use catalog::Catalog;
use document::{Findings, Node};
use exporters::otlphttp;
use processors::order;
use receivers::otlp;
use service::Parts;

pub use carried::Carried;
pub use document::{BRACKETS, Fault, Place, Secret, Source, bracketed, from_struct, no_effect};
pub use environment::{Environment, ReadScalar, Unresolved, resolve};
pub use exporters::otlphttp::compression::Compression;
pub use exporters::otlphttp::retry::Retry;
pub use exporters::otlphttp::{AGENT_PATH, DEFAULT_TIMEOUT, DEFAULT_URL, Exporter};
pub use extensions::{Bearer, ClientAuth, Htpasswd, Login, ServerAuth};
pub use podstamp::limits::{Limits, Stated};
pub use podstamp::proxy_wasm::{Mode, PodsSource, ProxyWasm};
pub use podstamp::upstream::{DEFAULT_PATIENCE, Upstream};
pub use podstamp::{DEFAULT_ADMIN, DEFAULT_DRAIN_DELAY, Pods, ProxyProtocol};
pub use receivers::otlp::cors::Cors;
pub use receivers::otlp::{
    AGENT_PATHS, DEFAULT_ENDPOINT, DEFAULT_GRPC_ENDPOINT, DEFAULT_PATH, DEFAULT_STREAMS, GRPC_PATH,
    GRPC_SERVICE, Grpc, Http, Keepalive, Receiver, is_same_listener,
};
pub use tls::{
    CipherSuite, ClientTls, Curve, DEFAULT_RELOAD_INTERVAL, Identity, Parameters, ServerTls, Version,
};

/// A configuration, ready to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// What becomes of traces.
    pub traces: Carried,
    /// The same of metrics; none: they are not carried.
    pub metrics: Option<Carried>,
    /// The same of logs.
    pub logs: Option<Carried>,
    /// Peers whose X-Forwarded-For, Forwarded and PROXY header are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Listeners whose connections from those peers begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// Whether each listener takes only the protocol that it is there for.
    pub strict_ports: bool,
    /// Whether actions may read the request's headers.
    pub include_metadata: bool,
    /// Lower-case names of the headers that they read.
    pub request_headers: Vec<String>,
    /// Where to receive.
    pub receiver: Receiver,
    /// How upstreams are met.
    pub upstream: Upstream,
    /// Limits that the host keeps.
    pub limits: Limits,
    /// How long to take requests after the order to stop, milliseconds.
    pub drain_delay: u32,
    /// `host:port` of the admin listener; none: there is none.
    pub admin: Option<String>,
    /// Where pods come from.
    pub pods: Pods,
    /// What only a proxy-wasm host does.
    pub proxy_wasm: ProxyWasm,
    /// What a person should know about this configuration.
    pub notices: Vec<Notice>,
}

impl Config {
    /// What becomes of a signal; none: it is not carried.
    pub fn carried(&self, signal: Signal) -> Option<&Carried> {
        match signal {
            Signal::Traces => Some(&self.traces),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }

    /// The signals that are carried.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(|signal| self.carried(*signal).is_some())
    }

    /// Which parts of pods the pipelines and the guard need. A directory with these alone answers as one that has them all.
    pub fn fields(&self) -> Fields {
        let rules = self.traces.rules;
        let stamps = rules.require_host_ip || rules.repair_host_ip;
        let of_guard = if stamps { Claims::FIELDS } else { Fields::NONE };
        self.pipelines().map(Pipeline::fields).fold(of_guard, Fields::union)
    }

    /// Which costly parts of pods the pipelines use. A directory need not keep the others.
    pub fn details(&self) -> Details {
        self.pipelines().map(Pipeline::details).fold(Details::default(), |all, of| Details {
            labels: all.labels || of.labels,
            annotations: all.annotations || of.annotations,
        })
    }

    fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        Signal::ALL.into_iter().filter_map(|signal| Some(&self.carried(signal)?.pipeline))
    }
}

/// A document as far as it can be read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says. Where there are faults, some of it is as where nothing is written.
    pub config: Config,
    /// All that is wrong with it.
    pub faults: Vec<Fault>,
    /// Paths whose values the environment did not give.
    unknown: BTreeSet<String>,
}

/// What a variable is that is not set.
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
    let (mut config, unused) = read(document, &findings);
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

/// Gives the paths of what nobody reads, too.
fn read(document: &Value, findings: &Findings) -> (Config, BTreeSet<String>) {
    let mut root = Node::root(document, findings).section();
    let catalog = Catalog::read(&mut root);
    let service = service::read(&root.take("service"), &catalog);
    let Parts { receiver, processors, exporters } = service.traces();
    let own = root.take("podstamp");
    root.close();
    let further =
        carried::read_further(document, &service, receiver.map(|found| found.id), &catalog, findings);
    catalog.review();

    let (authenticators, signals) = (&service.authenticators, further.signals());
    let received =
        receiver.map(|component| otlp::read(&component.node, authenticators, &signals)).unwrap_or_default();
    let steps = carried::steps(processors, received.include_metadata);
    let mut exporters =
        carried::exporters_of(&exporters, authenticators, Signal::Traces, &signals).into_iter();
    let exporter = exporters.next().unwrap_or_else(|| implied_exporter(findings));
    let copies: Vec<_> = exporters.collect();
    authenticators.review();
    let own = podstamp::read(&own, received.receiver.largest());
    let unused = catalog.unused().chain(["service.telemetry"]).map(str::to_owned).collect();

    let rules = own.guard.rules(exporter.is_agent || copies.iter().any(|exporter| exporter.is_agent));
    order::review(&steps, &rules, Signal::Traces, findings);
    let mut request_headers = further.headers;
    if received.include_metadata {
        request_headers.extend(carried::headers(&steps));
    }
    // Sorted, each once.
    let request_headers: BTreeSet<_> = request_headers.into_iter().collect();
    let pipeline = Pipeline::new(steps.into_iter().map(|(_, step)| step).collect());
    let mut traces = Carried { pipeline, exporter, copies, rules };
    let (mut metrics, mut logs) = (further.metrics, further.logs);
    for carried in metrics.iter_mut().chain(&mut logs) {
        carried.rules = own.guard.further_rules();
    }
    let guarded = |exporter: &Exporter| own.guard.is_on(exporter.is_agent);
    let of_traces = traces.exporters().map(|exporter| (guarded(exporter), exporter));
    let of_others = metrics.iter_mut().chain(&mut logs).flat_map(Carried::exporters);
    share_connections(of_traces.chain(of_others.map(|exporter| (false, exporter))).collect(), own.upstream);
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
        limits: own.limits,
        drain_delay: own.drain_delay,
        admin: own.admin,
        pods: own.pods,
        proxy_wasm: own.proxy_wasm,
        notices: Vec::new(),
    };
    (config, unused)
}

/// How many connections each upstream gets, which the guard may be on for. Two exporters to the same one share the fewest.
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
    otlphttp::default(path)
}

/// What runs where nothing is configured: the pipeline that DeepFlow documents for load balancers, towards the agent on
/// this host.
pub const DEFAULT_DOCUMENT: &str = include_str!("config/default.json");

#[cfg(test)]
mod tests;
