//! Changes of a table.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use podstamp_core::directory::Field;

use super::{Coverage, Table};
use crate::entry::Entry;
use crate::pages::MAX_NUMBER;
use crate::parts::{AddError, PodParts};
use crate::record::{self, Record};
use crate::skipped::Skipped;
use crate::slot::Slot;
use crate::table::indexes::{BY_IP, BY_NAME, BY_UID};
use crate::texts::Symbol;
use crate::version::Version;

impl Table {
    /// The place of a pod: of the one with the same uid or, where it has none, with the same namespace and name. A table that is
    /// asked this keeps uids and namespaces, or takes different pods for one.
    pub fn slot_of(&self, pod: &PodParts<'_>) -> Option<Slot> {
        let uid = if self.fields.contains(Field::Uid) { &*pod.uid } else { "" };
        if uid.is_empty() {
            let namespace = if self.fields.contains(Field::Namespace) { &*pod.namespace } else { "" };
            let hash = self.full_name_hash(pod.name.as_bytes(), namespace.as_bytes());
            self.with_hash(BY_NAME, hash).find(|slot| {
                self.record(*slot).is_some_and(|record| {
                    record.uid.is_empty()
                        && record.name == pod.name.as_bytes()
                        && self.texts.bytes(record.namespace) == namespace.as_bytes()
                })
            })
        } else {
            let mut slots = self.with_hash(BY_UID, self.uid_hash(uid));
            slots.find(|slot| self.record(*slot).is_some_and(|record| record.uid.is(uid)))
        }
    }

    /// Puts a pod in its place, or in a vacant one if it is new. See [`Table::slot_of`].
    pub fn upsert(&mut self, pod: &PodParts<'_>) -> Result<Slot, AddError> {
        let slot = self.slot_of(pod).or_else(|| self.pods.vacant().map(Slot)).ok_or(AddError::Full)?;
        self.put(slot, pod)?;
        Ok(slot)
    }

    /// Puts a pod in a place, whatever was there. One that cannot be put changes nothing, and neither does one that is there as
    /// it is.
    pub fn put(&mut self, slot: Slot, pod: &PodParts<'_>) -> Result<(), AddError> {
        if slot.0 > MAX_NUMBER {
            return Err(AddError::Full);
        }
        let mut used = Vec::new();
        let texts = &mut self.texts;
        let encoded = record::encode(pod, self.fields, &self.kept_keys, &mut |text| {
            let symbol = texts.symbol(text)?;
            used.push(symbol);
            Some(symbol)
        });
        let replaced = encoded.and_then(|bytes| {
            if self.pods.bytes(slot.0) == bytes { Ok(false) } else { self.replace(slot, &bytes) }
        });
        if replaced.is_err() {
            used.into_iter().for_each(|symbol| self.texts.forget_unused(symbol));
        }
        if replaced? {
            self.note(slot);
        }
        Ok(())
    }

    /// Says of a pod that Kubernetes was told to delete it, all else kept. Returns whether there is one.
    pub fn mark_deleting(&mut self, slot: Slot) -> bool {
        let mut bytes = self.pods.bytes(slot.0).to_vec();
        if !record::mark_deleting(&mut bytes) {
            return false;
        }
        if bytes != self.pods.bytes(slot.0) && self.replace(slot, &bytes).is_ok() {
            self.note(slot);
        }
        true
    }

    /// Takes the pod out of a place. Returns whether there was one.
    pub fn remove(&mut self, slot: Slot) -> bool {
        if self.pods.bytes(slot.0).is_empty() || self.replace(slot, &[]).is_err() {
            return false;
        }
        self.note(slot);
        true
    }

    /// Makes the table have the pods of another, with as few changes as that takes. Pods that stay keep their places.
    pub fn replace_pods(&mut self, other: &Self) -> Result<(), AddError> {
        let mut stay = vec![false; self.pods.end() as usize];
        for pod in other.slots().filter_map(|slot| other.describe(slot)) {
            let slot = self.upsert(&pod)?.0 as usize;
            if let Some(stays) = stay.get_mut(slot) {
                *stays = true;
            }
        }
        let gone = stay.iter().enumerate().filter(|(_, stays)| !**stays).map(|(slot, _)| Slot(slot as u32));
        for slot in gone {
            self.remove(slot);
        }
        self.set_coverage(other.coverage);
        self.skipped = other.skipped.clone();
        Ok(())
    }

    /// Sets which pods the table knows.
    pub fn set_coverage(&mut self, coverage: Coverage) {
        if self.coverage != coverage {
            self.coverage = coverage;
            self.version.number += 1;
        }
    }

    /// Sets what was left out of the table.
    pub fn set_skipped(&mut self, skipped: Skipped) {
        self.skipped = skipped;
    }

    /// Keeps where changes are from now on, until [`Table::take_changes`] is called.
    pub fn record_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// The places of pods that were put or removed since this was called last, in the order of the changes.
    pub fn take_changes(&mut self) -> Vec<Slot> {
        self.take_recorded().unwrap_or_default()
    }

    /// [`Table::take_changes`]; `None` where nobody has had them recorded, as in a table that was read from a text of all pods.
    pub fn take_recorded(&mut self) -> Option<Vec<Slot>> {
        self.changes.as_mut().map(std::mem::take)
    }

    /// Gives the table another epoch, which follows from the one that it has: it says something else than the table that it was
    /// made of.
    pub fn fork(&mut self) {
        self.version.epoch ^= 1 << 63;
    }

    pub(crate) fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    fn note(&mut self, slot: Slot) {
        self.version.number += 1;
        if let Some(changes) = &mut self.changes {
            changes.push(slot);
        }
    }

    /// Puts bytes in a place, none to make it vacant, and brings indexes and counts of texts in line. Changes nothing where there
    /// is no room.
    fn replace(&mut self, slot: Slot, bytes: &[u8]) -> Result<bool, AddError> {
        let (old, new) = (self.record(slot), Record::decode(bytes));
        let (was_there, is_there) = (old.is_some(), new.is_some());
        let keys = |record: Option<Record<'_>>| record.map_or(Vec::new(), |record| self.keys(slot, &record));
        let symbols = |record: Option<Record<'_>>| {
            let mut symbols = Vec::new();
            if let Some(record) = record {
                record.symbols(|symbol| symbols.push((0, u64::from(symbol.0))));
            }
            sorted(symbols)
        };
        let (old_keys, new_keys) = (keys(old), keys(new));
        let (old_symbols, new_symbols) = (symbols(old), symbols(new));
        if !is_there {
            self.pods.remove(slot.0);
        } else if !self.pods.put(slot.0, bytes) {
            return Err(AddError::Full);
        }
        self.len = self.len + usize::from(is_there) - usize::from(was_there);
        compare(&old_keys, &new_keys, |(position, entry), is_new| {
            let Some(index) = self.indexes.get_mut(position) else { return };
            if is_new {
                index.insert(entry)
            } else {
                index.remove(entry)
            }
            if position == BY_IP {
                self.indexes.contest(entry);
            }
        });
        // Texts that both use stay as they are.
        compare(&old_symbols, &new_symbols, |(_, symbol), is_new| {
            let symbol = Symbol(symbol as u32);
            if is_new { self.texts.retain(symbol) } else { self.texts.release(symbol) }
        });
        Ok(true)
    }

    pub(crate) fn with_hash(&self, index: usize, hash: u64) -> impl Iterator<Item = Slot> {
        let index = self.indexes.get(index);
        index.into_iter().flat_map(move |index| Entry::range(index, hash)).map(Slot)
    }
}

/// Keys in order. Module size counts: this is a tenth of what the slice's own sorting takes.
pub(super) fn sorted(keys: Vec<(usize, u64)>) -> Vec<(usize, u64)> {
    BinaryHeap::from(keys).into_sorted_vec()
}

/// Tells what is only in one of two lists in order, and whether that is the new one.
fn compare(old: &[(usize, u64)], new: &[(usize, u64)], mut tell: impl FnMut((usize, u64), bool)) {
    let (mut old, mut new) = (old, new);
    loop {
        let order = match (old.first(), new.first()) {
            (None, None) => return,
            (Some(was), Some(is)) => was.cmp(is),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        };
        if order.is_le()
            && let Some((was, rest)) = old.split_first()
        {
            old = rest;
            if order.is_lt() {
                tell(*was, false);
            }
        }
        if order.is_ge()
            && let Some((is, rest)) = new.split_first()
        {
            new = rest;
            if order.is_gt() {
                tell(*is, true);
            }
        }
    }
}
