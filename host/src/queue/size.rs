//! How much a queue holds, by each of the Collector's sizers.

use podstamp_core::config::Sizer;

use super::entry::Head;

/// Sums over entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) requests: u64,
    /// Spans, data points or log records.
    pub(crate) items: u64,
    /// Bytes of the bodies as stored.
    pub(crate) bytes: u64,
}

impl Size {
    pub(crate) fn of(head: &Head) -> Self {
        Self { requests: 1, items: head.spans.into(), bytes: head.length.into() }
    }

    /// What a sizer counts.
    pub(crate) fn by(&self, sizer: Sizer) -> u64 {
        match sizer {
            Sizer::Requests => self.requests,
            Sizer::Items => self.items,
            Sizer::Bytes => self.bytes,
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            items: self.items.saturating_sub(other.items),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}
