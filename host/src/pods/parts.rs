//! What a table keeps of a pod as Kubernetes writes it: the same of a file as of the API.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use podstamp_core::address;
use podstamp_pods::{Pair, PodParts};

use super::raw::{Item, Spec, Status};

impl Item {
    /// `metadata.resourceVersion`.
    pub(super) fn version(&self) -> Option<&str> {
        self.metadata.as_ref()?.resource_version.as_deref()
    }

    /// The pod. An error says which part is none of a pod's.
    pub(super) fn parts(&self) -> Result<PodParts<'_>, String> {
        let metadata = self.metadata.as_ref();
        let spec = self.spec.as_ref();
        let status = self.status.as_ref();
        let annotations = metadata.and_then(|metadata| metadata.annotations.as_ref());
        let ignore = annotations.and_then(|annotations| annotations.get(IGNORE_ANNOTATION));
        let phase = text(status.and_then(|status| status.phase.as_ref()));
        Ok(PodParts {
            name: text(metadata.and_then(|metadata| metadata.name.as_ref())),
            namespace: text(metadata.and_then(|metadata| metadata.namespace.as_ref())),
            uid: text(metadata.and_then(|metadata| metadata.uid.as_ref())),
            ips: parse_all("status.podIPs", status.into_iter().flat_map(Status::addresses))?,
            node: text(spec.and_then(|spec| spec.node_name.as_ref())),
            node_ips: parse_all("status.hostIPs", status.into_iter().flat_map(Status::node_addresses))?,
            hostname: text(spec.and_then(|spec| spec.hostname.as_ref())),
            deployment: metadata.and_then(|metadata| metadata.deployment()).unwrap_or_default().into(),
            created: text(metadata.and_then(|metadata| metadata.creation_timestamp.as_ref())),
            started: text(status.and_then(|status| status.start_time.as_ref())),
            labels: pairs(metadata.and_then(|metadata| metadata.labels.as_ref())),
            annotations: pairs(annotations),
            containers: containers(spec, status),
            host_network: spec.and_then(|spec| spec.host_network).unwrap_or_default(),
            finished: matches!(&*phase, "Succeeded" | "Failed"),
            deleting: metadata.is_some_and(|metadata| metadata.deletion_timestamp.is_some()),
            ignored: ignore.is_some_and(|value| value == "true"),
            phase,
        })
    }
}

fn text(part: Option<&String>) -> Cow<'_, str> {
    Cow::Borrowed(part.map_or("", String::as_str))
}

/// Containers with their ids. Those that have not been started yet have a name alone.
fn containers<'a>(spec: Option<&'a Spec>, status: Option<&'a Status>) -> Vec<Pair<'a>> {
    let started: Vec<_> = status.into_iter().flat_map(Status::containers).collect();
    let names: HashSet<&str> = started.iter().map(|(name, _)| *name).collect();
    let others = spec.into_iter().flat_map(Spec::containers).filter(|name| !names.contains(name));
    let others: Vec<_> = others.map(|name| (name.into(), "".into())).collect();
    started.into_iter().map(|(name, id)| (name.into(), id.into())).chain(others).collect()
}

fn pairs(map: Option<&BTreeMap<String, String>>) -> Vec<Pair<'_>> {
    map.into_iter().flatten().map(|(key, value)| (key.into(), value.into())).collect()
}

fn parse_all<'a>(field: &str, texts: impl Iterator<Item = &'a str>) -> Result<Vec<IpAddr>, String> {
    let parse = |text| address::parse(text).ok_or_else(|| format!("{text:?} in {field} is no IP address"));
    texts.map(parse).collect()
}

/// The annotation by which a pod asks the Collector's k8sattributes not to be found.
const IGNORE_ANNOTATION: &str = "opentelemetry.io/k8s-processor/ignore";
