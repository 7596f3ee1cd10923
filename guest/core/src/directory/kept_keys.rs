//! Which labels and annotations a directory keeps.

use std::collections::BTreeSet;

/// Which labels or annotations a directory keeps. Each costs memory, and serves only rules that name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// No label or annotation.
    #[default]
    None,
    /// Labels or annotations with one of these keys.
    Only(BTreeSet<String>),
    /// Every label or annotation.
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

    /// The keys that are in one or the other.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, keys) | (keys, Self::None) => keys,
            (Self::Only(mut all), Self::Only(more)) => {
                all.extend(more);
                Self::Only(all)
            }
        }
    }
}

impl FromIterator<String> for Keys {
    /// No key is [`Keys::None`].
    fn from_iter<I: IntoIterator<Item = String>>(keys: I) -> Self {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        if keys.is_empty() { Self::None } else { Self::Only(keys) }
    }
}

/// What a directory keeps of a pod's labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptKeys {
    /// Labels.
    pub labels: Keys,
    /// Annotations.
    pub annotations: Keys,
}

impl KeptKeys {
    /// All labels and all annotations.
    pub const ALL: Self = Self { labels: Keys::All, annotations: Keys::All };

    /// The keys that are in one or the other.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            labels: self.labels.union(other.labels),
            annotations: self.annotations.union(other.annotations),
        }
    }
}
