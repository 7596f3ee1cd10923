//! The pod table: immutable, so that lookups need no lock.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use super::builder::{Builder, Keep, Skipped};
use super::columns::{Columns, Field};
use super::index::Index;
use super::lazy::LazyIndexes;
use super::read::{ReadError, read};

/// Which pods a table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// All pods of the cluster: an address that is not in the table is no pod's.
    #[default]
    Cluster,
    /// Some of them, such as those of one node.
    Part,
}

/// Pods, and indexes to find them by.
#[derive(Debug)]
pub struct Table {
    pub(super) columns: Columns,
    pub(super) by_ip: Index,
    pub(super) by_uid: Index,
    pub(super) by_name: Index,
    pub(super) by_full_name: Index,
    pub(super) lazy: LazyIndexes,
    pub(super) hasher: RandomState,
    pub(super) coverage: Coverage,
    pub(super) keep: Keep,
    skipped: Skipped,
}

impl Table {
    /// Reads what `kubectl get pods -A -o json` prints, or the same as YAML: lists of pods, single pods, several documents
    /// of these. JSON is never held as a whole.
    pub fn read(input: impl Read, keep: Keep, coverage: Coverage) -> Result<Self, ReadError> {
        let mut builder = Builder::new(keep);
        read(input, &mut builder)?;
        Ok(Self::new(builder, coverage))
    }

    fn new(builder: Builder, coverage: Coverage) -> Self {
        let (columns, keep, skipped) = builder.finish();
        let hasher = RandomState::new();
        let pods = columns.records.len();
        let by_ip = Index::build(
            columns.addresses.len(),
            |entry| {
                let owner = columns.record(*columns.owners.get(entry as usize)?)?;
                columns
                    .addresses
                    .get(entry as usize)
                    .filter(|_| owner.owns_addresses())
                    .map(|ip| hasher.hash_one(ip))
            },
            |a, b| columns.addresses.get(a as usize) == columns.addresses.get(b as usize),
        );
        let uid = |pod| columns.record(pod).map(|record| &record.uid);
        let by_uid = Index::build(
            pods,
            |pod| {
                uid(pod).filter(|uid| !uid.is_empty()).map(|uid| hasher.hash_one(uid.key(&columns.strings)))
            },
            |a, b| uid(a) == uid(b),
        );
        let by_name = Index::build(
            pods,
            |pod| Some(hasher.hash_one(columns.name(pod))),
            |a, b| columns.name(a) == columns.name(b),
        );
        let full_name = |pod| (columns.name(pod), columns.value(pod, Field::Namespace));
        let by_full_name = Index::build(
            pods,
            |pod| Some(hasher.hash_one((columns.name(pod), columns.value(pod, Field::Namespace)?))),
            |a, b| full_name(a) == full_name(b),
        );
        let lazy = LazyIndexes::default();
        Self { columns, by_ip, by_uid, by_name, by_full_name, lazy, hasher, coverage, keep, skipped }
    }

    /// How many pods it has.
    pub fn len(&self) -> usize {
        self.columns.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.columns.records.is_empty()
    }

    /// What was left out of it.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        let indexes = [&self.by_ip, &self.by_uid, &self.by_name, &self.by_full_name];
        self.columns.memory() + indexes.map(Index::memory).iter().sum::<usize>() + self.lazy.memory()
    }

    /// Builds the indexes that lookups in `other` have needed, so that none has to wait for them in this one.
    pub(super) fn prepare_like(&self, other: &Self) {
        self.lazy.prepare(&other.lazy, &self.columns, &self.hasher);
    }
}
