//! What a request costs the upstream, and how much one request may cost.

/// The cost of one body, or of several that are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    bytes: u64,
    spans: u64,
    /// Estimated bytes of deepflow-agent's memory.
    memory: u64,
}

/// The most that may be merged into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    spans: u64,
    memory: u64,
}

impl Load {
    pub(super) fn new(bytes: u64, spans: u32, memory: u32) -> Self {
        Self { bytes, spans: spans.into(), memory: memory.into() }
    }

    pub(super) fn spans(&self) -> u64 {
        self.spans
    }

    /// Estimated bytes of deepflow-agent's memory.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// The cost of both together; `None` where that is too much for one request.
    pub(super) fn joined(&self, other: &Self, most: Most) -> Option<Self> {
        let joined = Self {
            bytes: self.bytes.saturating_add(other.bytes),
            spans: self.spans.saturating_add(other.spans),
            memory: self.memory.saturating_add(other.memory),
        };
        (joined.bytes <= MAX_BYTES && joined.spans <= most.spans && joined.memory <= most.memory)
            .then_some(joined)
    }
}

impl Most {
    /// Limits as they stand under `podstamp.guard`, where 0 means any number.
    pub(super) fn new(spans: u32, memory: u32) -> Self {
        let bound = |limit: u32| if limit == 0 { u64::MAX } else { limit.into() };
        Self { spans: bound(spans), memory: bound(memory) }
    }
}

/// Bytes of a merged request. deepflow-agent answers 200 and then drops what it compresses to more than 12.5 MiB; this stays
/// below that whatever the body holds, and larger requests are not faster.
const MAX_BYTES: u64 = 4 << 20;

/// Bytes of an agent's memory that all requests on their way to it may take together.
pub(super) const MAX_MEMORY_IN_FLIGHT: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_join_up_to_each_of_the_limits() {
        let most = Most::new(20_000, 128 << 20);
        let joins = |first: Load, second: Load| first.joined(&second, most).is_some();
        let both = Load::new(10, 1, 5).joined(&Load::new(20, 2, 7), most);
        assert_eq!(both, Some(Load::new(30, 3, 12)));
        assert!(joins(Load::new(2 << 20, 1, 0), Load::new(2 << 20, 1, 0)));
        assert!(!joins(Load::new(2 << 20, 1, 0), Load::new((2 << 20) + 1, 1, 0)), "bytes");
        assert!(joins(Load::new(1, 10_000, 0), Load::new(1, 10_000, 0)));
        assert!(!joins(Load::new(1, 10_000, 0), Load::new(1, 10_001, 0)), "spans");
        assert!(!joins(Load::new(1, 1, 128 << 20), Load::new(1, 1, 1)), "memory");
        let any = Most::new(0, 0);
        assert!(Load::new(1, u32::MAX, u32::MAX).joined(&Load::new(1, u32::MAX, u32::MAX), any).is_some());
    }
}
