//! Limits on what one request may have.

use std::fmt;

/// A limit on one request. Each of the things that are limited takes memory and time for many times its few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// ResourceSpans of a request: [`MAX_RESOURCES`].
    Resources,
    /// Attributes, entity references and pieces of one Resource: [`MAX_RESOURCE_PARTS`].
    ResourceParts,
    /// Attributes and entity references of all Resources: [`MAX_ATTRIBUTES`].
    Attributes,
    /// Bytes of one Resource: [`MAX_RESOURCE_BYTES`].
    ResourceBytes,
    /// Places that rules change: [`MAX_EDITS`].
    Edits,
    /// Bytes that rules put in: [`MAX_INSERTED`].
    Inserted,
    /// Bytes that patterns of rules are held against: [`MAX_MATCHED`].
    Matched,
}

/// ResourceSpans in a request. A Collector's batches have 8,192 spans, and so at most as many resources.
pub const MAX_RESOURCES: u32 = 100_000;

/// Attributes, entity references and pieces of one Resource. Usual resources have some dozens.
pub const MAX_RESOURCE_PARTS: usize = 1 << 16;

/// Attributes and entity references of all Resources of a request: 20 for each of [`MAX_RESOURCES`]. They are limited because
/// rules look at each.
pub const MAX_ATTRIBUTES: usize = 2_000_000;

/// Bytes of one Resource, limited because rules copy and match them. Usual resources have some hundreds.
pub const MAX_RESOURCE_BYTES: usize = 1 << 20;

/// Places that are changed in a request: enough for a few in each span of the largest body that SDKs send.
pub const MAX_EDITS: usize = 500_000;

/// Bytes that rules put into a request: two kilobytes for each of a Collector's 8,192 spans, if each has a resource of its own.
pub const MAX_INSERTED: usize = 16 << 20;

/// Bytes that the patterns of rules are held against in a request, those of each pattern by themselves. A pattern that has to
/// look at every byte takes 30 ns for one: this is half the time that a call has by default.
pub const MAX_MATCHED: usize = 32 << 20;

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resources => write!(formatter, "over {MAX_RESOURCES} resource spans: send smaller batches"),
            Self::ResourceParts => {
                write!(formatter, "a resource has over {MAX_RESOURCE_PARTS} attributes and entity references")
            }
            Self::Attributes => {
                write!(formatter, "over {MAX_ATTRIBUTES} attributes of resources: send smaller batches")
            }
            Self::ResourceBytes => write!(formatter, "a resource has over {MAX_RESOURCE_BYTES} bytes"),
            Self::Inserted => {
                write!(formatter, "rules put in over {MAX_INSERTED} bytes: send smaller batches")
            }
            Self::Matched => {
                write!(formatter, "patterns of rules look at over {MAX_MATCHED} bytes: send smaller batches")
            }
            Self::Edits => {
                write!(formatter, "over {MAX_EDITS} places have to be changed: send smaller batches")
            }
        }
    }
}

/// How deep messages and groups nest: the limit of prost, with which deepflow-agent reads.
pub const MAX_DEPTH: u32 = 100;
