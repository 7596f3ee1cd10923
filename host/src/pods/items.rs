//! The items of a list of pods, on their way into a table.

use podstamp_core::directory::Fields;
use podstamp_pods::{Coverage, KeptKeys, Skipped, Table};

use super::raw::Item;

/// A table in the making, and what the list has held so far.
#[derive(Debug)]
pub(super) struct Items {
    table: Table,
    skipped: Skipped,
    seen: usize,
}

impl Items {
    pub(super) fn new(kept_keys: KeptKeys, coverage: Coverage) -> Self {
        let table = Table::new(Fields::ALL, kept_keys, coverage);
        Self { table, skipped: Skipped::default(), seen: 0 }
    }

    /// Adds a pod, or counts why it cannot be added.
    pub(super) fn add(&mut self, item: Option<Item>) {
        let position = self.seen;
        self.seen += 1;
        let item = item.unwrap_or_default();
        if item.kind.as_deref().is_some_and(|kind| kind != "Pod") {
            self.skipped.others += 1;
            return;
        }
        if let Err(reason) = self.add_pod(&item) {
            let name = item.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
            self.skipped.skip_pod(|| format!("items[{position}] ({name:?}): {reason}"));
        }
    }

    /// Whether the list held things, and none of them was a pod.
    pub(super) fn are_no_pods(&self) -> bool {
        let others = self.skipped.others;
        others > 0 && self.seen == others as usize
    }

    pub(super) fn finish(mut self) -> Table {
        self.table.set_skipped(self.skipped);
        self.table
    }

    fn add_pod(&mut self, item: &Item) -> Result<(), String> {
        self.table.upsert(&item.parts()?).map_err(|error| error.to_string())?;
        Ok(())
    }
}
