//! The pod table: immutable, so that lookups need no lock.

use std::hash::RandomState;

use podstamp_core::directory::{Fields, KeptKeys};

use crate::columns::Columns;
use crate::index::Index;
use crate::lazy::LazyIndexes;
use crate::skipped::Skipped;

/// Which pods a table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// All pods of the cluster: an address that is not in the table does not belong to a pod.
    #[default]
    Cluster,
    /// Some of them, such as those of one node.
    Part,
}

/// Pods, and indexes to find them by.
#[derive(Debug)]
pub struct Table {
    pub(crate) columns: Columns,
    pub(crate) by_ip: Index,
    pub(crate) by_uid: Index,
    pub(crate) by_name: Index,
    pub(crate) by_full_name: Index,
    pub(crate) by_container: Index,
    pub(crate) lazy: LazyIndexes,
    pub(crate) hasher: RandomState,
    pub(crate) coverage: Coverage,
    pub(crate) fields: Fields,
    pub(crate) kept_keys: KeptKeys,
    skipped: Skipped,
}

impl Table {
    /// A table whose indexes are empty.
    pub(crate) fn unindexed(
        columns: Columns,
        coverage: Coverage,
        fields: Fields,
        kept_keys: KeptKeys,
        skipped: Skipped,
    ) -> Self {
        Self {
            columns,
            by_ip: Index::default(),
            by_uid: Index::default(),
            by_name: Index::default(),
            by_full_name: Index::default(),
            by_container: Index::default(),
            lazy: LazyIndexes::default(),
            hasher: RandomState::new(),
            coverage,
            fields,
            kept_keys,
            skipped,
        }
    }

    /// The number of pods.
    pub fn len(&self) -> usize {
        self.columns.records.len()
    }

    /// Whether there are no pods.
    pub fn is_empty(&self) -> bool {
        self.columns.records.is_empty()
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

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        let indexes = [&self.by_ip, &self.by_uid, &self.by_name, &self.by_full_name, &self.by_container];
        self.columns.memory() + indexes.map(Index::memory).iter().sum::<usize>() + self.lazy.memory()
    }

    /// Builds the indexes that lookups in `other` have needed, so that none has to wait for them in this one.
    pub fn prepare_like(&self, other: &Self) {
        self.lazy.prepare(&other.lazy, &self.columns, &self.hasher);
    }
}
