//! A table whose indexes are being built.

use std::hash::{BuildHasher, RandomState};

use podstamp_core::directory;

use crate::columns::{Columns, TextField};
use crate::index::{Index, IndexBuilder};
use crate::table::Table;

/// A table whose indexes are being built, some entries at a time.
#[derive(Debug)]
pub struct Indexing {
    table: Table,
    building: IndexBuilder,
    /// The key that is being indexed; `None` once all are.
    key: Option<Key>,
}

/// The keys that every table has an index by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Ip,
    Uid,
    Name,
    FullName,
    Container,
}

impl Indexing {
    pub(crate) fn new(table: Table) -> Self {
        let key = Key::Ip;
        Self { building: IndexBuilder::new(key.entries(&table)), key: Some(key), table }
    }

    /// Builds on for at most so many steps; returns whether all is built. There are eight steps a pod, and two a container.
    pub fn advance(&mut self, mut steps: usize) -> bool {
        while let Some(key) = self.key {
            let Table { columns, hasher, .. } = &self.table;
            steps = self.building.advance(
                steps,
                |entry| key.hash(entry, columns, hasher),
                |a, b| key.is_same(a, b, columns),
            );
            if steps == 0 {
                return false;
            }
            let next = key.next();
            let entries = next.map_or(0, |next| next.entries(&self.table));
            let built = std::mem::replace(&mut self.building, IndexBuilder::new(entries));
            *key.index(&mut self.table) = built.finish();
            self.key = next;
        }
        true
    }

    /// Builds the rest, and returns the table.
    pub fn finish(mut self) -> Table {
        self.advance(usize::MAX);
        self.table
    }
}

impl Key {
    fn next(self) -> Option<Self> {
        match self {
            Self::Ip => Some(Self::Uid),
            Self::Uid => Some(Self::Name),
            Self::Name => Some(Self::FullName),
            Self::FullName => Some(Self::Container),
            Self::Container => None,
        }
    }

    fn index(self, table: &mut Table) -> &mut Index {
        match self {
            Self::Ip => &mut table.by_ip,
            Self::Uid => &mut table.by_uid,
            Self::Name => &mut table.by_name,
            Self::FullName => &mut table.by_full_name,
            Self::Container => &mut table.by_container,
        }
    }

    /// The number of entries: 0 where the table does not keep what they are found by.
    fn entries(self, table: &Table) -> usize {
        let pods_with = |field| if table.fields.contains(field) { table.len() } else { 0 };
        match self {
            Self::Ip => table.columns.addresses.len(),
            Self::Uid => pods_with(directory::Field::Uid),
            Self::Name => table.len(),
            Self::FullName => pods_with(directory::Field::Namespace),
            Self::Container => table.columns.containers.len(),
        }
    }

    fn hash(self, entry: u32, columns: &Columns, hasher: &RandomState) -> Option<u64> {
        match self {
            Self::Ip => {
                let owner = columns.record(*columns.owners.get(entry as usize)?)?;
                let address = columns.addresses.get(entry as usize)?;
                owner.owns_addresses().then(|| hasher.hash_one(address))
            }
            Self::Uid => {
                let uid = &columns.record(entry)?.uid;
                (!uid.is_empty()).then(|| hasher.hash_one(uid.key(&columns.strings)))
            }
            Self::Name => Some(hasher.hash_one(columns.name(entry))),
            Self::FullName => {
                let namespace = columns.value(entry, TextField::Namespace)?;
                Some(hasher.hash_one((columns.name(entry), namespace)))
            }
            Self::Container => {
                columns.containers.id(entry).filter(|id| !id.is_none()).map(|id| hasher.hash_one(id))
            }
        }
    }

    fn is_same(self, a: u32, b: u32, columns: &Columns) -> bool {
        let uid = |pod| columns.record(pod).map(|record| record.uid);
        match self {
            Self::Ip => columns.addresses.get(a as usize) == columns.addresses.get(b as usize),
            Self::Uid => uid(a) == uid(b),
            Self::Name => columns.name(a) == columns.name(b),
            Self::FullName => {
                columns.name(a) == columns.name(b)
                    && columns.value(a, TextField::Namespace) == columns.value(b, TextField::Namespace)
            }
            Self::Container => columns.containers.id(a) == columns.containers.id(b),
        }
    }
}
