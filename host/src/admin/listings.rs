//! The pods as text: what `GET /pods` shows to filters elsewhere, which keep a table of their own.
//!
//! Many ask, again and again, and the table seldom changes: each version of it is written once for each set of fields that
//! is asked for, and the text is kept until the table changes.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use podstamp_core::config::TurnedAway;
use podstamp_core::directory::{Details, Directory as _, Fields, Lookup, Pod, Term};
use podstamp_pods::listing;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};

use super::coded::Text;
use super::feed::{Feed, NoNews, Question};
use crate::observe::LostPeers;
use crate::pods::explain::{Departed, Explanation, Scene, Subject};
use crate::pods::{Pods, Table};

/// The pods as the admin listener shows them.
#[derive(Default)]
pub struct Listings {
    source: OnceLock<Source>,
    state: OnceLock<TellState>,
    kept: Mutex<Kept>,
    feed: Feed,
}

/// The pods, and what the configuration makes of them.
struct Source {
    pods: Pods,
    turns_away: TurnsAway,
}

/// How the source of pods does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceState {
    /// How many pods are known.
    pub known: usize,
    /// Where they come from, for people.
    pub source: String,
    /// `following`, `loading`, or what is wrong.
    pub state: String,
    /// Seconds since the source was heard.
    pub age_seconds: f64,
    /// Whether the pods are there, and changes come.
    pub healthy: bool,
}

/// Tells how the source of pods does.
type TellState = Box<dyn Fn() -> SourceState + Send + Sync>;

/// Why a pod that is found does not count, if so.
type TurnsAway = Box<dyn Fn(&Pod) -> Option<TurnedAway> + Send + Sync>;

/// The texts of one version of the table.
#[derive(Default)]
struct Kept {
    table: Weak<Table>,
    listings: Vec<(Fields, Arc<OnceCell<Listing>>)>,
}

/// A text and its entity tag.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) text: Text,
    /// A hash of the text, without quotes.
    pub(super) hash: String,
}

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoListing {
    /// Nothing gives a table.
    #[error("there is no pod table")]
    NoTable,
    /// Nobody can wait for changes now.
    #[error("too many wait for changes already")]
    Crowded,
    /// Writing it panicked.
    #[error(transparent)]
    Failed(#[from] JoinError),
}

impl From<NoNews> for NoListing {
    fn from(error: NoNews) -> Self {
        match error {
            NoNews::Crowded => Self::Crowded,
            NoNews::Failed(error) => Self::Failed(error),
        }
    }
}

impl Listings {
    /// Sets the pods, and the rule by which the configuration turns some away. Only the first pods count.
    pub fn show(&self, pods: Pods, turns_away: impl Fn(&Pod) -> Option<TurnedAway> + Send + Sync + 'static) {
        self.source.get_or_init(|| Source { pods, turns_away: Box::new(turns_away) });
    }

    /// Sets what tells how the source of pods does; the number of pods is known here. Only the first one counts.
    pub fn tell_state(&self, state: impl Fn() -> SourceState + Send + Sync + 'static) {
        self.state.get_or_init(|| Box::new(state));
    }

    /// How the source of pods does.
    pub(crate) fn source_state(&self) -> SourceState {
        let nobody = || SourceState {
            source: "nobody".to_owned(),
            state: "none".to_owned(),
            ..SourceState::default()
        };
        let state = self.state.get().map_or_else(nobody, |state| state());
        SourceState { known: self.table().map_or(0, |table| table.len()), ..state }
    }

    /// How many wait for changes of the pods.
    pub(crate) fn followers(&self) -> usize {
        self.feed.followers()
    }

    /// The current table; `None` where nothing gives one.
    pub(super) fn table(&self) -> Option<Arc<Table>> {
        self.source.get().map(|source| source.pods.table())
    }

    /// Why the configuration turns a pod away; `None` where it does not.
    pub(super) fn turns_away(&self, pod: &Pod) -> Option<TurnedAway> {
        self.source.get().and_then(|source| (source.turns_away)(pod))
    }

    /// How long a pod has been being deleted.
    pub(super) fn leaving(&self, pod: &Pod) -> Option<Duration> {
        self.source.get().and_then(|source| source.pods.leaving(pod))
    }

    /// The pod that had something and was deleted lately.
    pub(super) fn gone(&self, subject: &Subject<'_>) -> Option<Departed> {
        self.source.get().and_then(|source| source.pods.gone(subject))
    }

    /// Why an address, a name, a uid or a container's id does or does not lead to a pod; `None` where nothing gives a table. Goes
    /// through all pods.
    pub(crate) fn explain(&self, what: &str, lost_peers: &LostPeers) -> Option<Explanation> {
        let table = self.table()?;
        let scene = Scene {
            table: &table,
            turns_away: &|pod| self.turns_away(pod),
            leaving: &|pod| self.leaving(pod),
            gone: &|subject| self.gone(subject),
            lost_peers,
        };
        Some(scene.explain(what))
    }

    /// What an address leads to; `None` where nothing gives a table.
    pub(crate) fn find(&self, address: IpAddr) -> Option<Lookup> {
        self.table().map(|table| table.find(&[Term::Ip(address)], Details::default()))
    }

    /// The current table with these fields.
    pub(super) async fn listing(&self, fields: Fields) -> Result<Listing, NoListing> {
        let table = self.table().ok_or(NoListing::NoTable)?;
        let slot = self.slot(&table, fields);
        let write = || spawn_blocking(move || Listing::new(&table, fields));
        Ok(slot.get_or_try_init(write).await?.clone())
    }

    /// What has changed, once something has, the client's time is over, or `stopping` is.
    pub(super) async fn changes(
        &self,
        question: Question,
        stopping: impl Future<Output = ()>,
    ) -> Result<Text, NoListing> {
        let source = self.source.get().ok_or(NoListing::NoTable)?;
        Ok(self.feed.answer(&source.pods, question, stopping).await?)
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
        let text = Text::new(listing::write(table, fields));
        let digest = Sha256::digest(&text.plain);
        let hash = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { text, hash }
    }
}

/// Filters with one configuration ask for one set of fields; each text takes some 10 MB at 100,000 pods.
const MAX_LISTINGS: usize = 4;

#[cfg(test)]
mod tests {
    use podstamp_core::directory::Field;
    use podstamp_pods::{Coverage, KeptKeys, PodParts};

    use super::*;

    fn table(name: &'static str) -> Table {
        let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
        table.upsert(&PodParts { name: name.into(), uid: "u".into(), ..PodParts::default() }).unwrap();
        table
    }

    #[tokio::test]
    async fn a_version_of_the_table_is_written_once_for_each_set_of_fields() {
        let listings = Listings::default();
        assert!(matches!(listings.listing(Fields::ALL).await, Err(NoListing::NoTable)));
        let pods = Pods::new(table("a"));
        listings.show(pods.clone(), |_| None);
        let listing = async |fields| listings.listing(fields).await.unwrap();

        let (all, again) = tokio::join!(listing(Fields::ALL), listing(Fields::ALL));
        assert_eq!(all.text.plain.as_ptr(), again.text.plain.as_ptr());
        let few = listing(Fields::NONE).await;
        assert_ne!(few.hash, all.hash);

        pods.replace(table("a"));
        assert_eq!(listing(Fields::ALL).await.hash, all.hash);
        pods.replace(table("b"));
        let other = listing(Fields::ALL).await;
        assert_ne!(other.hash, all.hash);
        assert!(other.text.plain.ends_with(b"\nb\t\t\tu\n"), "{:?}", other.text);
    }

    #[tokio::test]
    async fn only_a_few_texts_are_kept() {
        let listings = Listings::default();
        listings.show(Pods::new(table("a")), |_| None);
        for field in Field::ALL {
            listings.listing(Fields::NONE.with(field)).await.unwrap();
        }
        assert_eq!(listings.kept.lock().unwrap().listings.len(), MAX_LISTINGS);
    }
}
