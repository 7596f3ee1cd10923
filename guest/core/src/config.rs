//! The configuration document: the OpenTelemetry Collector's, as JSON, and one more section, `podstamp`.
//!
//! A document is read once, into what runs. Everything that is wrong with it is reported at once, each fault with its
//! path. What the Collector knows and podstamp goes without is accepted with a notice where that loses nothing, and a
//! fault where it would.

mod association;
mod auth;
mod catalog;
mod collector;
mod component;
mod compression;
mod cors;
mod environment;
mod expand;
mod exporter;
mod extraction;
mod findings;
mod header;
mod kubernetes;
mod limits;
mod nearest;
mod node;
mod node_name;
mod order;
mod own;
mod proxy_wasm;
mod quantity;
mod receiver;
mod renamed;
mod resource;
mod retry;
mod secret;
mod section;
mod selection;
mod service;
mod structure;
mod tls;
mod upstream;
mod url;

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use crate::claims::Claims;
use crate::directory::Fields;
use crate::exchange::{Level, Notice};
use crate::guard::Rules;
use crate::pipeline::{Pipeline, Step};
use catalog::{Catalog, Component};
use findings::Findings;
use node::Node;
use own::Own;
use service::Traces;

pub use auth::{Bearer, ClientAuth, Htpasswd, Login, ServerAuth};
pub use compression::Compression;
pub use cors::Cors;
pub use environment::{Environment, ReadScalar, Unresolved, resolve};
pub use exporter::{AGENT_PATH, DEFAULT_TIMEOUT, DEFAULT_URL, Exporter};
pub use findings::{Fault, no_effect};
pub use limits::Limits;
pub use own::{DEFAULT_ADMIN, DEFAULT_DRAIN_DELAY, Pods, ProxyProtocol};
pub use proxy_wasm::{Mode, PodsSource, ProxyWasm};
pub use receiver::{
    AGENT_PATHS, DEFAULT_ENDPOINT, DEFAULT_GRPC_ENDPOINT, DEFAULT_PATH, DEFAULT_STREAMS, GRPC_PATH,
    GRPC_SERVICE, Grpc, Http, Keepalive, Receiver, is_same_listener,
};
pub use retry::Retry;
pub use secret::{Place, Secret, Source};
pub use structure::from_struct;
pub use tls::{
    CipherSuite, ClientTls, Curve, DEFAULT_RELOAD_INTERVAL, Identity, Parameters, ServerTls, Version,
};
pub use upstream::Upstream;
pub use url::{BRACKETS, bracketed};

/// A configuration, ready to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The processors of the traces pipeline.
    pub pipeline: Pipeline,
    /// Where to send, and whose answer the client gets.
    pub exporter: Exporter,
    /// Where copies of what is sent go. Nobody waits for them.
    pub copies: Vec<Exporter>,
    /// The guard's rules for that upstream.
    pub rules: Rules,
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
    /// Which parts of pods the pipeline and the guard need. A directory with these alone answers as one that has them all.
    pub fn fields(&self) -> Fields {
        let stamps = self.rules.require_host_ip || self.rules.repair_host_ip;
        self.pipeline.fields().union(if stamps { Claims::FIELDS } else { Fields::NONE })
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
    let Traces { receiver, processors, exporters, authenticators } =
        service::read(&root.take("service"), &catalog);
    let own = root.take("podstamp");
    root.close();
    catalog.review();

    let received =
        receiver.map(|component| receiver::read(&component.node, &authenticators)).unwrap_or_default();
    let steps: Vec<_> = processors
        .into_iter()
        .map(|component| (component.node.path(), step(component, received.include_metadata)))
        .collect();
    let exporters: Vec<_> = exporters
        .iter()
        .map(|component| exporter::read(component.id, &component.node, &authenticators))
        .collect();
    let mut exporters = exporters.into_iter();
    let mut exporter = exporters.next().unwrap_or_else(|| implied_exporter(findings));
    let mut copies: Vec<_> = exporters.collect();
    authenticators.review();
    let own = own::read(&own, received.receiver.largest());
    share_connections(&mut exporter, &mut copies, &own);
    let unused = catalog.unused().chain(["service.telemetry"]).map(str::to_owned).collect();

    let rules = own.guard.rules(exporter.is_agent || copies.iter().any(|exporter| exporter.is_agent));
    order::review(&steps, &rules, findings);
    let steps: Vec<_> = steps.into_iter().map(|(_, step)| step).collect();
    let request_headers = if received.include_metadata { headers(&steps) } else { Vec::new() };
    let config = Config {
        pipeline: Pipeline::new(steps),
        exporter,
        copies,
        rules,
        trusted_proxies: own.trusted_proxies,
        proxy_protocol: own.proxy_protocol,
        strict_ports: own.strict_ports,
        include_metadata: received.include_metadata,
        request_headers,
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

/// How many connections each upstream gets. Two exporters to the same one share the fewest.
fn share_connections(exporter: &mut Exporter, copies: &mut [Exporter], own: &Own) {
    let mut all: Vec<_> = std::iter::once(exporter).chain(copies).collect();
    let asked = |exporter: &Exporter| own.upstream.connections(own.guard.is_on(exporter.is_agent));
    let asked: Vec<_> = all.iter().map(|each| (each.authority().to_owned(), asked(each))).collect();
    for exporter in &mut all {
        let same = asked.iter().filter(|(authority, count)| authority == exporter.authority() && *count > 0);
        exporter.connections = same.map(|(_, count)| *count).min().unwrap_or_default();
    }
}

fn step(component: &Component<'_>, include_metadata: bool) -> Step {
    match component.type_name() {
        "resource" => Step::Resource(resource::read(&component.node, include_metadata)),
        _ => Step::Kubernetes(kubernetes::read(&component.node)),
    }
}

fn implied_exporter(findings: &Findings) -> Exporter {
    let path = "service.pipelines.traces.exporters";
    let message = format!("missing, so traces go to the deepflow-agent on this host, {DEFAULT_URL}");
    findings.notice(Level::Info, "config-default", path, &message);
    exporter::default(path)
}

/// Names of the headers that actions read, each once.
fn headers(steps: &[Step]) -> Vec<String> {
    let mut names: Vec<_> = steps
        .iter()
        .flat_map(|step| match step {
            Step::Resource(actions) => actions.as_slice(),
            Step::Kubernetes(_) => &[],
        })
        .filter_map(|action| action.header().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What runs where nothing is configured: the pipeline that DeepFlow documents for load balancers, towards the agent on
/// this host.
pub const DEFAULT_DOCUMENT: &str = include_str!("config/default.json");

#[cfg(test)]
mod tests;
