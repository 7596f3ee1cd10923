//! The items of a list of pods, on their way into a table.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::directory::Fields;
use podstamp_pods::{Coverage, KeptKeys, Pair, PodParts, Skipped, Table};

use super::raw::{Item, Metadata, Spec, Status};

/// A table in the making, and what the list has held so far.
#[derive(Debug)]
pub(super) struct Items {
    table: Table,
    skipped: Skipped,
    seen: usize,
}

impl Items {
    pub(super) fn new(kept_keys: KeptKeys, coverage: Coverage) -> Self {
        let table = Table::new(Fields::ALL, kept_keys, coverage);
        Self { table, skipped: Skipped::default(), seen: 0 }
    }

    /// Adds a pod, or counts why it cannot be added.
    pub(super) fn add(&mut self, item: Option<Item>) {
        let position = self.seen;
        self.seen += 1;
        let item = item.unwrap_or_default();
        if item.kind.as_deref().is_some_and(|kind| kind != "Pod") {
            self.skipped.others += 1;
            return;
        }
        let metadata = item.metadata.unwrap_or_default();
        if let Err(reason) =
            self.add_pod(&metadata, &item.spec.unwrap_or_default(), &item.status.unwrap_or_default())
        {
            let name = metadata.name.as_deref().unwrap_or_default();
            self.skipped.skip_pod(|| format!("items[{position}] ({name:?}): {reason}"));
        }
    }

    /// Whether the list held things, and none of them was a pod.
    pub(super) fn are_no_pods(&self) -> bool {
        let others = self.skipped.others;
        others > 0 && self.seen == others as usize
    }

    pub(super) fn finish(mut self) -> Table {
        self.table.set_skipped(self.skipped);
        self.table
    }

    fn add_pod(&mut self, metadata: &Metadata, spec: &Spec, status: &Status) -> Result<(), String> {
        let ignore = metadata.annotations.as_ref().and_then(|annotations| annotations.get(IGNORE_ANNOTATION));
        let phase = text(status.phase.as_ref());
        let pod = PodParts {
            name: text(metadata.name.as_ref()),
            namespace: text(metadata.namespace.as_ref()),
            uid: text(metadata.uid.as_ref()),
            ips: parse_all("status.podIPs", status.addresses())?,
            node: text(spec.node_name.as_ref()),
            node_ips: parse_all("status.hostIPs", status.node_addresses())?,
            hostname: text(spec.hostname.as_ref()),
            deployment: metadata.deployment().unwrap_or_default().into(),
            created: text(metadata.creation_timestamp.as_ref()),
            started: text(status.start_time.as_ref()),
            labels: pairs(metadata.labels.as_ref()),
            annotations: pairs(metadata.annotations.as_ref()),
            containers: containers(spec, status),
            host_network: spec.host_network.unwrap_or_default(),
            finished: matches!(&*phase, "Succeeded" | "Failed"),
            deleting: metadata.deletion_timestamp.is_some(),
            ignored: ignore.is_some_and(|value| value == "true"),
            phase,
        };
        self.table.upsert(&pod).map_err(|error| error.to_string())?;
        Ok(())
    }
}

fn text(part: Option<&String>) -> Cow<'_, str> {
    Cow::Borrowed(part.map_or("", String::as_str))
}

/// Containers with their ids. Those that have not been started yet have a name alone.
fn containers<'a>(spec: &'a Spec, status: &'a Status) -> Vec<Pair<'a>> {
    let started: Vec<Pair<'a>> = status.containers().map(|(name, id)| (name.into(), id.into())).collect();
    let is_started = |name: &&str| started.iter().any(|(known, _)| known == name);
    let others: Vec<_> =
        spec.containers().filter(|name| !is_started(name)).map(|name| (name.into(), "".into())).collect();
    started.into_iter().chain(others).collect()
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
