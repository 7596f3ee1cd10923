//! The place of a pod in a table.

use std::fmt;

/// The place of a pod in a table. A pod keeps its place for as long as it is there; then another may get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(crate) u32);

impl Slot {
    /// The place of that number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number of the place.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
