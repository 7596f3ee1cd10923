//! The spans' fields for which the guard has rules, as a walk met them.

use super::field::tag;
use crate::fault::Broken;
use crate::guard::names::LongName;
use crate::guard::peers::Peer;
use crate::guard::times::OddTimes;
use crate::wire::Field;

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

impl<'a> Met<'a> {
    pub(super) fn clear(&mut self) {
        self.spans = 0;
        self.kinds.clear();
        self.peers.clear();
        self.names.clear();
        self.times.clear();
    }

    /// Notes the name of a span that was walked, if it is to be cut. The span's field begins at `start`.
    #[inline(never)]
    pub(super) fn note_name(&mut self, scope_spans: Field<'a>, start: &'a [u8]) -> Result<(), Broken> {
        let (number, wire, after) = tag(start)?;
        let span = Field::read(start, number, wire, after)?;
        self.names.extend(LongName::find(scope_spans, span));
        Ok(())
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
