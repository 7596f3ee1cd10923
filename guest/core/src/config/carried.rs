//! The pipeline of each signal: its processors, and where it goes.
//!
//! Traces are what podstamp is for, and a fault in their pipeline is one of the document. A pipeline of metrics or logs runs
//! where podstamp has all of it; otherwise a notice says why it does not, so that nobody's document is refused for it.

use serde_json::Value;

use crate::config::catalog::{Catalog, Component};
use crate::config::collector::component::{Kind, same};
use crate::config::document::{Entry, Findings};
use crate::config::exporters::otlphttp::{self, Exporter};
use crate::config::extensions::Extensions;
use crate::config::processors::batch::{Batching, read_batch};
use crate::config::processors::memory_limiter::{MemoryLimiter, read_memory_limiter};
use crate::config::processors::{k8sattributes, order, resource};
use crate::config::receivers::otlp;
use crate::config::service::{self, Parts, Service};
use crate::guard::Rules;
use crate::interface::Level;
use crate::pipeline::{Pipeline, Step};
use crate::signal::Signal;

/// A signal's pipeline, ready to run.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its processors.
    pub pipeline: Pipeline,
    /// Where to send, and whose answer the client gets.
    pub exporter: Exporter,
    /// Where copies of what is sent go. Nobody waits for them.
    pub copies: Vec<Exporter>,
    /// The guard's rules.
    pub rules: Rules,
    /// How its small requests are put together. `None`: each leaves by itself.
    pub batch: Option<Batching>,
}

impl Carried {
    /// All its exporters.
    pub(crate) fn exporters(&mut self) -> impl Iterator<Item = &mut Exporter> {
        std::iter::once(&mut self.exporter).chain(&mut self.copies)
    }
}

/// The pipelines of metrics and logs that run.
#[derive(Debug, Default)]
pub(crate) struct Further {
    pub(crate) metrics: Option<Carried>,
    pub(crate) logs: Option<Carried>,
    /// Names of headers that they read.
    pub(crate) headers: Vec<String>,
    /// The first that they list.
    pub(crate) memory_limiter: Option<MemoryLimiter>,
}

impl Further {
    /// The signals that are carried, traces included.
    pub(crate) fn signals(&self) -> Vec<Signal> {
        let mut signals = vec![Signal::Traces];
        signals.extend(self.metrics.as_ref().map(|_| Signal::Metrics));
        signals.extend(self.logs.as_ref().map(|_| Signal::Logs));
        signals
    }
}

/// Reads the pipelines of metrics and logs. `receiver`: the one of the traces pipeline. Components that they use are
/// marked in `catalog`.
pub(crate) fn read_further(
    document: &Value,
    service: &Service<'_, '_>,
    receiver: Option<&str>,
    catalog: &Catalog<'_>,
    findings: &Findings,
) -> Further {
    let mut further = Further::default();
    for signal in [Signal::Metrics, Signal::Logs] {
        let mut running = Vec::new();
        for (_, id, entry) in service.further.iter().filter(|(kind, ..)| *kind == signal) {
            let own = Findings::default();
            match read_pipeline(document, id, signal, receiver, &own) {
                Ok(read) => running.push((entry, read, own)),
                Err(NotCarried { why, is_wanted: false }) => {
                    entry.no_effect(&format!("podstamp does not carry it: {why}"));
                }
                Err(NotCarried { why, is_wanted: true }) => not_carried(entry, &why),
            }
        }
        if running.len() > 1 {
            let why = format!("podstamp runs one pipeline of {}: merge them", signal.name());
            running.iter().for_each(|(entry, ..)| not_carried(entry, &why));
            continue;
        }
        let Some((_, RunnablePipeline { carried, headers, memory_limiter, used }, own)) = running.pop()
        else {
            continue;
        };
        findings.absorb(own);
        used.iter().for_each(|(kind, id)| catalog.mark_used(*kind, id));
        further.headers.extend(headers);
        further.memory_limiter = further.memory_limiter.or(memory_limiter);
        match signal {
            Signal::Traces | Signal::Metrics => further.metrics = Some(carried),
            Signal::Logs => further.logs = Some(carried),
        }
    }
    further
}

#[cold]
fn not_carried(pipeline: &Entry<'_>, why: &str) {
    pipeline.notice(Level::Warning, "config-not-carried", &format!("is not carried: {why}"));
}

/// A pipeline that can run.
struct RunnablePipeline {
    carried: Carried,
    headers: Vec<String>,
    memory_limiter: Option<MemoryLimiter>,
    /// Its components.
    used: Vec<(Kind, String)>,
}

/// Why a pipeline does not run.
struct NotCarried {
    why: String,
    /// Whether the pipeline has an exporter that podstamp has, so that somebody may count on it.
    is_wanted: bool,
}

/// Reads one pipeline by itself: its faults are not the document's.
#[cold]
fn read_pipeline(
    document: &Value,
    id: &str,
    signal: Signal,
    receiver: Option<&str>,
    findings: &Findings,
) -> Result<RunnablePipeline, NotCarried> {
    let mut root = Entry::root(document, findings).section();
    let catalog = Catalog::of_document(&mut root);
    let service = service::read_service(&root.take("service"), &catalog);
    let parts = service.further(id);
    let is_wanted = parts.as_ref().is_some_and(|parts| !parts.exporters.is_empty());
    let refuse = |why: String| NotCarried { why, is_wanted };
    let fault = || findings.first_fault().map(|fault| refuse(fault.to_string()));
    let (Some(parts), None) = (parts, fault()) else {
        return Err(fault().unwrap_or_else(|| refuse("it is not there".to_owned())));
    };

    let found = parts.receiver.map(|component| component.id);
    if found != receiver {
        return Err(refuse(
            "it receives elsewhere than the traces, and podstamp has one receiver".to_owned(),
        ));
    }
    let extensions = &service.extensions;
    let received =
        parts.receiver.map(|component| otlp::read_receiver(&component.entry, extensions, &Signal::ALL));
    let received = received.unwrap_or_default();
    let path = received.receiver.path(signal);
    if Signal::ALL.iter().any(|other| *other != signal && received.receiver.path(*other) == path) {
        return Err(refuse(format!("the receiver takes another signal at {path}")));
    }
    let include_metadata = received.include_metadata;
    let Parts { processors, exporters, .. } = parts;
    let Processors { steps, batch, memory_limiter } = read_processors(processors, include_metadata);
    let exporters = exporters_of(&exporters, extensions, signal, &Signal::ALL);
    order::check_order(&steps, &Rules::OTHER, signal, findings);
    if let Some(reason) = fault() {
        return Err(reason);
    }
    let unset = catalog.used().find_map(|component| unresolved(&component.entry));
    if let Some(path) = unset {
        return Err(refuse(format!("{path} has a variable that is not set")));
    }
    let headers = if include_metadata { headers(&steps) } else { Vec::new() };
    let mut exporters = exporters.into_iter();
    let Some(exporter) = exporters.next() else {
        return Err(refuse("it has no exporter".to_owned()));
    };
    let pipeline = Pipeline::new(steps.into_iter().map(|(_, step)| step).collect());
    let carried = Carried { pipeline, exporter, copies: exporters.collect(), rules: Rules::OTHER, batch };
    let used = catalog.used().map(|component| (component.kind, component.id.to_owned())).collect();
    Ok(RunnablePipeline { carried, headers, memory_limiter, used })
}

/// The path of the first text in which a reference to the environment is left.
#[cold]
fn unresolved(entry: &Entry<'_>) -> Option<String> {
    let mut rest = vec![(entry.path().to_owned(), entry.value()?)];
    while let Some((path, value)) = rest.pop() {
        match value {
            Value::String(text) if text.contains("${") => return Some(path),
            Value::Array(items) => {
                rest.extend(items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)));
            }
            Value::Object(map) => rest.extend(map.iter().map(|(key, item)| (format!("{path}.{key}"), item))),
            _ => {}
        }
    }
    None
}

/// What the processors of a pipeline come to.
#[derive(Default)]
pub(crate) struct Processors<'c> {
    /// Those that change resources, each with its path.
    pub(crate) steps: Vec<(&'c str, Step)>,
    pub(crate) batch: Option<Batching>,
    pub(crate) memory_limiter: Option<MemoryLimiter>,
}

/// Reads a pipeline's processors.
pub(crate) fn read_processors<'c>(
    processors: Vec<&'c Component<'_>>,
    include_metadata: bool,
) -> Processors<'c> {
    let mut read = Processors::default();
    for component in processors {
        let (entry, type_name) = (&component.entry, component.type_name());
        let is_further = if same("batch", type_name) {
            read.batch.replace(read_batch(entry)).is_some()
        } else if same("memory_limiter", type_name) {
            read.memory_limiter.replace(read_memory_limiter(entry)).is_some()
        } else {
            let step = match type_name {
                "resource" => Step::Resource(resource::read_actions(entry, include_metadata)),
                _ => Step::Kubernetes(k8sattributes::read_k8sattributes(entry)),
            };
            read.steps.push((entry.path(), step));
            false
        };
        if is_further {
            entry.notice(
                Level::Info,
                "config-replaced",
                "takes the place of the one ahead of it in the pipeline",
            );
        }
    }
    read
}

/// A pipeline's exporters. `carried`: the signals that have pipelines that run.
pub(crate) fn exporters_of(
    exporters: &[&Component<'_>],
    extensions: &Extensions<'_, '_>,
    signal: Signal,
    carried: &[Signal],
) -> Vec<Exporter> {
    let read = |component: &&Component<'_>| {
        otlphttp::read_exporter(component.id, &component.entry, extensions, signal, carried)
    };
    exporters.iter().map(read).collect()
}

/// Names of the headers that actions read.
pub(crate) fn headers(steps: &[(&str, Step)]) -> Vec<String> {
    let actions = steps.iter().flat_map(|(_, step)| match step {
        Step::Resource(actions) => actions.as_slice(),
        Step::Kubernetes(_) => &[],
    });
    actions.filter_map(|action| action.header().map(str::to_owned)).collect()
}
