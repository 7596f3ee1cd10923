//! Texts of a pod by which it can be looked up, and for which an index is built only where lookups ask for it.

use std::sync::OnceLock;

/// A text of a pod by which it can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Namespace,
    Node,
    Hostname,
    Deployment,
    Label,
    Annotation,
}

/// A part, and the key where it is a label or an annotation.
pub(crate) type PartKey<'a> = (Part, &'a str);

/// The parts that lookups have asked for, in the order in which they came up. All versions of a table share it.
#[derive(Debug, Default)]
pub(crate) struct Demand([OnceLock<(Part, Box<str>)>; MAX_PARTS]);

impl Demand {
    /// The position of a part; `None` where too many others came before it.
    pub(crate) fn position(&self, (part, key): PartKey<'_>) -> Option<usize> {
        self.0.iter().position(|place| {
            let (known, its_key) = place.get_or_init(|| (part, key.into()));
            *known == part && **its_key == *key
        })
    }

    /// The part at a position.
    pub(crate) fn get(&self, position: usize) -> Option<PartKey<'_>> {
        self.0.get(position)?.get().map(|(part, key)| (*part, &**key))
    }
}

/// Parts come from the configuration, which seldom associates by more than one; past this many, lookups by a further one go through
/// all pods.
const MAX_PARTS: usize = 12;
