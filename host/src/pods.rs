//! The pod directory: which pod has which address, name or uid.
//!
//! [`Pods`] is what the filter asks: lookups take the current [`Table`] without waiting for anything, and whoever follows the
//! cluster changes the next one, pod by pod. [`kubernetes::KubernetesPods`] fills it from the Kubernetes API and follows that; [`PodsFile`] fills it from a
//! file and follows that file's changes; [`read_pods`] makes a table of what `kubectl` prints.
//!
//! # Limits
//! The first lookup by label, annotation, host name, node, deployment or namespace goes through all pods, some milliseconds at
//! 100,000; an index is built meanwhile. Labels and annotations are kept only as far as [`KeptKeys`] says.

mod backoff;
mod departed;
pub mod explain;
mod file;
mod items;
pub mod kubernetes;
mod log;
mod nodes;
mod parts;
mod raw;
mod read;
pub mod remote;
pub mod source;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use podstamp_core::directory::{Details, Directory, Lookup, Pod, Term};
use tokio::sync::watch;

use crate::observe::Metrics;
use departed::DepartedPods;
use explain::{Departed, Subject};
pub use file::{PodsFile, PodsFileError, Settings};
use log::Log;
pub(crate) use nodes::{OwnPlace, PodNodes};
pub use podstamp_pods::{
    AddError, Coverage, KeptKeys, Keys, ListingReader, PodParts, Skipped, Slot, Table, Touched, Version,
};
pub use read::{ReadError, read_pods};

/// The pods of a process: a table that one writer at a time changes, and a snapshot of it, which lookups use.
#[derive(Clone, Debug)]
pub struct Pods {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    next: Mutex<Next>,
    current: ArcSwap<Table>,
    /// How often the table has been put in place of another.
    state: AtomicU64,
    touched: Touched,
    /// The version of the current table, for those who wait for another.
    version: watch::Sender<Version>,
    /// Whether a thread builds an index.
    is_indexing: AtomicBool,
}

/// The table that the writer changes, and what has changed in it lately.
#[derive(Debug)]
struct Next {
    table: Table,
    log: Log,
    departed: DepartedPods,
}

impl Pods {
    /// Pods that begin with this table.
    pub fn new(mut table: Table) -> Self {
        let current = ArcSwap::from_pointee(table.clone());
        let version = table.version();
        table.record_changes();
        let next = Next { table, log: Log::new(version), departed: DepartedPods::default() };
        Self {
            shared: Arc::new(Shared {
                next: Mutex::new(next),
                current,
                state: AtomicU64::new(0),
                touched: Touched::default(),
                version: watch::Sender::new(version),
                is_indexing: AtomicBool::new(false),
            }),
        }
    }

    /// The current table. It never changes.
    pub fn table(&self) -> Arc<Table> {
        self.shared.current.load_full()
    }

    /// Shows the number of pods in metrics.
    pub(crate) fn show(&self, metrics: &Metrics) {
        let pods = self.clone();
        metrics.watch("pods", "Pods in the directory", move || pods.table().len() as u64);
    }

    /// Changes the table. Lookups see all that `change` does at once, when it has returned; they wait for nothing.
    pub fn update<R>(&self, change: impl FnOnce(&mut Table) -> R) -> R {
        let mut next = self.shared.lock();
        let before = next.table.version();
        let result = change(&mut next.table);
        if next.table.version() != before {
            self.shared.publish(&mut next);
        }
        result
    }

    /// Makes the table have the pods of another. Those that stay keep their places.
    pub fn replace(&self, mut table: Table) {
        let mut next = self.shared.lock();
        if next.table.replace_pods(&table).is_err() {
            // No room, which a table that is new has.
            table.follow(&next.table);
            table.record_changes();
            next.table = table;
        }
        next.table.index(u32::MAX);
        self.shared.publish(&mut next);
    }

    /// Puts a table in place of the current one, of which it is a later state: these places have changed. `None`: all may have.
    pub(crate) fn adopt(&self, mut table: Table, slots: Option<&[Slot]>) {
        let mut next = self.shared.lock();
        table.follow(&next.table);
        table.record_changes();
        if slots.is_none() {
            next.log = Log::new(table.version());
        }
        table.index(u32::MAX);
        next.table = table;
        self.shared.publish_changes(&mut next, slots);
    }

    /// The places that have changed since a version, up to another. `None`: that is not known, or not any more.
    pub(crate) fn changes(&self, since: Version, version: Version) -> Option<Vec<Slot>> {
        self.shared.lock().log.changes(since, version)
    }

    /// Waits until the table has another version.
    pub(crate) async fn changed(&self, version: Version) {
        // It ends with its sender, which is here.
        drop(self.shared.version.subscribe().wait_for(|current| *current != version).await);
    }

    /// How long a pod has been being deleted.
    pub(crate) fn leaving(&self, pod: &Pod) -> Option<Duration> {
        self.shared.lock().departed.leaving(pod)
    }

    /// The pod that had something and is gone.
    pub(crate) fn gone(&self, subject: &Subject<'_>) -> Option<Departed> {
        self.shared.lock().departed.gone(subject)
    }

    /// Puts another table in place of this one, which had no pods yet, or none that count.
    pub(crate) fn restart(&self, table: Table) {
        self.adopt(table, None);
    }

    /// Builds what lookups have asked for, beside them.
    fn index(&self) {
        if self.shared.is_indexing.swap(true, Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let build = move || {
            let mut next = shared.lock();
            next.table.index(u32::MAX);
            shared.publish(&mut next);
            shared.is_indexing.store(false, Ordering::Relaxed);
        };
        if std::thread::Builder::new().name("pods-index".to_owned()).spawn(build).is_err() {
            // The next lookup tries again.
            self.shared.is_indexing.store(false, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a state the current one. The writer holds the lock meanwhile, so that states come in their order.
    fn publish(&self, next: &mut Next) {
        let slots = next.table.take_changes();
        self.publish_changes(next, Some(&slots));
    }

    /// The same, where it is known which places have changed. `None`: any may have.
    fn publish_changes(&self, next: &mut Next, slots: Option<&[Slot]>) {
        let Next { table, log, departed } = next;
        let before = self.current.swap(Arc::new(table.clone()));
        // Behind the table, and behind what has changed in it: whoever sees the new state finds what belongs to it.
        let state = self.state.load(Ordering::Relaxed) + 1;
        self.touched.note(state, &before, table, slots);
        self.state.store(state, Ordering::Release);
        let version = table.version();
        let slots = slots.unwrap_or_default();
        log.note(version, slots);
        departed.note(&before, table, slots);
        if version != before.version() {
            self.version.send_replace(version);
        }
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

    fn state(&self) -> Option<u64> {
        Some(self.shared.state.load(Ordering::Acquire))
    }

    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        self.shared.touched.unchanged(since, keys)
    }
}
