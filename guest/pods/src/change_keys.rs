//! The keys of a pod, by which a directory tells which of its answers may have changed.

use podstamp_core::directory::{Term, address_key, change_key, container_key};

use crate::slot::Slot;
use crate::table::Table;

impl Table {
    /// Gives `take` the key of each lookup whose answer the pod in a place can have part in, but for lookups that all pods may have
    /// part in. Nothing where the place is vacant.
    pub fn change_keys(&self, slot: Slot, mut take: impl FnMut(u32)) {
        let Some(record) = self.record(slot) else { return };
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        take(change_key(&[Term::Name(text(record.name))]));
        take(change_key(&[Term::Hostname(text(record.hostname))]));
        take(change_key(&[Term::Uid(&record.uid.text())]));
        // The addresses of its node too: a pod more or less on a node is what makes them a node's.
        record.addresses().chain(self.node_ips(&record)).for_each(|address| take(address_key(address)));
        record.containers().filter_map(|(_, id)| container_key(&id.text())).for_each(take);
    }
}
