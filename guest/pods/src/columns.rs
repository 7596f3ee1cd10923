//! Where a table keeps its pods: flat arrays, since a cluster may have 100,000 of them.

use std::net::IpAddr;

use podstamp_core::directory::{Details, Pod, Term};

use super::strings::{Strings, Symbol};
use super::uid::Uid;

/// The pods of a table. A pod is a number.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) strings: Strings,
    pub(super) records: Box<[Record]>,
    /// Addresses of all pods, end to end.
    pub(super) addresses: Box<[IpAddr]>,
    /// Whose each address is.
    pub(super) owners: Box<[u32]>,
    /// Addresses of nodes, sorted.
    pub(super) nodes: Box<[IpAddr]>,
    pub(super) labels: Pairs,
    pub(super) annotations: Pairs,
}

/// The plain parts of a pod.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) uid: Uid,
    pub(super) name: Symbol,
    pub(super) namespace: Symbol,
    pub(super) node: Symbol,
    pub(super) hostname: Symbol,
    pub(super) deployment: Symbol,
    pub(super) phase: Symbol,
    /// `metadata.creationTimestamp`.
    pub(super) created: Symbol,
    /// `status.startTime` or, while that is unset, `metadata.creationTimestamp`.
    pub(super) started: Symbol,
    /// Where its addresses begin.
    pub(super) addresses: u32,
    /// How many addresses it has.
    pub(super) address_count: u8,
    pub(super) host_network: bool,
    /// It has run to its end and given its addresses back.
    pub(super) finished: bool,
    /// Kubernetes was told to delete it.
    pub(super) deleting: bool,
    /// Its owner does not want it found.
    pub(super) ignored: bool,
}

impl Record {
    /// Neither finished nor on its way out.
    pub(super) fn is_live(&self) -> bool {
        !(self.finished || self.deleting)
    }

    /// Its addresses are its own, and it still has them.
    pub(super) fn owns_addresses(&self) -> bool {
        !(self.finished || self.host_network)
    }
}

/// A text of a pod by which it can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Namespace,
    Node,
    Hostname,
    Deployment,
    Label(&'a str),
    Annotation(&'a str),
}

impl Columns {
    pub(super) fn record(&self, pod: u32) -> Option<&Record> {
        self.records.get(pod as usize)
    }

    pub(super) fn name(&self, pod: u32) -> &str {
        self.record(pod).map_or("", |record| self.strings.text(record.name))
    }

    /// What a pod has in a field; none where that is empty.
    pub(super) fn value(&self, pod: u32, field: Field<'_>) -> Option<&str> {
        let record = self.record(pod)?;
        let symbol = match field {
            Field::Namespace => record.namespace,
            Field::Node => record.node,
            Field::Hostname => record.hostname,
            Field::Deployment => record.deployment,
            Field::Label(key) => return self.pair(&self.labels, pod, key),
            Field::Annotation(key) => return self.pair(&self.annotations, pod, key),
        };
        Some(self.strings.text(symbol)).filter(|text| !text.is_empty())
    }

    /// The addresses of a pod, the primary one first.
    pub(super) fn addresses(&self, record: &Record) -> &[IpAddr] {
        let start = record.addresses as usize;
        self.addresses.get(start..start + usize::from(record.address_count)).unwrap_or_default()
    }

    /// Whether a pod meets a condition.
    pub(super) fn meets(&self, pod: u32, record: &Record, term: Term<'_>) -> bool {
        match term {
            Term::Ip(address) => {
                record.owns_addresses() && self.addresses(record).contains(&address.to_canonical())
            }
            Term::Uid(uid) => record.uid.is(uid, &self.strings),
            Term::Name(name) => self.strings.text(record.name) == name,
            Term::Namespace(value) => self.value(pod, Field::Namespace) == Some(value),
            Term::Node(value) => self.value(pod, Field::Node) == Some(value),
            Term::Hostname(value) => self.value(pod, Field::Hostname) == Some(value),
            Term::Deployment(value) => self.value(pod, Field::Deployment) == Some(value),
            Term::Label(key, value) => self.value(pod, Field::Label(key)) == Some(value),
            Term::Annotation(key, value) => self.value(pod, Field::Annotation(key)) == Some(value),
        }
    }

    /// A pod in full.
    pub(super) fn pod(&self, pod: u32, record: &Record, want: Details) -> Pod {
        let text = |symbol| self.strings.text(symbol).to_owned();
        let pairs = |wanted, pairs: &Pairs| if wanted { self.texts(pairs, pod) } else { Vec::new() };
        Pod {
            name: text(record.name),
            namespace: text(record.namespace),
            uid: record.uid.text(&self.strings),
            ips: self.addresses(record).to_vec(),
            host_network: record.host_network,
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
    pub(super) fn memory(&self) -> usize {
        self.strings.memory()
            + size_of_val(&*self.records)
            + size_of_val(&*self.addresses)
            + size_of_val(&*self.owners)
            + size_of_val(&*self.nodes)
            + self.labels.memory()
            + self.annotations.memory()
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
pub(super) struct Pairs {
    pub(super) pairs: Box<[(Symbol, Symbol)]>,
    /// Where those of each pod end. Empty where none are kept.
    pub(super) ends: Box<[u32]>,
}

impl Pairs {
    fn of(&self, pod: u32) -> &[(Symbol, Symbol)] {
        let end = |index: usize| self.ends.get(index).map(|end| *end as usize);
        let index = pod as usize;
        let start = index.checked_sub(1).map_or(Some(0), end);
        start.zip(end(index)).and_then(|(start, end)| self.pairs.get(start..end)).unwrap_or_default()
    }

    fn memory(&self) -> usize {
        size_of_val(&*self.pairs) + size_of_val(&*self.ends)
    }
}
