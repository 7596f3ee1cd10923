//! One counter for each value of a label.

use std::marker::PhantomData;

use podstamp_core::hosting::labels::Label;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// A family of counters, each of them there from the start, so that nothing is looked up to count.
#[derive(Debug)]
pub(super) struct Counters<L> {
    cells: Vec<Counter>,
    label: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register(name, help, family.clone());
        Self::of(|name| family.get_or_create_owned(&[(L::KEY, name)]))
    }

    /// Counters that `cell` makes or finds for each value.
    pub(super) fn of(cell: impl Fn(&'static str) -> Counter) -> Self {
        Self { cells: L::NAMES.iter().map(|name| cell(name)).collect(), label: PhantomData }
    }

    /// The counts of all values, in the order of their indices.
    pub(super) fn all(&self) -> impl Iterator<Item = u64> {
        self.cells.iter().map(Counter::get)
    }

    /// The count of a value.
    pub(super) fn count(&self, label: L) -> u64 {
        self.cells.get(label.index()).map_or(0, Counter::get)
    }

    pub(super) fn add(&self, label: L, count: u64) {
        if count > 0
            && let Some(cell) = self.cells.get(label.index())
        {
            cell.inc_by(count);
        }
    }
}
