//! `agent_memory` and `spans_per_request`: how much goes to deepflow-agent in one request.
//!
//! The figures were measured with the agent's own code: usual spans take seven times their bytes, and an empty span 560 bytes, of
//! which the agent's structures are 544; `service.name` and `service.instance.id` are copied for each span. An agent may have 768
//! MiB unless it is configured otherwise, and is killed over that. After its 200 it drops a request that compresses to more than
//! 12.5 MiB, and the metrics of more than 65,536 spans.

use crate::interface::Part;
use crate::resource::Resource;

/// The limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the agent's memory that the request may take.
    pub memory: u64,
    /// Spans.
    pub spans: u64,
    /// Bytes of the request itself. A single span over this limit is sent all the same: only the agent's compressor can tell.
    pub bytes: u64,
}

impl Limits {
    /// No limits: everything goes in one request.
    pub const NONE: Self = Self { memory: u64::MAX, spans: u64::MAX, bytes: u64::MAX };

    /// Limits of `memory` bytes in the agent and of `spans`; 0 sets no limit.
    pub(crate) fn new(memory: u32, spans: u32) -> Self {
        let limit = |limit| if limit == 0 { u64::MAX } else { u64::from(limit) };
        Self {
            memory: limit(memory),
            spans: limit(spans),
            bytes: if memory == 0 { u64::MAX } else { MAX_BYTES },
        }
    }
}

/// The load of a request, or of a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) bytes: u64,
    pub(crate) spans: u64,
    /// Bytes that the agent copies, all spans together.
    pub(crate) copied: u64,
}

impl Load {
    /// The load of `spans` spans of a resource in `bytes` bytes, of which the agent copies `copied_each` bytes per span.
    pub(crate) fn new(bytes: usize, spans: u32, copied_each: u64) -> Self {
        let spans = u64::from(spans);
        // Both fit 32 bits, so that the product fits 64, which a check for would cost a multiplication in 128 bits.
        let copied_each = copied_each.min(u64::from(u32::MAX));
        Self { bytes: bytes as u64, spans, copied: spans * copied_each }
    }

    /// The same load in so many bytes.
    pub(crate) fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes: bytes as u64, ..self }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            spans: self.spans + other.spans,
            copied: self.copied.saturating_add(other.copied),
        }
    }

    /// Bytes in the agent's memory.
    pub(crate) fn memory(self) -> u64 {
        (7 * self.bytes + 560 * self.spans).saturating_add(self.copied)
    }

    pub(crate) fn fits(self, limits: &Limits) -> bool {
        self.spans <= limits.spans && self.bytes <= limits.bytes && self.memory() <= limits.memory
    }

    fn part(self, end: usize) -> Part {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Part { end: end as u32, spans: number(self.spans), memory: number(self.memory()) }
    }
}

impl Part {
    /// The one part of a body of `length` bytes that was not looked into.
    pub(crate) fn whole(length: usize) -> Self {
        Load::new(length, 0, 0).part(length)
    }
}

/// Bytes that the agent copies for each span of a resource.
pub(crate) fn copied_each(resource: &Resource<'_>) -> u64 {
    (resource.text_len("service.name") + resource.text_len("service.instance.id")) as u64
}

/// The most bytes of a request. The agent takes 13,107,200 in compressed form. Incompressible bytes get longer by five in some
/// thousand, and the agent never writes more than it read; so a request within this limit is within the agent's.
const MAX_BYTES: u64 = 12 << 20;

/// Packs loads into requests, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    limits: Limits,
    done: Vec<Part>,
    open: Load,
}

impl Packing {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, done: Vec::new(), open: Load::default() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Adds bytes without spans, which go with the load before them.
    pub(crate) fn add_bytes(&mut self, bytes: usize) {
        self.open.bytes += bytes as u64;
    }

    /// Adds a load to the open request, or to a new one that begins at `at`; false if it does not fit into a request at all.
    pub(crate) fn add(&mut self, load: Load, at: usize) -> bool {
        let together = self.open.and(load);
        if together.fits(&self.limits) {
            self.open = together;
            return true;
        }
        let alone = load.fits(&self.limits) || load.spans <= 1 && load.memory() <= self.limits.memory;
        if !alone {
            return false;
        }
        self.next(load, at);
        true
    }

    /// Ends the open request, unless it is empty, and opens one with `load` at `at`.
    pub(crate) fn next(&mut self, load: Load, at: usize) {
        if self.open != Load::default() {
            self.done.push(self.open.part(at));
        }
        self.open = load;
    }

    /// All requests, the last of which ends at `end`.
    pub(crate) fn finish(&mut self, end: usize) -> Vec<Part> {
        let last = self.open.part(end);
        if self.done.is_empty() {
            return vec![last];
        }
        self.done.push(last);
        std::mem::take(&mut self.done)
    }
}
