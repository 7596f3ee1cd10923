//! What a pod is found by.

use std::hash::{BuildHasher, Hash};

use podstamp_core::directory::Field;

use super::Table;
use super::change::sorted;
use super::indexes::{BY_CONTAINER, BY_IP, BY_NAME, BY_NODE_IP, BY_UID};
use crate::entry::Entry;
use crate::record::Record;
use crate::slot::Slot;
use crate::uid;

impl Table {
    pub(crate) fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(crate) fn uid_hash(&self, uid: &str) -> u64 {
        match uid::pack(uid) {
            Some(bytes) => self.hash(bytes.as_slice()),
            None => self.hash(uid.as_bytes()),
        }
    }

    /// The hashes of the pods with a name: from the first to the last, whatever their namespace.
    pub(crate) fn name_hashes(&self, name: &[u8]) -> (u64, u64) {
        let hash = self.hash(name) & NAME;
        (hash, hash | !NAME)
    }

    /// The hash of the pods with a name and a namespace. It begins as that of all with the name, so that one index serves both.
    pub(crate) fn full_name_hash(&self, name: &[u8], namespace: &[u8]) -> u64 {
        self.name_hashes(name).0 | self.hash(namespace) >> NAME.count_ones()
    }

    /// The entries of a pod in each index, in order.
    pub(super) fn keys(&self, slot: Slot, record: &Record<'_>) -> Vec<(usize, u64)> {
        let mut keys = Vec::with_capacity(TYPICAL_KEYS);
        let mut add = |index, hash| keys.push((index, Entry::of(hash, slot.0)));
        if record.owns_addresses() {
            record.addresses().for_each(|address| add(BY_IP, self.hash(address)));
        }
        if !record.uid.is_empty() {
            add(BY_UID, self.hash(record.uid.key()));
        }
        add(BY_NAME, self.full_name_hash(record.name, self.texts.bytes(record.namespace)));
        if self.fields.contains(Field::Containers) {
            let ids = record.containers().map(|(_, id)| id).filter(|id| !id.is_none());
            ids.for_each(|id| add(BY_CONTAINER, self.hash(id)));
        }
        self.node_ips(record).for_each(|address| add(BY_NODE_IP, self.hash(address)));
        for (index, part) in self.indexes.parts(slot) {
            if let Some(value) = self.value(record, part) {
                add(index, self.hash(value));
            }
        }
        let mut keys = sorted(keys);
        keys.dedup();
        keys
    }
}

/// The bits of an entry that a pod's name decides.
const NAME: u64 = u64::MAX << 40;

/// Room for the keys of most pods.
const TYPICAL_KEYS: usize = 8;
