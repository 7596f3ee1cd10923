//! The spans' fields for which the guard has rules, as a walk met them.

use crate::guard::names::LongName;
use crate::guard::peers::Peer;
use crate::guard::times::OddTimes;

/// All that rules may change in the spans of one ResourceSpans.
#[derive(Debug, Default)]
pub(super) struct Met<'a> {
    /// How many spans there are.
    pub(super) spans: u32,
    /// The bytes of each kind outside 0..5.
    pub(super) kinds: Vec<&'a [u8]>,
    /// Addresses of peers.
    pub(super) peers: Vec<Peer<'a>>,
    /// Names to be cut.
    pub(super) names: Vec<LongName<'a>>,
    pub(super) times: OddTimes<'a>,
}

impl Met<'_> {
    pub(super) fn clear(&mut self) {
        self.spans = 0;
        self.kinds.clear();
        self.peers.clear();
        self.names.clear();
        self.times.clear();
    }

    /// Whether it is certain that all spans stay as they are.
    pub(super) fn changes_nothing(&self) -> bool {
        self.kinds.is_empty()
            && self.peers.is_empty()
            && self.names.is_empty()
            && self.times.changes_nothing()
    }

    /// Whether, besides, there is nothing to tell of them.
    pub(super) fn is_plain(&self) -> bool {
        self.changes_nothing() && self.times.is_empty()
    }
}
