//! What a request costs the upstream, and how much of that one request may.

/// What a body brings, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    bytes: u64,
    spans: u64,
    /// Bytes that it takes in deepflow-agent, estimated.
    memory: u64,
}

/// How much may be put together in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    spans: u64,
    memory: u64,
}

impl Load {
    pub(super) fn new(bytes: u64, spans: u32, memory: u32) -> Self {
        Self { bytes, spans: spans.into(), memory: memory.into() }
    }

    /// Bytes that it takes in deepflow-agent, estimated.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// Both together, where one request may be that large.
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
    /// 0: any number, as under `podstamp.guard`.
    pub(super) fn new(spans: u32, memory: u32) -> Self {
        let bound = |limit: u32| if limit == 0 { u64::MAX } else { limit.into() };
        Self { spans: bound(spans), memory: bound(memory) }
    }
}

/// deepflow-agent drops what compresses to more than 12.5 MiB, after its 200. This stays below it whatever it holds, and
/// more in one request makes nothing faster.
const MAX_BYTES: u64 = 4 << 20;

/// What requests on their way to one agent may take of its memory together.
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
