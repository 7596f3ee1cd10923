//! `agent_memory` and `spans_per_request`: how much goes to deepflow-agent in one request.
//!
//! Measured with the agent's own code: usual spans take seven times their bytes, and a span without anything in it 560 bytes,
//! of which its own structures are 544; `service.name` and `service.instance.id` are copied for each span. An agent may have
//! 768 MiB unless it is configured otherwise, and is killed over that. It drops what compresses to more than 12.5 MiB, after
//! its 200, and the metrics of more than 65,536 spans.

use crate::interface::Part;
use crate::resource::Resource;

/// What one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that it may take in the agent's memory.
    pub memory: u64,
    /// Spans.
    pub spans: u64,
    /// Its own bytes. What is over it by a single span goes all the same: only the agent's compressor can tell.
    pub bytes: u64,
}

impl Limits {
    /// None: everything goes in one request.
    pub const NONE: Self = Self { memory: u64::MAX, spans: u64::MAX, bytes: u64::MAX };

    /// So much of the agent's memory, and so many spans; 0: any.
    pub(crate) fn new(memory: u32, spans: u32) -> Self {
        let limit = |limit| if limit == 0 { u64::MAX } else { u64::from(limit) };
        Self {
            memory: limit(memory),
            spans: limit(spans),
            bytes: if memory == 0 { u64::MAX } else { MAX_BYTES },
        }
    }
}

/// What requests hold, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) bytes: u64,
    pub(crate) spans: u64,
    /// Bytes of what the agent copies for each span.
    pub(crate) copied: u64,
}

impl Load {
    /// `spans` of a resource, in so many bytes.
    pub(crate) fn new(bytes: usize, spans: u32, copied_each: u64) -> Self {
        let spans = u64::from(spans);
        Self { bytes: bytes as u64, spans, copied: spans.saturating_mul(copied_each) }
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
    /// The one part of a body of `length` bytes that nobody looked into.
    pub(crate) fn whole(length: usize) -> Self {
        Load::new(length, 0, 0).part(length)
    }
}

/// Bytes that the agent copies for each span of a resource.
pub(crate) fn copied_each(resource: &Resource<'_>) -> u64 {
    let texts = resource.iter().filter(|(key, _)| matches!(*key, "service.name" | "service.instance.id"));
    texts.filter_map(|(_, value)| value.as_str()).map(|text| text.len() as u64).sum()
}

/// Of 13,107,200 that the agent takes for the compressed form. What cannot be compressed gets longer by five bytes in some
/// thousand, and what the agent writes is never longer than what it read; so whatever keeps to this keeps to that.
const MAX_BYTES: u64 = 12 << 20;

/// Puts what is sent into requests, one after the other.
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

    /// Adds what has no spans, and goes with what is before it.
    pub(crate) fn add_bytes(&mut self, bytes: usize) {
        self.open.bytes += bytes as u64;
    }

    /// Adds to the request that is open, or to one that is opened at `at` for it; false if it fits into none.
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

    /// Ends the request that is open, unless it is empty, and opens one with `load` at `at`.
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
