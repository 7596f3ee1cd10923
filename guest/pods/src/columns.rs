//! Where a table keeps its pods: flat arrays, since a cluster may have 100,000 of them.

use std::net::IpAddr;

use podstamp_core::directory::{Details, Pod, Term};

use crate::containers::Containers;
use crate::strings::{Strings, Symbol};
use crate::uid::Uid;

/// The pods of a table. A pod is a number.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) strings: Strings,
    pub(crate) records: Box<[Record]>,
    /// Addresses of all pods, end to end.
    pub(crate) addresses: Box<[IpAddr]>,
    /// The pod that has each address.
    pub(crate) owners: Box<[u32]>,
    /// Addresses of nodes, sorted.
    pub(crate) nodes: Box<[IpAddr]>,
    pub(crate) labels: Pairs,
    pub(crate) annotations: Pairs,
    pub(crate) containers: Containers,
}

/// The plain parts of a pod.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) uid: Uid,
    pub(crate) name: Symbol,
    pub(crate) namespace: Symbol,
    pub(crate) node: Symbol,
    pub(crate) hostname: Symbol,
    pub(crate) deployment: Symbol,
    pub(crate) phase: Symbol,
    /// `metadata.creationTimestamp`.
    pub(crate) created: Symbol,
    /// `status.startTime` or, while that is unset, `metadata.creationTimestamp`.
    pub(crate) started: Symbol,
    /// Where its addresses begin.
    pub(crate) addresses: u32,
    /// How many addresses it has.
    pub(crate) address_count: u8,
    pub(crate) host_network: bool,
    /// The pod has run to its end and given its addresses back.
    pub(crate) finished: bool,
    /// Kubernetes was told to delete it.
    pub(crate) deleting: bool,
    /// The pod's owner does not want it found.
    pub(crate) ignored: bool,
}

impl Record {
    /// Whether the pod is neither finished nor about to be deleted.
    pub(crate) fn is_live(&self) -> bool {
        !(self.finished || self.deleting)
    }

    /// Whether the pod's addresses are its own, and it still has them.
    pub(crate) fn owns_addresses(&self) -> bool {
        !(self.finished || self.host_network)
    }
}

/// A text of a pod by which it can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextField<'a> {
    Namespace,
    Node,
    Hostname,
    Deployment,
    Label(&'a str),
    Annotation(&'a str),
}

impl Columns {
    pub(crate) fn record(&self, pod: u32) -> Option<&Record> {
        self.records.get(pod as usize)
    }

    pub(crate) fn name(&self, pod: u32) -> &str {
        self.record(pod).map_or("", |record| self.strings.text(record.name))
    }

    /// The text of a pod in a field; `None` where it is empty.
    pub(crate) fn value(&self, pod: u32, field: TextField<'_>) -> Option<&str> {
        let record = self.record(pod)?;
        let symbol = match field {
            TextField::Namespace => record.namespace,
            TextField::Node => record.node,
            TextField::Hostname => record.hostname,
            TextField::Deployment => record.deployment,
            TextField::Label(key) => return self.pair(&self.labels, pod, key),
            TextField::Annotation(key) => return self.pair(&self.annotations, pod, key),
        };
        Some(self.strings.text(symbol)).filter(|text| !text.is_empty())
    }

    /// The addresses of a pod, the primary one first.
    pub(crate) fn addresses(&self, record: &Record) -> &[IpAddr] {
        let start = record.addresses as usize;
        self.addresses.get(start..start + usize::from(record.address_count)).unwrap_or_default()
    }

    /// Whether a pod meets a condition.
    pub(crate) fn meets(&self, pod: u32, record: &Record, term: Term<'_>) -> bool {
        match term {
            Term::Ip(address) => {
                record.owns_addresses() && self.addresses(record).contains(&address.to_canonical())
            }
            Term::Uid(uid) => record.uid.is(uid, &self.strings),
            Term::Name(name) => self.strings.text(record.name) == name,
            Term::Namespace(value) => self.value(pod, TextField::Namespace) == Some(value),
            Term::Node(value) => self.value(pod, TextField::Node) == Some(value),
            Term::Hostname(value) => self.value(pod, TextField::Hostname) == Some(value),
            Term::Deployment(value) => self.value(pod, TextField::Deployment) == Some(value),
            Term::Label(key, value) => self.value(pod, TextField::Label(key)) == Some(value),
            Term::Annotation(key, value) => self.value(pod, TextField::Annotation(key)) == Some(value),
            Term::Container(id) => self.containers.has_id(pod, id),
            Term::ContainerName(name) => self.containers.has_name(pod, name, &self.strings),
        }
    }

    /// A pod in full.
    pub(crate) fn pod(&self, pod: u32, record: &Record, want: Details) -> Pod {
        let text = |symbol| self.strings.text(symbol).to_owned();
        let pairs = |wanted, pairs: &Pairs| if wanted { self.texts(pairs, pod) } else { Vec::new() };
        Pod {
            name: text(record.name),
            namespace: text(record.namespace),
            uid: record.uid.text(&self.strings),
            ips: self.addresses(record).to_vec(),
            host_network: record.host_network,
            released: None,
            node: text(record.node),
            hostname: text(record.hostname),
            start_time: text(record.created),
            deployment: text(record.deployment),
            phase: text(record.phase),
            labels: pairs(want.labels, &self.labels),
            annotations: pairs(want.annotations, &self.annotations),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.strings.memory()
            + size_of_val(&*self.records)
            + size_of_val(&*self.addresses)
            + size_of_val(&*self.owners)
            + size_of_val(&*self.nodes)
            + self.labels.memory()
            + self.annotations.memory()
            + self.containers.memory()
    }

    fn pair(&self, pairs: &Pairs, pod: u32, key: &str) -> Option<&str> {
        let (_, value) = pairs.of(pod).iter().find(|(name, _)| self.strings.text(*name) == key)?;
        Some(self.strings.text(*value))
    }

    fn texts(&self, pairs: &Pairs, pod: u32) -> Vec<(String, String)> {
        let text = |symbol: &Symbol| self.strings.text(*symbol).to_owned();
        pairs.of(pod).iter().map(|(key, value)| (text(key), text(value))).collect()
    }
}

/// Labels or annotations of all pods, end to end.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) pairs: Box<[(Symbol, Symbol)]>,
    /// Where those of each pod end. Empty where none are kept.
    pub(crate) ends: Box<[u32]>,
}

impl Pairs {
    pub(crate) fn of(&self, pod: u32) -> &[(Symbol, Symbol)] {
        let end = |index: usize| self.ends.get(index).map(|end| *end as usize);
        let index = pod as usize;
        let start = index.checked_sub(1).map_or(Some(0), end);
        start.zip(end(index)).and_then(|(start, end)| self.pairs.get(start..end)).unwrap_or_default()
    }

    fn memory(&self) -> usize {
        size_of_val(&*self.pairs) + size_of_val(&*self.ends)
    }
}
