//! `service`: which components make up the pipelines, in which order.

use crate::config::catalog::{Catalog, Component};
use crate::config::collector;
use crate::config::collector::component::{Kind, Role};
use crate::config::document::{Entry, hint};
use crate::config::extensions::Extensions;
use crate::interface::Level;
use crate::signal::Signal;

/// The section, as far as it is read.
#[derive(Debug)]
pub(crate) struct Service<'c, 'd> {
    pub(crate) extensions: Extensions<'c, 'd>,
    catalog: &'c Catalog<'d>,
    pipelines: Entry<'d>,
    traces: Vec<Entry<'d>>,
    /// Pipelines of metrics and logs, with their ids.
    pub(crate) further: Vec<(Signal, &'d str, Entry<'d>)>,
}

/// A pipeline, down to the components that podstamp has. Where it is at fault, what is to be looked at for further faults.
#[derive(Debug)]
pub(crate) struct Parts<'c, 'd> {
    /// None: the default one.
    pub(crate) receiver: Option<&'c Component<'d>>,
    pub(crate) processors: Vec<&'c Component<'d>>,
    /// The first one's answer is the client's. Empty: the default one.
    pub(crate) exporters: Vec<&'c Component<'d>>,
}

/// Reads `service`.
pub(crate) fn read_service<'c, 'd>(service: &Entry<'d>, catalog: &'c Catalog<'d>) -> Service<'c, 'd> {
    let mut section = service.section();
    let extensions = Extensions::started(&section.take("extensions"), catalog);
    let telemetry = section.take("telemetry").with_default(collector::telemetry());
    if telemetry.is_set() {
        telemetry.no_effect("podstamp's own log and metrics are set on its command line");
    }
    let pipelines = section.take("pipelines");
    section.close();

    let (mut traces, mut further) = (Vec::new(), Vec::new());
    for (id, pipeline) in pipelines.entries() {
        match id.split('/').next().unwrap_or_default() {
            "traces" => traces.push(pipeline),
            "metrics" => further.push((Signal::Metrics, id, pipeline)),
            "logs" => further.push((Signal::Logs, id, pipeline)),
            "profiles" => pipeline.no_effect("podstamp carries no profiles"),
            other => {
                let hint = hint(other, ["traces", "metrics", "logs", "profiles"]);
                pipeline.fault(format!("unknown kind of pipeline{hint}"));
            }
        }
    }
    Service { extensions, catalog, pipelines, traces, further }
}

impl<'c, 'd> Service<'c, 'd> {
    /// The traces pipeline.
    pub(crate) fn traces(&self) -> Parts<'c, 'd> {
        let catalog = self.catalog;
        let Some((pipeline, further)) = self.traces.split_first() else {
            self.pipelines.child("traces", None).fault(missing_pipeline(catalog));
            return Parts {
                receiver: catalog.supported(Kind::Receiver).next(),
                processors: catalog.supported(Kind::Processor).collect(),
                exporters: catalog.supported(Kind::Exporter).collect(),
            };
        };
        for pipeline in further {
            pipeline.fault("podstamp runs one traces pipeline: merge them, or run one podstamp for each");
        }
        read_pipeline(pipeline, catalog, Signal::Traces)
    }

    /// The pipeline of metrics or logs with that id.
    pub(crate) fn further(&self, id: &str) -> Option<Parts<'c, 'd>> {
        let (signal, _, pipeline) = self.further.iter().find(|(_, known, _)| *known == id)?;
        Some(read_pipeline(pipeline, self.catalog, *signal))
    }
}

fn read_pipeline<'c, 'd>(pipeline: &Entry<'d>, catalog: &'c Catalog<'d>, signal: Signal) -> Parts<'c, 'd> {
    let mut section = pipeline.section();
    let receivers = section.take("receivers");
    let processors = section.take("processors");
    let exporters = section.take("exporters");
    section.close();

    if signal != Signal::Traces && !exporters.is_filled() {
        exporters.fault(format!("is missing: where do {} go?", signal.name()));
    }
    Parts {
        receiver: if receivers.is_filled() {
            only(&receivers, &resolve(&receivers, Kind::Receiver, catalog), "otlp")
        } else {
            implied_receiver(&receivers, catalog)
        },
        processors: resolve(&processors, Kind::Processor, catalog).components,
        exporters: if exporters.is_filled() {
            several(&exporters, resolve(&exporters, Kind::Exporter, catalog))
        } else if signal != Signal::Traces {
            Vec::new()
        } else {
            implied_exporter(&exporters, catalog).into_iter().collect()
        },
    }
}

/// What a list refers to.
struct Resolved<'c, 'd> {
    /// The components that podstamp has.
    components: Vec<&'c Component<'d>>,
    /// Whether something in it is at fault, so that nothing can be said of the list as a whole.
    faulty: bool,
}

fn resolve<'c, 'd>(list: &Entry<'_>, kind: Kind, catalog: &'c Catalog<'d>) -> Resolved<'c, 'd> {
    let mut resolved = Resolved { components: Vec::new(), faulty: false };
    let mut seen = Vec::new();
    for reference in list.list() {
        let Some(id) = reference.text() else {
            resolved.faulty = true;
            continue;
        };
        if seen.contains(&id) {
            reference.fault(format!("`{id}` stands twice in this list"));
            continue;
        }
        let connector = || match kind {
            Kind::Receiver | Kind::Exporter => catalog.find(Kind::Connector, &id),
            _ => None,
        };
        match catalog.find(kind, &id).or_else(connector) {
            None => {
                if catalog.is_known(kind) {
                    let hint = hint(&id, catalog.of(kind).map(|component| component.id));
                    reference.fault(format!("`{}` defines no `{id}`{hint}", kind.section()));
                }
                resolved.faulty = true;
            }
            Some(component) => {
                component.mark_used();
                match component.role {
                    Role::Supported => resolved.components.push(component),
                    Role::Inert(_) => {}
                    Role::Missing => {
                        let (type_name, kind) = (component.type_name(), component.kind);
                        reference.fault(format!(
                            "podstamp has no `{type_name}` {}, and leaving it out would lose or change data{}",
                            kind.name(),
                            kind.hint(type_name)
                        ));
                        resolved.faulty = true;
                    }
                }
            }
        }
        seen.push(id);
    }
    resolved
}

/// The component that a list comes down to.
fn only<'c, 'd>(list: &Entry<'_>, resolved: &Resolved<'c, 'd>, name: &str) -> Option<&'c Component<'d>> {
    match resolved.components.as_slice() {
        [_] => {}
        [] if resolved.faulty => {}
        [] => list.fault(format!("names no `{name}`, the only one that podstamp has")),
        _ => list.fault(format!("names several `{name}`: podstamp has one, so keep one")),
    }
    resolved.components.first().copied()
}

/// The exporters that a list comes down to.
fn several<'c, 'd>(list: &Entry<'_>, resolved: Resolved<'c, 'd>) -> Vec<&'c Component<'d>> {
    match resolved.components.as_slice() {
        [] if resolved.faulty => {}
        [] => list.fault("names no `otlphttp`, the only one that podstamp has"),
        [_] => {}
        [first, ..] => {
            let message = format!(
                "clients get the answer of `{}`; the others get copies, and nobody waits for them: what they do \
                 not take is counted and lost",
                first.id
            );
            list.notice(Level::Info, "config-copies", &message);
        }
    }
    resolved.components
}

fn implied_receiver<'c, 'd>(list: &Entry<'_>, catalog: &'c Catalog<'d>) -> Option<&'c Component<'d>> {
    let defined: Vec<_> = catalog.supported(Kind::Receiver).collect();
    if defined.is_empty() {
        list.notice(
            Level::Info,
            "config-default",
            "missing, so OTLP/HTTP and OTLP/gRPC are received on their default addresses",
        );
        return None;
    }
    defined.iter().for_each(|receiver| receiver.mark_used());
    only(list, &Resolved { components: defined, faulty: false }, "otlp")
}

/// DeepFlow's page shows the exporter in one snippet and the pipeline in another, which names none.
fn implied_exporter<'c, 'd>(list: &Entry<'_>, catalog: &'c Catalog<'d>) -> Option<&'c Component<'d>> {
    let supported: Vec<_> = catalog.supported(Kind::Exporter).collect();
    if let [exporter] = supported.as_slice() {
        exporter.mark_used();
        let message = format!("missing, so `{}` is used, the only one", exporter.id);
        list.notice(Level::Info, "config-default", &message);
        return Some(exporter);
    }
    let defined: Vec<_> = catalog.of(Kind::Exporter).map(|exporter| exporter.id).collect();
    if !defined.is_empty() {
        list.fault(format!("is missing: add `exporters: [...]`, with one of {}", defined.join(", ")));
    }
    None
}

fn missing_pipeline(catalog: &Catalog<'_>) -> String {
    let defined: Vec<_> = catalog.of(Kind::Processor).map(|processor| processor.id).collect();
    if defined.is_empty() {
        return "is missing: it says which processors run, in which order, and which exporter sends"
            .to_owned();
    }
    format!(
        "is missing: add `processors: [{}]` to it, in the order in which they shall run",
        defined.join(", ")
    )
}
