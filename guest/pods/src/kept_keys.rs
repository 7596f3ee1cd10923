//! Which labels and annotations a table keeps.

use std::collections::BTreeSet;

/// Which labels or annotations a table keeps. They cost memory and serve only the rules that name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// None.
    #[default]
    None,
    /// Those with one of these keys.
    Only(BTreeSet<String>),
    /// All.
    All,
}

impl Keys {
    /// Whether a key is kept.
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Only(keys) => keys.contains(key),
            Self::All => true,
        }
    }
}

/// What a table keeps of a pod's labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptKeys {
    /// Labels.
    pub labels: Keys,
    /// Annotations.
    pub annotations: Keys,
}

impl KeptKeys {
    /// All of both.
    pub const ALL: Self = Self { labels: Keys::All, annotations: Keys::All };
}
