//! The indexes of a table.

use std::sync::Arc;

use super::Table;
use crate::entry::Entry;
use crate::index::Index;
use crate::part::{Demand, PartKey};
use crate::slot::Slot;

/// The indexes of a table: those that every table has, then one for each part that lookups have asked for.
#[derive(Clone, Debug)]
pub(crate) struct Indexes {
    all: Vec<Index>,
    /// How far those that were asked for have come.
    built: Vec<u32>,
    demand: Arc<Demand>,
}

impl Default for Indexes {
    fn default() -> Self {
        Self { all: vec![Index::default(); FIXED], built: Vec::new(), demand: Arc::default() }
    }
}

impl Indexes {
    pub(crate) fn get(&self, position: usize) -> Option<&Index> {
        self.all.get(position)
    }

    /// Whether several pods claim an address with this hash.
    pub(crate) fn is_contested(&self, hash: u64) -> bool {
        self.get(CONTESTED).is_some_and(|index| Entry::range(index, hash).next().is_some())
    }

    /// Follows a change of the pods that claim an address, by one of its entries.
    pub(super) fn contest(&mut self, entry: u64) {
        let claims = self.get(BY_IP).map_or(0, |index| Entry::range(index, entry).take(2).count());
        if let Some(contested) = self.get_mut(CONTESTED) {
            let entry = Entry::of(entry, 0);
            if claims > 1 { contested.insert(entry) } else { contested.remove(entry) }
        }
    }

    pub(crate) fn get_mut(&mut self, position: usize) -> Option<&mut Index> {
        self.all.get_mut(position)
    }

    /// The index by a part, and the first place that it does not cover yet. Whoever asks will be given one by
    /// [`Table::index`].
    pub(crate) fn by(&self, part: PartKey<'_>) -> (Option<&Index>, u32) {
        let position = self.demand.position(part);
        let index = position.and_then(|position| self.all.get(FIXED + position));
        let built = position.and_then(|position| self.built.get(position));
        (index, built.copied().unwrap_or_default())
    }

    /// The parts that have an index which covers this place, and the index's position.
    pub(super) fn parts(&self, slot: Slot) -> impl Iterator<Item = (usize, PartKey<'_>)> {
        let built = self.built.iter().enumerate().filter(move |(_, built)| slot.0 < **built);
        built.filter_map(|(position, _)| Some((FIXED + position, self.demand.get(position)?)))
    }

    pub(super) fn memory(&self) -> usize {
        self.all.iter().map(Index::memory).sum()
    }
}

impl Table {
    /// Whether lookups have asked for an index that is not there, and go through all pods meanwhile.
    pub fn lacks_index(&self) -> bool {
        let Indexes { built, demand, .. } = &self.indexes;
        demand.get(built.len()).is_some() || built.iter().any(|built| *built < WHOLE)
    }

    /// Builds the indexes that lookups have asked for, by that many places at most. Returns whether all are built.
    pub fn index(&mut self, places: u32) -> bool {
        let mut left = places;
        while self.lacks_index() {
            let position = self.indexes.built.iter().position(|built| *built < WHOLE);
            let Some(position) = position else {
                self.indexes.built.push(0);
                self.indexes.all.push(Index::default());
                continue;
            };
            if left == 0 {
                return false;
            }
            let first = self.indexes.built.get(position).copied().unwrap_or_default();
            let end = self.pods.end().min(first.saturating_add(left));
            left -= end.saturating_sub(first);
            let mut entries = Vec::new();
            if let Some(part) = self.indexes.demand.get(position) {
                for slot in first..end {
                    let record = self.record(Slot(slot));
                    let value = record.and_then(|record| self.value(&record, part));
                    entries.extend(value.map(|value| Entry::of(self.hash(value), slot)));
                }
            }
            if let Some(index) = self.indexes.all.get_mut(FIXED + position) {
                entries.into_iter().for_each(|entry| index.insert(entry));
            }
            if let Some(built) = self.indexes.built.get_mut(position) {
                *built = if end == self.pods.end() { WHOLE } else { end };
            }
        }
        true
    }

    /// Takes over what lookups in `other` have asked for. The indexes are still to be built, by [`Table::index`].
    pub fn follow(&mut self, other: &Self) {
        if !Arc::ptr_eq(&self.indexes.demand, &other.indexes.demand) {
            self.indexes.demand = Arc::clone(&other.indexes.demand);
            self.indexes.all.truncate(FIXED);
            self.indexes.built.clear();
        }
    }
}

/// The positions of the indexes that every table has.
pub(crate) const BY_IP: usize = 0;
/// See [`BY_IP`].
pub(crate) const BY_UID: usize = 1;
/// By name, and less exactly by namespace. See [`BY_IP`].
pub(crate) const BY_NAME: usize = 2;
/// See [`BY_IP`].
pub(crate) const BY_CONTAINER: usize = 3;
/// Pods by the addresses of their nodes. See [`BY_IP`].
pub(crate) const BY_NODE_IP: usize = 4;
/// Hashes of addresses that several pods claim, which are few. See [`BY_IP`].
pub(crate) const CONTESTED: usize = 5;
/// How many indexes every table has.
const FIXED: usize = 6;

/// What an index has built that covers all places, also those to come.
const WHOLE: u32 = u32::MAX;
