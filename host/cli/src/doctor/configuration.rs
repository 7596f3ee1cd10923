//! Checks of podstamp's own configuration: its faults, its pipeline, and where its pods come from.

use std::path::PathBuf;

use http::StatusCode;
use podstamp::app::{self, PodsChoice};
use podstamp::config::{self, LoadError, Loaded, Unresolved};
use podstamp::pods::kubernetes::{Failure, Surroundings};
use podstamp_core::config::{Config, Fault, PodsFrom, Reading, Unset};
use podstamp_core::interface::{Level, Signal};

use super::finding::Finding;
use super::kubernetes::Api;
use super::kubernetes::installation::{ConfigMapEntry, Installation};
use super::kubernetes::objects::ConfigMap;
use super::standpoint::Standpoint;
use crate::document;
use crate::exit::Exit;

/// A configuration, or why there is none.
pub(super) struct Read {
    pub(super) finding: Finding,
    pub(super) config: Option<Config>,
}

impl Read {
    /// A configuration that cannot be seen from here.
    fn unseen(why: String) -> Self {
        let finding = Finding::skipped(why).advise("name the file with --config to have it checked");
        Self { finding, config: None }
    }
}

/// The files that were named. They are read once: one of them may be standard input.
pub(super) struct Files {
    names: String,
    loaded: Result<Loaded, LoadError>,
}

impl Files {
    pub(super) fn read(files: &[PathBuf]) -> Self {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        Self { names: names.join(", "), loaded: document::read_files(files) }
    }

    /// What they say, seen from somewhere.
    pub(super) fn judge(&self, standpoint: Standpoint) -> Read {
        match &self.loaded {
            Ok(loaded) => judge(&self.names, loaded.clone(), standpoint),
            Err(error) => unreadable(&self.names, error),
        }
    }
}

/// The one that `serve` has where it is given none.
pub(super) fn default(standpoint: Standpoint) -> Read {
    match app::default_document() {
        Ok(document) => {
            let written = document.clone();
            let loaded = Loaded { document, written, notices: Vec::new(), unresolved: Unresolved::default() };
            judge("that of `podstamp serve` without --config", loaded, standpoint)
        }
        Err(error) => Read {
            finding: Finding::failed(error.to_string(), "please report this").exits(Exit::Internal),
            config: None,
        },
    }
}

/// Reads the ConfigMaps of the podstamp that runs in the cluster.
pub(super) async fn read_config_maps(api: &Api, installation: &Installation) -> Read {
    let entries = match installation.config_maps() {
        Ok(entries) => entries,
        Err(why) => return Read::unseen(why),
    };
    let mut texts = Vec::new();
    for entry in entries {
        match text(api, &entry).await {
            Ok(text) => texts.push((entry.place(), text)),
            Err(read) => return *read,
        }
    }
    let places: Vec<_> = texts.iter().map(|(place, _)| place.as_str()).collect();
    let places = places.join(" with ");
    let environment = |name: &str| installation.first()?.variable(name);
    match config::parse_all(&texts, &environment) {
        Ok(loaded) => judge(&places, loaded, Standpoint::Outside),
        Err(faults) => unreadable(&places, &LoadError::Faults(faults)),
    }
}

async fn text(api: &Api, entry: &ConfigMapEntry) -> Result<String, Box<Read>> {
    let place = entry.place();
    let failed = |summary: String, advice: &str, exit: Exit| {
        Box::new(Read { finding: Finding::failed(summary, advice).exits(exit), config: None })
    };
    let path = format!("/api/v1/namespaces/{}/configmaps/{}", entry.namespace, entry.name);
    let mut data = match api.get::<ConfigMap>(&path).await {
        Ok(map) => map.data.unwrap_or_default(),
        Err(Failure { status: Some(StatusCode::NOT_FOUND), .. }) => {
            let advice = "podstamp's pods name it as a volume, and cannot start again without it";
            return Err(failed(format!("{place} is not there"), advice, Exit::Unavailable));
        }
        Err(failure) => {
            let why = format!("{place} cannot be read from here: {}", failure.message);
            return Err(Box::new(Read::unseen(why)));
        }
    };
    data.remove(&entry.entry).ok_or_else(|| {
        let keys: Vec<_> = data.keys().map(String::as_str).collect();
        let summary = format!("{place} has the entries {}; wanted is {}", keys.join(", "), entry.entry);
        failed(summary, "correct --config in the arguments of podstamp's container", Exit::Usage)
    })
}

fn unreadable(place: &str, error: &LoadError) -> Read {
    let finding = match error {
        LoadError::Faults(faults) => {
            Finding::failed(format!("{place} is no configuration"), "correct these places")
                .details(faults.iter().map(ToString::to_string))
                .exits(Exit::Usage)
        }
        error => Finding::failed(chain(error), "correct --config").exits(Exit::NoInput),
    };
    Read { finding, config: None }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn judge(place: &str, loaded: Loaded, standpoint: Standpoint) -> Read {
    // In its pod `serve` would find the variables and files that are here; elsewhere others may be set.
    let Reading { config, faults, .. } = match standpoint {
        Standpoint::Inside => document::read_whole(loaded, Unset::Refused),
        Standpoint::Alone => document::read_whole(loaded, Unset::Warned),
        Standpoint::Outside => document::read_text(loaded, Unset::Warned),
    };
    if !faults.is_empty() {
        let number = faults.len();
        let (verb, noun) = if number == 1 { ("this place", "fault") } else { ("these places", "faults") };
        let finding = Finding::failed(format!("{place} has {number} {noun}"), format!("correct {verb}"))
            .details(faults.iter().map(ToString::to_string))
            .exits(Exit::Usage);
        return Read { finding, config: None };
    }
    let warnings = config.notices.iter().filter(|notice| notice.level != Level::Info);
    let warnings: Vec<_> = warnings.map(|notice| format!("{}: {}", notice.key, notice.message)).collect();
    let finding = if warnings.is_empty() {
        Finding::fine(format!("{place} has no faults"))
    } else {
        Finding::warning(format!("{place} has no faults, and something to think about"), "read what they say")
            .details(warnings)
    };
    Read { finding, config: Some(config) }
}

/// Where each signal goes, and what happens to traces on the way.
pub(super) fn pipeline(config: &Config) -> Finding {
    let traces = &config.traces;
    let finding = Finding::fine(format!("traces go to {}", traces.exporter.url));
    let copies = traces.copies.iter().map(|copy| format!("copies of them to {}", copy.url));
    let others = [Signal::Metrics, Signal::Logs].into_iter().filter_map(|signal| {
        Some(format!("{} go to {}", signal.name(), config.carried(signal)?.exporter.url))
    });
    let details: Vec<_> = copies.chain(others).collect();
    let finding = finding.details(details);
    if traces.exporter.is_agent && !traces.rules.require_host_ip {
        let advice = "without it resources leave without app.host.ip where the pipeline writes none: set podstamp.guard.enabled \
                      to true";
        return Finding::warning(format!("{}, with the guard off", finding.summary), advice)
            .details(finding.details);
    }
    finding
}

/// Where pods come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Kubernetes,
    File(String),
    Podstamp(String),
    Nowhere,
}

/// Where pods come from, as `serve` decides it in these surroundings. The error is a fault of the configuration.
pub(super) fn source(config: &Config, surroundings: &Surroundings) -> Result<Source, Fault> {
    if let Some(PodsFrom::Podstamp { url, .. }) = &config.pods.from {
        return Ok(Source::Podstamp(url.clone()));
    }
    let (choice, _) = app::choose_pods(config, None, surroundings)?;
    if let PodsChoice::File(path) = &choice {
        return Ok(Source::File(path.display().to_string()));
    }
    Ok(if matches!(choice, PodsChoice::Kubernetes(_)) { Source::Kubernetes } else { Source::Nowhere })
}

/// What there is to say about it.
pub(super) fn check_source(config: &Config, source: &Result<Source, Fault>) -> Finding {
    match source {
        Ok(Source::Kubernetes) => {
            let selector = config.kubernetes().map(|kubernetes| kubernetes.selector).unwrap_or_default();
            let node = selector.node().map(|node| format!(", those of node {node}"));
            let namespace = selector.namespace.as_ref().map(|name| format!(", those of namespace {name}"));
            let which = node.or(namespace).unwrap_or_default();
            Finding::fine(format!("the Kubernetes API{which}"))
        }
        Ok(Source::File(path)) => Finding::fine(format!("the file {path}")),
        Ok(Source::Podstamp(url)) => Finding::fine(format!("the podstamp at {url}")),
        Ok(Source::Nowhere) => Finding::warning(
            "none: spans are stamped with what they say of themselves, and with addresses of connections",
            "set podstamp.pods.from to `kubernetes` in a cluster, or podstamp.pods.file to what `kubectl get pods -A -o json` \
             prints",
        ),
        Err(fault) => Finding::failed(fault.to_string(), "correct that place").exits(Exit::Usage),
    }
}
