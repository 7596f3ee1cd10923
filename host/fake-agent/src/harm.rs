//! Harms: losses of DeepFlow's although the agent answers 200.

use std::fmt;
use std::io::Write;

use agent_flate2::Compression;
use agent_flate2::write::ZlibEncoder;
use prost::Message;

use crate::message::{ResourceSpans, Span, TracesData};

/// A loss that no client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Harm {
    /// The whole request: compressed for the server it is larger than the agent's queue takes.
    TooLarge {
        /// Its size after the agent's own zlib.
        compressed: u64,
        /// The spans that were in it.
        spans: u64,
    },
    /// The metrics of its spans: more than the agent's queue of them takes at once.
    TooManySpans {
        /// How many there were.
        spans: u64,
    },
    /// The agent itself: the request takes more of its memory than it may have by default, and it is killed.
    TooMuchMemory {
        /// The estimate, as it was measured of the real agent.
        bytes: u64,
    },
    /// Seconds of the agent's processor: it copies a span's name for each of the span's attributes.
    LongNames {
        /// The bytes that it copies.
        copied: u64,
    },
    /// A whole block of rows at the server, of other requests too: this one brought the hours in which its spans end to
    /// more than ClickHouse takes (`max_partitions_per_insert_block`).
    TooManyHours {
        /// The different hours in the block.
        hours: u64,
    },
}

impl Harm {
    pub(crate) fn to_json(self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { compressed, spans } => {
                write!(
                    formatter,
                    "{spans} spans are lost: {compressed} bytes compressed, over {MAX_COMPRESSED}"
                )
            }
            Self::TooManySpans { spans } => {
                write!(formatter, "the metrics of {spans} spans are lost: over {MAX_METRICS} at once")
            }
            Self::TooMuchMemory { bytes } => {
                write!(formatter, "the agent is killed: {bytes} bytes of memory, over {MAX_MEMORY}")
            }
            Self::LongNames { copied } => {
                write!(formatter, "the agent is busy for seconds: it copies {copied} bytes of names")
            }
            Self::TooManyHours { hours } => {
                write!(formatter, "a block of rows is lost: {hours} different hours, over {MAX_HOURS}")
            }
        }
    }
}

/// The bytes that a request of `body` bytes takes in the agent's memory, if those are too many: of usual spans seven times
/// the body, 560 for each span, and what names a service once for each of its spans.
pub(crate) fn too_much_memory(body: usize, message: &TracesData) -> Option<u64> {
    let of_resource = |resource_spans: &ResourceSpans| {
        let attributes = resource_spans.resource.iter().flat_map(|resource| &resource.attributes);
        let named = attributes.filter(|attribute| COPIED.contains(&&*attribute.key));
        let copied: usize =
            named.map(|attribute| attribute.value.as_ref().map_or(0, Message::encoded_len)).sum();
        spans_of(resource_spans).count() as u64 * (560 + copied as u64)
    };
    let spans: u64 = message.resource_spans.iter().map(of_resource).sum();
    let bytes = 7 * body as u64 + spans;
    (bytes > MAX_MEMORY).then_some(bytes)
}

/// The bytes of spans' names that the agent copies, if those take it seconds.
pub(crate) fn long_names(message: &TracesData) -> Option<u64> {
    let spans = message.resource_spans.iter().flat_map(spans_of);
    let copied: u64 = spans.map(|span| span.name.len() as u64 * span.attributes.len() as u64).sum();
    (copied > MAX_NAMES).then_some(copied)
}

fn spans_of(resource_spans: &ResourceSpans) -> impl Iterator<Item = &Span> {
    resource_spans.scope_spans.iter().flat_map(|scope_spans| &scope_spans.spans)
}

/// The size of a message on its way to the server, if that is too large. Messages that fit uncompressed are not compressed.
pub(crate) fn too_large(message: &TracesData) -> Option<u64> {
    let plain = message.encoded_len();
    // zlib adds less than that where it cannot compress.
    if (plain + plain / 1024 + 64) as u64 <= MAX_COMPRESSED {
        return None;
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&message.encode_to_vec()).ok()?;
    let compressed = encoder.finish().ok()?.len() as u64;
    (compressed > MAX_COMPRESSED).then_some(compressed)
}

/// Bytes of a message that the queue from the agent to the server takes.
pub(crate) const MAX_COMPRESSED: u64 = 13_107_200;

/// Spans that the agent's queue of L7 metrics takes at once.
pub(crate) const MAX_METRICS: usize = 65_536;

/// The agent's limit of memory unless it is configured otherwise: 768 MiB.
pub(crate) const MAX_MEMORY: u64 = 768 << 20;

/// Bytes of names that take the agent a second: 2 GiB took it 16.
pub(crate) const MAX_NAMES: u64 = 128 << 20;

/// The attributes of a resource that the agent copies for each span.
const COPIED: [&str; 2] = ["service.name", "service.instance.id"];

/// Hours in a block: ClickHouse's default of `max_partitions_per_insert_block`.
pub(crate) const MAX_HOURS: usize = 100;
