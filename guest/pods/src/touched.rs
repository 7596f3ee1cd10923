//! Which lookups may have other answers than in an earlier state of the table.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use podstamp_core::directory::ANY_POD;

use crate::slot::Slot;
use crate::table::Table;

/// For each key the state in which a lookup with it last got another answer, or may have. Some keys share a place: a change of one
/// is then told of the other too. States are numbers that grow; who changes a table notes it before the new state is told.
#[derive(Debug, Default)]
pub struct Touched {
    /// Made with the first change.
    places: OnceLock<Box<[AtomicU64]>>,
    /// The state in which all changed at once.
    all: AtomicU64,
}

impl Touched {
    /// Notes that `state` has other pods in these places than the state before it; `None`: in any.
    pub fn note(&self, state: u64, before: &Table, after: &Table, slots: Option<&[Slot]>) {
        let is_later = before.version().epoch == after.version().epoch
            && before.coverage() == after.coverage()
            && before.fields() == after.fields();
        match slots {
            Some(slots) if is_later && slots.len() <= MANY => {
                for slot in slots {
                    for table in [before, after] {
                        table.change_keys(*slot, |key| self.touch(key, state));
                    }
                }
                self.touch(ANY_POD, state);
            }
            _ => self.all.store(state, Ordering::Relaxed),
        }
    }

    /// Whether lookups with these keys have the answers that they had in the state `since`.
    pub fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        let is_older = |state: &AtomicU64| state.load(Ordering::Relaxed) <= since;
        let Some(places) = self.places.get() else { return is_older(&self.all) };
        is_older(&self.all) && keys.iter().all(|key| places.get(place(*key)).is_some_and(is_older))
    }

    fn touch(&self, key: u32, state: u64) {
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect());
        if let Some(place) = places.get(place(key)) {
            place.store(state, Ordering::Relaxed);
        }
    }
}

fn place(key: u32) -> usize {
    key as usize % PLACES
}

/// Places: 128 KiB.
const PLACES: usize = 1 << 14;

/// Pods that change at once from which on all answers count as changed: their keys would touch most places.
const MANY: usize = 2_000;
