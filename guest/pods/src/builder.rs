//! Fills a table, one pod after the other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use podstamp_core::directory::{self, Field, Fields, KeptKeys, Keys};

use crate::columns::{Columns, Pairs, Record};
use crate::containers::ContainersBuilder;
use crate::indexing::Indexing;
use crate::parts::{AddError, Pair, PodParts};
use crate::skipped::Skipped;
use crate::strings::{Interner, Symbol};
use crate::table::{Coverage, Table};
use crate::uid::Uid;

/// A table in the making.
#[derive(Debug, Default)]
pub struct Builder {
    fields: Fields,
    kept_keys: KeptKeys,
    interner: Interner,
    records: Vec<Record>,
    addresses: Vec<IpAddr>,
    owners: Vec<u32>,
    nodes: BTreeSet<IpAddr>,
    labels: PairsBuilder,
    annotations: PairsBuilder,
    containers: ContainersBuilder,
    skipped: Skipped,
}

impl Builder {
    /// A builder of a table that keeps these parts of pods. Lookups by other parts are answered with
    /// [`Lookup::Unknown`](podstamp_core::directory::Lookup::Unknown).
    pub fn new(fields: Fields, kept_keys: KeptKeys) -> Self {
        let keys = |field, keys| if fields.contains(field) { keys } else { Keys::None };
        let kept_keys = KeptKeys {
            labels: keys(Field::Labels, kept_keys.labels),
            annotations: keys(Field::Annotations, kept_keys.annotations),
        };
        Self { fields, kept_keys, ..Self::default() }
    }

    /// Makes room for so many pods with one address each, and so many bytes of their texts.
    pub fn reserve(&mut self, pods: usize, texts: usize) {
        self.interner.reserve(texts);
        self.records.reserve_exact(pods);
        self.addresses.reserve_exact(pods);
        self.owners.reserve_exact(pods);
    }

    /// The number of pods so far.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no pods yet.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a pod. One that cannot be added leaves nothing behind but, at most, texts that nobody refers to.
    pub fn add(&mut self, pod: &PodParts<'_>) -> Result<(), AddError> {
        if pod.name.is_empty() {
            return Err(AddError::Unnamed);
        }
        let number = u32::try_from(self.records.len()).map_err(|_| AddError::Full)?;
        let first = self.addresses.len();
        let record = self.record(pod, first).ok_or(AddError::Full)?;
        for address in pod.ips.iter().map(IpAddr::to_canonical) {
            if !self.addresses.iter().skip(first).any(|known| *known == address) {
                self.addresses.push(address);
            }
        }
        let Ok(address_count) = u8::try_from(self.addresses.len() - first) else {
            self.addresses.truncate(first);
            return Err(AddError::TooManyAddresses);
        };
        self.owners.resize(self.addresses.len(), number);
        if pod.host_network {
            self.nodes.extend(self.addresses.iter().skip(first));
        }
        self.labels.add(&pod.labels, &self.kept_keys.labels, &mut self.interner);
        self.annotations.add(&pod.annotations, &self.kept_keys.annotations, &mut self.interner);
        if self.fields.contains(Field::Containers) {
            self.containers.add(&pod.containers, &mut self.interner);
        }
        self.records.push(Record { address_count, ..record });
        Ok(())
    }

    /// Adds an address of a node.
    pub fn add_node(&mut self, address: IpAddr) {
        self.nodes.insert(address.to_canonical());
    }

    /// Counts a pod that cannot be added, and keeps why if it is the first.
    pub fn skip_pod(&mut self, reason: impl FnOnce() -> String) {
        self.skipped.pods += 1;
        self.skipped.first.get_or_insert_with(reason);
    }

    /// Counts an item of the list that is not a pod.
    pub fn skip_other(&mut self) {
        self.skipped.others += 1;
    }

    /// What was left out so far.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The table, with its indexes.
    pub fn finish(self, coverage: Coverage) -> Table {
        self.index(coverage).finish()
    }

    /// The table with its indexes still to be built, for callers who must not block for as long as that takes.
    pub fn index(self, coverage: Coverage) -> Indexing {
        let columns = Columns {
            strings: self.interner.finish(),
            records: self.records.into_boxed_slice(),
            addresses: self.addresses.into_boxed_slice(),
            owners: self.owners.into_boxed_slice(),
            nodes: self.nodes.into_iter().collect(),
            labels: self.labels.finish(),
            annotations: self.annotations.finish(),
            containers: self.containers.finish(),
        };
        Indexing::new(Table::unindexed(columns, coverage, self.fields, self.kept_keys, self.skipped))
    }

    /// The plain parts of a pod whose addresses are to begin at `addresses`. `None` where the table is full.
    fn record(&mut self, pod: &PodParts<'_>, addresses: usize) -> Option<Record> {
        let strings = &mut self.interner;
        // Texts of this pod alone come first, so that they stand together.
        let name = strings.add(&pod.name)?;
        let created = strings.add(&pod.created)?;
        let is_started = !pod.started.is_empty() && pod.started != pod.created;
        let started = if is_started { strings.add(&pod.started)? } else { created };
        let fields = self.fields;
        let mut intern = |field, text: &str| {
            strings.intern(if fields.contains(field) { text } else { Default::default() })
        };
        let hostname = match &*pod.hostname {
            _ if !fields.contains(Field::Hostname) => Symbol::EMPTY,
            // As the kubelet does: Linux has no longer host name.
            "" => match directory::cut_hostname(&pod.name) {
                cut if cut.len() < pod.name.len() => intern(Field::Hostname, cut)?,
                _ => name,
            },
            hostname if *hostname == pod.name => name,
            hostname => intern(Field::Hostname, hostname)?,
        };
        Some(Record {
            name,
            created,
            started,
            hostname,
            namespace: intern(Field::Namespace, &pod.namespace)?,
            node: intern(Field::Node, &pod.node)?,
            deployment: intern(Field::Deployment, &pod.deployment)?,
            phase: intern(Field::Phase, &pod.phase)?,
            uid: Uid::new(if fields.contains(Field::Uid) { &pod.uid } else { "" }, strings)?,
            addresses: u32::try_from(addresses).ok()?,
            address_count: 0,
            host_network: pod.host_network,
            finished: pod.finished,
            deleting: pod.deleting,
            ignored: pod.ignored,
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
    /// Adds the labels or annotations of the next pod.
    fn add(&mut self, pairs: &[Pair<'_>], keys: &Keys, interner: &mut Interner) {
        if *keys == Keys::None {
            return;
        }
        for (key, value) in pairs.iter().filter(|(key, _)| keys.contains(key)) {
            self.pairs.extend(interner.intern(key).zip(interner.intern(value)));
        }
        self.ends.push(u32::try_from(self.pairs.len()).unwrap_or(u32::MAX));
    }

    fn finish(self) -> Pairs {
        Pairs { pairs: self.pairs.into_boxed_slice(), ends: self.ends.into_boxed_slice() }
    }
}
