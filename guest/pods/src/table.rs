//! The pod table.

mod change;
mod indexes;
mod keys;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use podstamp_core::directory::{Details, Field, Fields, KeptKeys, Keys, Pod, Term, Text};

use crate::containers::Id;
use crate::pages::Pages;
use crate::part::{Part, PartKey};
use crate::parts::{Pair, PodParts};
use crate::record::{Pairs, Record};
use crate::skipped::Skipped;
use crate::slot::Slot;
use crate::texts::{Symbol, Texts};
use crate::version::Version;

pub(crate) use indexes::{BY_CONTAINER, BY_IP, BY_NAME, BY_NODE_IP, BY_UID, Indexes};

/// Which pods a table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// All pods of the cluster: an address that is not in the table does not belong to a pod.
    #[default]
    Cluster,
    /// Some of them, such as those of one node.
    Part,
}

/// Pods, and indexes to find them by. It changes in place, one pod at a time. A clone is a snapshot, which costs microseconds: both
/// share what neither changes, and a change copies some pages of a few kilobytes.
#[derive(Clone, Debug)]
pub struct Table {
    pods: Pages,
    len: usize,
    pub(crate) texts: Texts,
    pub(crate) indexes: Indexes,
    pub(crate) hasher: RandomState,
    pub(crate) coverage: Coverage,
    pub(crate) fields: Fields,
    pub(crate) kept_keys: Arc<KeptKeys>,
    skipped: Skipped,
    version: Version,
    /// Where the changes since [`Table::take_changes`] were, once somebody wants to know.
    changes: Option<Vec<Slot>>,
}

impl Table {
    /// A table without pods, which is to keep these parts of them. Lookups by other parts are answered with
    /// [`Lookup::Unknown`](podstamp_core::directory::Lookup::Unknown).
    pub fn new(fields: Fields, kept_keys: KeptKeys, coverage: Coverage) -> Self {
        let keys = |field, keys| if fields.contains(field) { keys } else { Keys::None };
        let kept_keys = KeptKeys {
            labels: keys(Field::Labels, kept_keys.labels),
            annotations: keys(Field::Annotations, kept_keys.annotations),
        };
        let hasher = RandomState::new();
        let epoch = hasher.hash_one("epoch");
        Self {
            pods: Pages::default(),
            len: 0,
            texts: Texts::default(),
            indexes: Indexes::default(),
            hasher,
            coverage,
            fields,
            kept_keys: Arc::new(kept_keys),
            skipped: Skipped::default(),
            version: Version { epoch, number: 0 },
            changes: None,
        }
    }

    /// The number of pods.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no pods.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Which pods the table knows.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Which parts of pods the table keeps, labels and annotations as far as [`Table::kept_keys`] says.
    pub fn fields(&self) -> Fields {
        self.fields
    }

    /// Which labels and annotations the table keeps.
    pub fn kept_keys(&self) -> &KeptKeys {
        &self.kept_keys
    }

    /// What was left out of the table.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Which state this is. A table of an epoch of its own counts each pod that changes. A table that was read from a text has the
    /// version that the text names.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Bytes on the heap, shared with snapshots or not.
    pub fn memory(&self) -> usize {
        self.pods.memory() + self.texts.memory() + self.indexes.memory()
    }

    /// The places that have a pod, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots_from(0)
    }

    /// What is known of a pod, also of one that is not to be found; `None` where the place has none. Ids of containers are what
    /// the table keeps of them.
    pub fn describe(&self, slot: Slot) -> Option<PodParts<'_>> {
        let record = self.record(slot)?;
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default().into();
        let shared = |symbol| self.texts.text(symbol).into();
        let pairs =
            |pairs: Pairs<'_>| pairs.iter().map(|(key, value)| (shared(key), shared(value))).collect();
        let containers = record.containers().map(|(name, id): (Symbol, Id)| (shared(name), id.text().into()));
        Some(PodParts {
            name: text(record.name),
            namespace: shared(record.namespace),
            uid: record.uid.text().into(),
            ips: record.addresses().collect(),
            node: shared(record.node),
            node_ips: self.node_ips(&record).collect(),
            hostname: text(record.hostname),
            deployment: shared(record.deployment),
            phase: shared(record.phase),
            created: text(record.created),
            started: text(record.started),
            labels: pairs(record.labels),
            annotations: pairs(record.annotations),
            containers: containers.collect::<Vec<Pair<'_>>>(),
            host_network: record.is_on_host_network(),
            finished: record.is_finished(),
            deleting: record.is_deleting(),
            ignored: record.is_ignored(),
        })
    }

    /// The places from one on that have a pod.
    pub(crate) fn slots_from(&self, first: u32) -> impl Iterator<Item = Slot> {
        (first..self.pods.end()).filter(|number| !self.pods.bytes(*number).is_empty()).map(Slot)
    }

    pub(crate) fn record(&self, slot: Slot) -> Option<Record<'_>> {
        Record::decode(self.pods.bytes(slot.0))
    }

    pub(crate) fn node_ips(&self, record: &Record<'_>) -> impl Iterator<Item = std::net::IpAddr> {
        self.texts.text(record.node_ips).split(',').filter_map(|address| address.parse().ok())
    }

    /// The text of a pod by which it is looked up; `None` where it is empty.
    pub(crate) fn value<'a>(&'a self, record: &Record<'a>, (part, key): PartKey<'_>) -> Option<&'a [u8]> {
        let symbol = match part {
            Part::Namespace => record.namespace,
            Part::Node => record.node,
            Part::Deployment => record.deployment,
            Part::Hostname => return Some(record.hostname).filter(|text| !text.is_empty()),
            Part::Label => self.pair(record.labels, key)?,
            Part::Annotation => self.pair(record.annotations, key)?,
        };
        Some(self.texts.bytes(symbol)).filter(|text| !text.is_empty())
    }

    /// Whether a pod meets a condition.
    pub(crate) fn meets(&self, record: &Record<'_>, term: Term<'_>) -> bool {
        let is = |part, key, value: &str| self.value(record, (part, key)) == Some(value.as_bytes());
        match term {
            Term::Ip(address) => {
                let address = address.to_canonical();
                record.owns_addresses() && record.addresses().any(|known| known == address)
            }
            Term::Uid(uid) => record.uid.is(uid),
            Term::Name(name) => record.name == name.as_bytes(),
            Term::Namespace(value) => is(Part::Namespace, "", value),
            Term::Node(value) => is(Part::Node, "", value),
            Term::Hostname(value) => is(Part::Hostname, "", value),
            Term::Deployment(value) => is(Part::Deployment, "", value),
            Term::Label(key, value) => is(Part::Label, key, value),
            Term::Annotation(key, value) => is(Part::Annotation, key, value),
            Term::Container(id) => {
                let id = Id::new(id);
                !id.is_none() && record.containers().any(|(_, known)| known == id)
            }
            Term::ContainerName(name) => {
                record.containers().any(|(known, _)| self.texts.bytes(known) == name.as_bytes())
            }
        }
    }

    /// A pod in full.
    pub(crate) fn pod(&self, record: &Record<'_>, want: Details) -> Pod {
        let shared = |symbol| self.texts.text(symbol).to_owned();
        let pairs = |is_wanted, pairs: Pairs<'_>| {
            let pairs = pairs.iter().filter(|_| is_wanted);
            pairs.map(|(key, value)| (shared(key), shared(value))).collect()
        };
        let [node, start_time, deployment, phase]: [&[u8]; 4] = if want.brief {
            Default::default()
        } else {
            let shared = |symbol| self.texts.bytes(symbol);
            [shared(record.node), record.created, shared(record.deployment), shared(record.phase)]
        };
        let mut texts = Vec::with_capacity(TEXTS);
        record.uid.append_to(&mut texts);
        let uid = texts.len() as u32;
        let mut add = |text: &[u8]| {
            texts.extend_from_slice(text);
            text.len() as u32
        };
        let namespace = self.texts.bytes(record.namespace);
        let others =
            [record.name, namespace, record.hostname, node, start_time, deployment, phase].map(&mut add);
        let [name, namespace, hostname, node, start_time, deployment, phase] = others;
        let lengths = [uid, name, namespace, hostname, node, start_time, deployment, phase];
        let [uid, name, namespace, hostname, node, start_time, deployment, phase] =
            Text::split(std::str::from_utf8(&texts).unwrap_or_default(), lengths);
        Pod {
            name,
            namespace,
            uid,
            ips: record.addresses().collect(),
            host_network: record.is_on_host_network(),
            released: None,
            node,
            hostname,
            start_time,
            deployment,
            phase,
            labels: pairs(want.labels, record.labels),
            annotations: pairs(want.annotations, record.annotations),
        }
    }

    fn pair(&self, pairs: Pairs<'_>, key: &str) -> Option<Symbol> {
        let mut pairs = pairs.iter();
        pairs.find(|(name, _)| self.texts.bytes(*name) == key.as_bytes()).map(|(_, value)| value)
    }
}

/// Bytes of the texts of most pods.
const TEXTS: usize = 256;
