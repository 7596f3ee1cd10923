//! Fills a table, one pod after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use podstamp_core::address;

use super::columns::{Columns, Pairs, Record};
use super::raw::{Item, Metadata, Spec, Status};
use super::strings::{Interner, Symbol};
use super::uid::Uid;

/// Which labels or annotations a table keeps. They cost memory and serve only the rules that name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// None.
    #[default]
    None,
    /// Those with one of these keys.
    Only(BTreeSet<String>),
    /// All.
    All,
}

impl Keys {
    /// Whether a key is kept.
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Only(keys) => keys.contains(key),
            Self::All => true,
        }
    }
}

/// What a table keeps of a pod beyond its plain parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Labels.
    pub labels: Keys,
    /// Annotations.
    pub annotations: Keys,
}

/// What was left out of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Pods without a name or with an address that is none.
    pub pods: u32,
    /// The first of them and what is wrong with it.
    pub first: Option<String>,
    /// Things in the list that are no pods.
    pub others: u32,
}

/// A table in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    keep: Keep,
    interner: Interner,
    records: Vec<Record>,
    addresses: Vec<IpAddr>,
    owners: Vec<u32>,
    nodes: BTreeSet<IpAddr>,
    labels: PairsBuilder,
    annotations: PairsBuilder,
    skipped: Skipped,
    seen: usize,
}

impl Builder {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// How many things were offered, pods or not, usable or not.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// What was left out so far.
    pub(super) fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Adds a pod, or counts why it cannot be.
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
            self.skipped.pods += 1;
            self.skipped.first.get_or_insert_with(|| format!("items[{position}] ({name:?}): {reason}"));
        }
    }

    /// The pods, what is kept of them and what was left out.
    pub(super) fn finish(self) -> (Columns, Keep, Skipped) {
        let columns = Columns {
            strings: self.interner.finish(),
            records: self.records.into_boxed_slice(),
            addresses: self.addresses.into_boxed_slice(),
            owners: self.owners.into_boxed_slice(),
            nodes: self.nodes.into_iter().collect(),
            labels: self.labels.finish(),
            annotations: self.annotations.finish(),
        };
        (columns, self.keep, self.skipped)
    }

    fn add_pod(&mut self, metadata: &Metadata, spec: &Spec, status: &Status) -> Result<(), String> {
        let name =
            metadata.name.as_deref().filter(|name| !name.is_empty()).ok_or("it has no metadata.name")?;
        let host_network = spec.host_network.unwrap_or_default();
        let addresses = parse_all("status.podIPs", status.addresses())?;
        let mut nodes = parse_all("status.hostIPs", status.node_addresses())?;
        if host_network {
            nodes.extend_from_slice(&addresses);
        }
        let record = self.record(name, metadata, spec, status, &addresses).ok_or("the table is full")?;

        let pod = u32::try_from(self.records.len()).map_err(|_| "the table is full")?;
        self.labels.add(metadata.labels.as_ref(), &self.keep.labels, &mut self.interner);
        self.annotations.add(metadata.annotations.as_ref(), &self.keep.annotations, &mut self.interner);
        self.owners.extend(addresses.iter().map(|_| pod));
        self.addresses.extend(addresses);
        self.nodes.extend(nodes);
        self.records.push(record);
        Ok(())
    }

    fn record(
        &mut self,
        name: &str,
        metadata: &Metadata,
        spec: &Spec,
        status: &Status,
        addresses: &[IpAddr],
    ) -> Option<Record> {
        let hostname = spec.hostname.as_deref().filter(|hostname| !hostname.is_empty()).unwrap_or(name);
        let created = metadata.creation_timestamp.as_deref().unwrap_or_default();
        let started = status.start_time.as_deref().unwrap_or(created);
        let ignore = metadata.annotations.as_ref().and_then(|annotations| annotations.get(IGNORE_ANNOTATION));
        let phase = status.phase.as_deref().unwrap_or_default();
        let strings = &mut self.interner;
        // What only this pod has comes first, so that it stands together.
        let name_symbol = strings.add(name)?;
        let created_symbol = strings.add(created)?;
        let started_symbol = if started == created { created_symbol } else { strings.add(started)? };
        let mut intern = |text: Option<&str>| strings.intern(text.unwrap_or_default());
        Some(Record {
            name: name_symbol,
            created: created_symbol,
            started: started_symbol,
            hostname: if hostname == name { name_symbol } else { intern(Some(hostname))? },
            namespace: intern(metadata.namespace.as_deref())?,
            node: intern(spec.node_name.as_deref())?,
            deployment: intern(metadata.deployment())?,
            phase: intern(Some(phase))?,
            uid: Uid::new(metadata.uid.as_deref().unwrap_or_default(), &mut self.interner)?,
            addresses: u32::try_from(self.addresses.len()).ok()?,
            address_count: u8::try_from(addresses.len()).ok()?,
            host_network: spec.host_network.unwrap_or_default(),
            finished: matches!(phase, "Succeeded" | "Failed"),
            deleting: metadata.deletion_timestamp.is_some(),
            ignored: ignore.is_some_and(|value| value == "true"),
        })
    }
}

/// Labels or annotations in the making.
#[derive(Debug, Default)]
struct PairsBuilder {
    pairs: Vec<(Symbol, Symbol)>,
    ends: Vec<u32>,
}

impl PairsBuilder {
    /// Adds those of the next pod.
    fn add(&mut self, pairs: Option<&BTreeMap<String, String>>, keys: &Keys, interner: &mut Interner) {
        if *keys == Keys::None {
            return;
        }
        for (key, value) in pairs.into_iter().flatten().filter(|(key, _)| keys.contains(key)) {
            self.pairs.extend(interner.intern(key).zip(interner.intern(value)));
        }
        self.ends.push(u32::try_from(self.pairs.len()).unwrap_or(u32::MAX));
    }

    fn finish(self) -> Pairs {
        Pairs { pairs: self.pairs.into_boxed_slice(), ends: self.ends.into_boxed_slice() }
    }
}

/// Reads addresses, each kept once.
fn parse_all<'a>(field: &str, texts: impl Iterator<Item = &'a str>) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for text in texts {
        let address = address::parse(text).ok_or_else(|| format!("{text:?} in {field} is no IP address"))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// What a pod says in the Collector's k8sattributes so as not to be found.
const IGNORE_ANNOTATION: &str = "opentelemetry.io/k8s-processor/ignore";
