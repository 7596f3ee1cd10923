//! The pod directory: which pod has which address, name or uid.
//!
//! A [`Table`] never changes, so that lookups need no lock; [`Pods`] hands out the current one and is what the filter asks;
//! [`PodsFile`] fills it from a file and follows that file's changes; [`read_pods`] makes a table of what `kubectl` prints.
//!
//! # Limits
//! A lookup by label, annotation, node, deployment or namespace builds an index when it is first made, some 10 ms at
//! 100,000 pods. Labels and annotations are kept only as far as [`KeptKeys`] says.

mod file;
mod items;
pub mod kubernetes;
mod parts;
mod raw;
mod read;
pub mod source;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use podstamp_core::directory::{Details, Directory, Lookup, Term};

pub use file::{PodsFile, PodsFileError, Settings};
pub use podstamp_pods::{Coverage, KeptKeys, Keys, Skipped, Table};
pub use read::{ReadError, read_pods};

/// The current pod table of a process.
#[derive(Debug)]
pub struct Pods {
    table: RwLock<Arc<Table>>,
}

impl Pods {
    /// Pods that begin with this table.
    pub fn new(table: Table) -> Self {
        Self { table: RwLock::new(Arc::new(table)) }
    }

    /// The current table.
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another table in place of the current one. Takes as long as building the indexes that lookups have needed;
    /// lookups do not wait for it.
    pub fn replace(&self, table: Table) {
        table.prepare_like(&self.table());
        let mut current = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, Arc::new(table));
        drop(current);
        drop(old);
    }
}

impl Directory for Pods {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.table.read().unwrap_or_else(PoisonError::into_inner).find(terms, want)
    }
}
