//! What was left out of a table.

/// What was left out of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Pods without a name or with an address that is none.
    pub pods: u32,
    /// The first of these pods, and what is wrong with it.
    pub first: Option<String>,
    /// Items of the list that are not pods.
    pub others: u32,
}

impl Skipped {
    /// Counts a pod, and keeps why if it is the first.
    pub fn skip_pod(&mut self, reason: impl FnOnce() -> String) {
        self.pods += 1;
        self.first.get_or_insert_with(reason);
    }
}
