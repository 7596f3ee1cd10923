//! The items of a list of pods, on their way into a table.

use podstamp_core::directory::Fields;
use podstamp_pods::{Builder, Coverage, KeptKeys, Table};

use super::raw::Item;

/// A table in the making, and what the list has held so far.
#[derive(Debug)]
pub(super) struct Items {
    builder: Builder,
    seen: usize,
}

impl Items {
    pub(super) fn new(kept_keys: KeptKeys) -> Self {
        Self { builder: Builder::new(Fields::ALL, kept_keys), seen: 0 }
    }

    /// Adds a pod, or counts why it cannot be added.
    pub(super) fn add(&mut self, item: Option<Item>) {
        let position = self.seen;
        self.seen += 1;
        let item = item.unwrap_or_default();
        if item.kind.as_deref().is_some_and(|kind| kind != "Pod") {
            self.builder.skip_other();
            return;
        }
        if let Err(reason) = self.add_pod(&item) {
            let name = item.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
            self.builder.skip_pod(|| format!("items[{position}] ({name:?}): {reason}"));
        }
    }

    /// Whether the list held things, and none of them was a pod.
    pub(super) fn are_no_pods(&self) -> bool {
        let others = self.builder.skipped().others;
        others > 0 && self.seen == others as usize
    }

    pub(super) fn finish(self, coverage: Coverage) -> Table {
        self.builder.finish(coverage)
    }

    fn add_pod(&mut self, item: &Item) -> Result<(), String> {
        let nodes = item.node_ips()?;
        self.builder.add(&item.parts()?).map_err(|error| error.to_string())?;
        nodes.into_iter().for_each(|node| self.builder.add_node(node));
        Ok(())
    }
}
