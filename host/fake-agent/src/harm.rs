//! Harms: losses of DeepFlow's although the agent answers 200.

use std::fmt;
use std::io::Write;

use agent_flate2::Compression;
use agent_flate2::write::ZlibEncoder;
use prost::Message;

use crate::message::TracesData;

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
            Self::TooManyHours { hours } => {
                write!(formatter, "a block of rows is lost: {hours} different hours, over {MAX_HOURS}")
            }
        }
    }
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

/// Hours in a block: ClickHouse's default of `max_partitions_per_insert_block`.
pub(crate) const MAX_HOURS: usize = 100;
