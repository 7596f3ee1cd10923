//! The pods as text: what `GET /pods` shows to filters elsewhere, which keep a table of their own.
//!
//! Many ask, again and again, and the table seldom changes: each version of it is written once for each set of fields that
//! is asked for, and the text is kept until the table changes.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use http::HeaderValue;
use podstamp_core::directory::Fields;
use podstamp_pods::listing;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};

use crate::pods::Table;

/// The texts of the current pod table.
#[derive(Default)]
pub struct Listings {
    source: OnceLock<Source>,
    kept: Mutex<Kept>,
}

type Source = Box<dyn Fn() -> Arc<Table> + Send + Sync>;

/// The texts of one version of the table.
#[derive(Default)]
struct Kept {
    table: Weak<Table>,
    listings: Vec<(Fields, Arc<OnceCell<Listing>>)>,
}

/// A text and its entity tag.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) text: Bytes,
    /// A hash of the text, quotes included.
    pub(super) tag: HeaderValue,
}

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoListing {
    /// Nothing gives a table.
    #[error("there is no pod table")]
    NoTable,
    /// Writing it panicked.
    #[error(transparent)]
    Failed(#[from] JoinError),
}

impl Listings {
    /// Sets the source of the table, which is asked each time. Only the first source counts.
    pub fn show(&self, source: impl Fn() -> Arc<Table> + Send + Sync + 'static) {
        self.source.get_or_init(|| Box::new(source));
    }

    /// The current table with these fields.
    pub(super) async fn listing(&self, fields: Fields) -> Result<Listing, NoListing> {
        let table = self.source.get().ok_or(NoListing::NoTable)?();
        let slot = self.slot(&table, fields);
        let write = || spawn_blocking(move || Listing::new(&table, fields));
        Ok(slot.get_or_try_init(write).await?.clone())
    }

    /// The place of a text, whether it is written yet or not.
    fn slot(&self, table: &Arc<Table>, fields: Fields) -> Arc<OnceCell<Listing>> {
        let current = Arc::downgrade(table);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.table.ptr_eq(&current) {
            *kept = Kept { table: current, listings: Vec::new() };
        }
        if let Some((_, slot)) = kept.listings.iter().find(|(known, _)| *known == fields) {
            return Arc::clone(slot);
        }
        if kept.listings.len() >= MAX_LISTINGS {
            kept.listings.remove(0);
        }
        let slot = Arc::default();
        kept.listings.push((fields, Arc::clone(&slot)));
        slot
    }
}

impl fmt::Debug for Listings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listings").finish_non_exhaustive()
    }
}

impl Listing {
    fn new(table: &Table, fields: Fields) -> Self {
        let text = Bytes::from(listing::write(table, fields));
        let hash: String = Sha256::digest(&text).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("\"{hash}\""));
        Self { text, tag: tag.unwrap_or_else(|_| HeaderValue::from_static("\"\"")) }
    }
}

/// Filters with one configuration ask for one set of fields; each text takes some 10 MB at 100,000 pods.
const MAX_LISTINGS: usize = 4;

#[cfg(test)]
mod tests {
    use podstamp_core::directory::Field;
    use podstamp_pods::{Coverage, KeptKeys, PodParts};

    use super::*;

    fn table(name: &'static str) -> Arc<Table> {
        let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
        table.upsert(&PodParts { name: name.into(), uid: "u".into(), ..PodParts::default() }).unwrap();
        Arc::new(table)
    }

    #[tokio::test]
    async fn a_version_of_the_table_is_written_once_for_each_set_of_fields() {
        let listings = Listings::default();
        assert!(matches!(listings.listing(Fields::ALL).await, Err(NoListing::NoTable)));
        let current = Arc::new(Mutex::new(table("a")));
        let source = Arc::clone(&current);
        listings.show(move || Arc::clone(&source.lock().unwrap()));
        let listing = async |fields| listings.listing(fields).await.unwrap();

        let (all, again) = tokio::join!(listing(Fields::ALL), listing(Fields::ALL));
        assert_eq!(all.text.as_ptr(), again.text.as_ptr());
        let few = listing(Fields::NONE).await;
        assert_ne!(few.tag, all.tag);

        *current.lock().unwrap() = table("a");
        let same = listing(Fields::ALL).await;
        assert_eq!((same.text.as_ptr() == all.text.as_ptr(), &same.tag), (false, &all.tag));
        *current.lock().unwrap() = table("b");
        let other = listing(Fields::ALL).await;
        assert_ne!(other.tag, all.tag);
        assert!(other.text.ends_with(b"\nb\t\t\tu\n"), "{:?}", other.text);
    }

    #[tokio::test]
    async fn only_a_few_texts_are_kept() {
        let listings = Listings::default();
        let pods = table("a");
        listings.show(move || Arc::clone(&pods));
        for field in Field::ALL {
            listings.listing(Fields::NONE.with(field)).await.unwrap();
        }
        assert_eq!(listings.kept.lock().unwrap().listings.len(), MAX_LISTINGS);
    }
}
