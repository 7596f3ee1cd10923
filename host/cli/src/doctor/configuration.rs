//! Checks of podstamp's own configuration: its faults, its pipeline, and where its pods come from.

use std::path::PathBuf;

use http::StatusCode;
use podstamp::app;
use podstamp::config::{self, LoadError, Loaded, Unresolved};
use podstamp::pods::kubernetes::Failure;
use podstamp_core::config::{AuthType, Config, PodsFrom, Reading, Unset};
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

/// Reads the files that were named.
pub(super) fn read_files(files: &[PathBuf], standpoint: Standpoint) -> Read {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let names = names.join(", ");
    match document::read_files(files) {
        Ok(loaded) => judge(&names, loaded, standpoint),
        Err(error) => unreadable(&names, &error),
    }
}

/// The one that `serve` has where it is given none.
pub(super) fn default(standpoint: Standpoint) -> Read {
    match app::default_document() {
        Ok(document) => {
            let loaded = Loaded { document, notices: Vec::new(), unresolved: Unresolved::default() };
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
    let entries = installation.config_maps();
    if entries.is_empty() {
        return unnamed(
            "no --config is given, and no podstamp with a ConfigMap was found in the cluster".to_owned(),
        );
    }
    let mut texts = Vec::new();
    for entry in entries {
        match read_entry(api, entry).await {
            Ok(text) => texts.push(text),
            Err(read) => return read,
        }
    }
    let places: Vec<_> = texts.iter().map(|(place, _)| place.as_str()).collect();
    let place = places.join(" with ");
    let environment = |name: &str| installation.variable(name);
    match config::parse_all(&texts, &environment) {
        Ok(loaded) => judge(&place, loaded, Standpoint::Outside),
        Err(faults) => unreadable(&place, &LoadError::Faults(faults)),
    }
}

/// For where it cannot be told what the configuration is.
fn unnamed(why: String) -> Read {
    Read {
        finding: Finding::skipped(why).advise("name the file with --config to have it checked"),
        config: None,
    }
}

/// The text of an entry, and the name of its ConfigMap; else what is wrong with it.
async fn read_entry(api: &Api, entry: ConfigMapEntry) -> Result<(String, String), Read> {
    let ConfigMapEntry { namespace, name, entry } = entry;
    let place = format!("ConfigMap {namespace}/{name}");
    let map = match api.get::<ConfigMap>(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}")).await {
        Ok(map) => map,
        Err(Failure { status: Some(StatusCode::NOT_FOUND), .. }) => {
            let advice = "podstamp's pods name it as a volume, and cannot start again without it";
            let finding = Finding::failed(format!("{place} is not there"), advice);
            return Err(Read { finding, config: None });
        }
        Err(failure) => {
            return Err(unnamed(format!("{place} cannot be read from here: {}", failure.message)));
        }
    };
    let mut data = map.data.unwrap_or_default();
    let keys = data.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let key = entry.clone().or_else(|| data.keys().next().filter(|_| data.len() == 1).cloned());
    match key.and_then(|key| data.remove(&key)) {
        Some(text) => Ok((place, text)),
        None => {
            let wanted = entry.unwrap_or_else(|| "a single one".to_owned());
            let summary = format!("{place} has the entries {keys}; wanted is {wanted}");
            let advice = "correct --config in the arguments of podstamp's container";
            Err(Read { finding: Finding::failed(summary, advice).exits(Exit::Usage), config: None })
        }
    }
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

/// Where pods come from, as `serve` decides it where it runs: in a cluster, or outside of it.
pub(super) fn source(config: &Config, is_in_cluster: bool) -> Source {
    match &config.pods.from {
        Some(PodsFrom::File(path)) => Source::File(path.clone()),
        Some(PodsFrom::Podstamp { url, .. }) => Source::Podstamp(url.clone()),
        Some(PodsFrom::Kubernetes) => Source::Kubernetes,
        None if watches(config, is_in_cluster) => Source::Kubernetes,
        None => Source::Nowhere,
    }
}

/// Whether pods come from the Kubernetes API where the document does not say.
fn watches(config: &Config, is_in_cluster: bool) -> bool {
    let is_kubeconfig =
        config.kubernetes().is_ok_and(|kubernetes| kubernetes.auth_type == Some(AuthType::KubeConfig));
    config.looks_up_pods() && (is_in_cluster || is_kubeconfig)
}

/// What there is to say about it.
pub(super) fn check_source(config: &Config, source: &Source) -> Finding {
    match source {
        Source::Kubernetes => match config.kubernetes() {
            Ok(kubernetes) => {
                let selector = &kubernetes.selector;
                let node = selector.node().map(|node| format!(", those of node {node}"));
                let namespace =
                    selector.namespace.as_ref().map(|name| format!(", those of namespace {name}"));
                let which = node.or(namespace).unwrap_or_default();
                Finding::fine(format!("the Kubernetes API{which}"))
            }
            Err(fault) => Finding::failed(fault.to_string(), "correct that place").exits(Exit::Usage),
        },
        Source::File(path) => Finding::fine(format!("the file {path}")),
        Source::Podstamp(url) => Finding::fine(format!("the podstamp at {url}")),
        Source::Nowhere => Finding::warning(
            "none: spans are stamped with what they say of themselves, and with addresses of connections",
            "set podstamp.pods.from to `kubernetes` in a cluster, or podstamp.pods.file to what `kubectl get pods -A -o json` \
             prints",
        ),
    }
}
