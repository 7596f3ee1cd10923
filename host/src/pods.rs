//! The pod directory: which pod has which address, name or uid.
//!
//! [`Pods`] is what the filter asks: lookups take the current [`Table`] without waiting for anything, and whoever follows the
//! cluster changes the next one, pod by pod. [`PodsFile`] fills it from a file and follows that file's changes; [`read_pods`] makes
//! a table of what `kubectl` prints.
//!
//! # Limits
//! The first lookup by label, annotation, host name, node, deployment or namespace goes through all pods, some milliseconds at
//! 100,000; an index is built meanwhile. Labels and annotations are kept only as far as [`KeptKeys`] says.

mod file;
mod items;
pub mod kubernetes;
mod parts;
mod raw;
mod read;
pub mod source;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use podstamp_core::directory::{Details, Directory, Lookup, Term};

pub use file::{PodsFile, PodsFileError, Settings};
pub use podstamp_pods::{AddError, Coverage, KeptKeys, Keys, PodParts, Skipped, Slot, Table, Version};
pub use read::{ReadError, read_pods};

/// The pods of a process: a table that one writer at a time changes, and a snapshot of it, which lookups use.
#[derive(Clone, Debug)]
pub struct Pods {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    next: Mutex<Table>,
    current: ArcSwap<Table>,
    /// Whether a thread builds an index.
    is_indexing: AtomicBool,
}

impl Pods {
    /// Pods that begin with this table.
    pub fn new(table: Table) -> Self {
        let current = ArcSwap::from_pointee(table.clone());
        Self {
            shared: Arc::new(Shared {
                next: Mutex::new(table),
                current,
                is_indexing: AtomicBool::new(false),
            }),
        }
    }

    /// The current table. It never changes.
    pub fn table(&self) -> Arc<Table> {
        self.shared.current.load_full()
    }

    /// Changes the table. Lookups see all that `change` does at once, when it has returned; they wait for nothing.
    pub fn update<R>(&self, change: impl FnOnce(&mut Table) -> R) -> R {
        let mut next = self.shared.lock();
        let before = next.version();
        let result = change(&mut next);
        if next.version() != before {
            self.shared.publish(&next);
        }
        result
    }

    /// Makes the table have the pods of another. Those that stay keep their places.
    pub fn replace(&self, mut table: Table) {
        let mut next = self.shared.lock();
        if next.replace_pods(&table).is_err() {
            // No room, which a table that is new has.
            table.follow(&next);
            *next = table;
        }
        next.index(u32::MAX);
        self.shared.publish(&next);
    }

    /// Puts another table in place of this one, which had no pods yet, or none that count.
    pub(crate) fn restart(&self, mut table: Table) {
        let mut next = self.shared.lock();
        table.follow(&next);
        *next = table;
        next.index(u32::MAX);
        self.shared.publish(&next);
    }

    /// Builds what lookups have asked for, beside them.
    fn index(&self) {
        if self.shared.is_indexing.swap(true, Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let build = move || {
            let mut next = shared.lock();
            next.index(u32::MAX);
            shared.publish(&next);
            shared.is_indexing.store(false, Ordering::Relaxed);
        };
        if std::thread::Builder::new().name("pods-index".to_owned()).spawn(build).is_err() {
            // The next lookup tries again.
            self.shared.is_indexing.store(false, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a state the current one. The writer holds the lock meanwhile, so that states come in their order.
    fn publish(&self, next: &Table) {
        self.current.store(Arc::new(next.clone()));
    }
}

impl Directory for Pods {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        let table = self.shared.current.load();
        let lookup = table.find(terms, want);
        if table.lacks_index() {
            self.index();
        }
        lookup
    }
}
