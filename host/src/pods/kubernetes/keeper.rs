//! Pods over time: what the API server tells of them becomes the table, and what it tells no more of stays for a while.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use podstamp_core::directory::{Fields, KeptKeys};

use crate::pods::raw::{Item, Metadata};
use crate::pods::{Coverage, PodParts, Pods, Slot, Table};

/// Which table to keep.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) fields: Fields,
    pub(super) keys: KeptKeys,
    pub(super) coverage: Coverage,
    /// How long a pod is known after it was deleted.
    pub(super) grace: Duration,
}

/// The table, and the pods in it that are gone.
#[derive(Debug)]
pub(super) struct Keeper {
    kept: Kept,
    pods: Pods,
    gone: Mutex<Gone>,
}

/// Pods that are gone, and until when they are kept.
#[derive(Debug, Default)]
struct Gone {
    /// In the order in which they went. One that came back is still in it, or in it twice.
    queue: VecDeque<(Instant, Slot)>,
    until: HashMap<Slot, Instant>,
}

/// What a pod is found by.
#[derive(Debug, Default)]
struct Identity {
    uid: String,
    namespace: String,
    name: String,
}

/// What the API server tells of a pod.
#[derive(Debug)]
pub(super) enum Change {
    /// The pod was made or has changed.
    Applied(Box<Item>),
    /// The pod was deleted.
    Deleted(Box<Item>),
    /// The pod cannot be read, so that nothing of it is known any more.
    Unreadable(Box<Metadata>),
}

/// A list of all pods that is on its way.
#[derive(Debug)]
pub(super) enum Listing {
    /// The first one. Nobody looks pods up in its table before it is whole.
    First(Box<Table>),
    /// A later one. It goes into the table pod by pod, since each of them is newer than what is there.
    Again(HashSet<Slot>),
}

/// What came of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Pods that were left out.
    pub(super) skipped: usize,
    /// The first of these, and why.
    pub(super) first: Option<String>,
}

impl Keeper {
    /// An empty table.
    pub(super) fn new(kept: Kept) -> Self {
        let table = Table::new(kept.fields, kept.keys.clone(), Coverage::Part);
        Self { kept, pods: Pods::new(table), gone: Mutex::default() }
    }

    pub(super) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Carries out changes, in their order. Lookups see all of them at once.
    pub(super) fn change(&self, changes: &[Change], now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let mut gone = self.gone();
        self.pods.update(|table| {
            for change in changes {
                match change {
                    Change::Applied(item) => outcome.take(item, apply(table, &mut gone, item)),
                    Change::Deleted(item) => {
                        if let Some(slot) = Identity::of_item(item).slot(table) {
                            self.leave(table, &mut gone, slot, now);
                        }
                    }
                    Change::Unreadable(metadata) => forget(table, &mut gone, Identity::of(metadata)),
                }
            }
        });
        outcome
    }

    /// Begins a list of all pods.
    pub(super) fn list(&self, is_first: bool) -> Listing {
        if is_first {
            let Kept { fields, keys, coverage, .. } = self.kept.clone();
            Listing::First(Box::new(Table::new(fields, keys, coverage)))
        } else {
            Listing::Again(HashSet::new())
        }
    }

    /// Takes pods of a list.
    pub(super) fn take(&self, listing: &mut Listing, items: &[Item]) -> Outcome {
        let mut outcome = Outcome::default();
        match listing {
            Listing::First(table) => {
                let mut none = Gone::default();
                items.iter().for_each(|item| outcome.take(item, apply(table, &mut none, item)));
            }
            Listing::Again(seen) => {
                let mut gone = self.gone();
                self.pods.update(|table| {
                    for item in items {
                        let applied = apply(table, &mut gone, item);
                        seen.extend(applied.as_ref().ok());
                        outcome.take(item, applied);
                    }
                });
            }
        }
        outcome
    }

    /// Takes a pod of a list back: it was deleted while the list came.
    pub(super) fn take_back(&self, listing: &mut Listing, item: &Item) {
        let identity = Identity::of_item(item);
        match listing {
            Listing::First(table) => forget(table, &mut Gone::default(), identity),
            // With the list's end it will be gone.
            Listing::Again(seen) => {
                if let Some(slot) = identity.slot(&self.pods.table()) {
                    seen.remove(&slot);
                }
            }
        }
    }

    /// Some pods that live, whichever: namespace, name and uid of each.
    pub(super) fn some_live(&self, most: usize) -> Vec<(String, String, String)> {
        let table = self.pods.table();
        let gone = self.gone();
        let live = table.slots().filter(|slot| !gone.until.contains_key(slot)).filter_map(|slot| {
            let pod = table.describe(slot).filter(|pod| !pod.deleting && !pod.uid.is_empty())?;
            Some((pod.namespace.into_owned(), pod.name.into_owned(), pod.uid.into_owned()))
        });
        live.take(most).collect()
    }

    /// Ends a list: it was whole. Pods that are not in it are gone.
    pub(super) fn finish(&self, listing: Listing, now: Instant) {
        let mut gone = self.gone();
        match listing {
            Listing::First(table) => {
                *gone = Gone::default();
                self.pods.restart(*table);
            }
            Listing::Again(seen) => self.pods.update(|table| {
                let missing: Vec<_> = table.slots().filter(|slot| !seen.contains(slot)).collect();
                for slot in missing {
                    if !gone.until.contains_key(&slot) {
                        self.leave(table, &mut gone, slot, now);
                    }
                }
            }),
        }
    }

    /// Removes pods whose grace is over.
    pub(super) fn expire(&self, now: Instant) {
        let mut gone = self.gone();
        let over = gone.queue.iter().take_while(|(until, _)| *until <= now).count();
        let over: Vec<_> = gone.queue.drain(..over).collect();
        // One that came back, and maybe went once more, has another time or none.
        let over: Vec<_> =
            over.into_iter().filter(|(until, slot)| gone.until.get(slot) == Some(until)).collect();
        if over.is_empty() {
            return;
        }
        self.pods.update(|table| {
            for (_, slot) in over {
                gone.until.remove(&slot);
                table.remove(slot);
            }
        });
    }

    /// The number of pods that are gone and still known.
    pub(super) fn leaving(&self) -> usize {
        self.gone().until.len()
    }

    /// Keeps a pod that is gone for its grace.
    fn leave(&self, table: &mut Table, gone: &mut Gone, slot: Slot, now: Instant) {
        if self.kept.grace.is_zero() {
            table.remove(slot);
            return;
        }
        table.mark_deleting(slot);
        let until = now + self.kept.grace;
        gone.queue.push_back((until, slot));
        gone.until.insert(slot, until);
    }

    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    fn take<T>(&mut self, item: &Item, result: Result<T, String>) {
        if let Err(why) = result {
            self.skipped += 1;
            self.first.get_or_insert_with(|| format!("{}: {why}", Identity::of_item(item)));
        }
    }
}

/// Puts a pod into the table, in place of what was known of it. What cannot be used is forgotten: an address that the pod
/// had may be another's by now.
fn apply(table: &mut Table, gone: &mut Gone, item: &Item) -> Result<Slot, String> {
    let applied = item.parts().and_then(|pod| table.upsert(&pod).map_err(|error| error.to_string()));
    match applied {
        Ok(slot) => {
            // Where it was gone it is back: it meets the selector again.
            gone.until.remove(&slot);
        }
        Err(_) => forget(table, gone, Identity::of_item(item)),
    }
    applied
}

fn forget(table: &mut Table, gone: &mut Gone, identity: Identity) {
    if let Some(slot) = identity.slot(table) {
        table.remove(slot);
        gone.until.remove(&slot);
    }
}

impl Identity {
    fn of_item(item: &Item) -> Self {
        item.metadata.as_ref().map(Self::of).unwrap_or_default()
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }

    fn slot(&self, table: &Table) -> Option<Slot> {
        table.slot_of(&PodParts {
            uid: self.uid.as_str().into(),
            namespace: self.namespace.as_str().into(),
            name: self.name.as_str().into(),
            ..PodParts::default()
        })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
