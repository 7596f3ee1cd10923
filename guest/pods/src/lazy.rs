//! Indexes that few configurations need, built when first asked for.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::columns::{Columns, TextField};
use crate::index::Index;

/// One index for each field that lookups have used.
#[derive(Debug, Default)]
pub(crate) struct LazyIndexes {
    namespace: OnceLock<Index>,
    node: OnceLock<Index>,
    hostname: OnceLock<Index>,
    deployment: OnceLock<Index>,
    labels: KeyIndexes,
    annotations: KeyIndexes,
}

/// One index a key, in the order in which the keys came up.
type KeyIndexes = [OnceLock<(Box<str>, Index)>; MAX_KEYS];

impl LazyIndexes {
    /// The index of a field. `None` where too many labels or annotations have one already.
    pub(crate) fn of(&self, field: TextField<'_>, columns: &Columns, hasher: &RandomState) -> Option<&Index> {
        let build = || build(field, columns, hasher);
        match field {
            TextField::Namespace => Some(self.namespace.get_or_init(build)),
            TextField::Node => Some(self.node.get_or_init(build)),
            TextField::Hostname => Some(self.hostname.get_or_init(build)),
            TextField::Deployment => Some(self.deployment.get_or_init(build)),
            TextField::Label(key) => of_key(&self.labels, key, build),
            TextField::Annotation(key) => of_key(&self.annotations, key, build),
        }
    }

    /// Builds what another table has needed, so that no lookup has to wait for it.
    pub(crate) fn prepare(&self, other: &Self, columns: &Columns, hasher: &RandomState) {
        let plain = [
            (&other.namespace, TextField::Namespace),
            (&other.node, TextField::Node),
            (&other.hostname, TextField::Hostname),
            (&other.deployment, TextField::Deployment),
        ];
        let plain = plain.into_iter().filter_map(|(index, field)| index.get().map(|_| field));
        let labels = other.labels.iter().filter_map(OnceLock::get).map(|(key, _)| TextField::Label(key));
        let annotations =
            other.annotations.iter().filter_map(OnceLock::get).map(|(key, _)| TextField::Annotation(key));
        for field in plain.chain(labels).chain(annotations) {
            self.of(field, columns, hasher);
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let plain = [&self.namespace, &self.node, &self.hostname, &self.deployment];
        let plain = plain.into_iter().filter_map(OnceLock::get);
        let keyed =
            self.labels.iter().chain(&self.annotations).filter_map(OnceLock::get).map(|(_, index)| index);
        plain.chain(keyed).map(Index::memory).sum()
    }
}

fn of_key<'a>(indexes: &'a KeyIndexes, key: &str, build: impl Fn() -> Index) -> Option<&'a Index> {
    indexes
        .iter()
        .map(|slot| slot.get_or_init(|| (key.into(), build())))
        .find(|(known, _)| **known == *key)
        .map(|(_, index)| index)
}

fn build(field: TextField<'_>, columns: &Columns, hasher: &RandomState) -> Index {
    Index::build(
        columns.records.len(),
        |pod| columns.value(pod, field).map(|value| hasher.hash_one(value)),
        |a, b| columns.value(a, field) == columns.value(b, field),
    )
}

/// Keys come from the configuration, which seldom associates by more than one; past this many, lookups by a further key
/// go through all pods.
const MAX_KEYS: usize = 8;
