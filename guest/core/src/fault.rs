//! What can be wrong with a body, and where.

mod problem;

use std::fmt;

use crate::bounds::{Bound, MAX_DEPTH};
pub(crate) use problem::MAX_LEVELS;
pub use problem::{Expected, Problem};

/// One fault in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFault {
    /// Offset in the body.
    pub offset: usize,
    /// The offset as line and column, where the body is text.
    pub position: Option<Position>,
    /// Path of the message, for example `resource_spans[3].scope_spans[0].spans[7]`, or of the field in the names of JSON;
    /// empty for the request itself.
    pub path: String,
    /// What is wrong.
    pub kind: FaultKind,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the request" } else { &self.path };
        let Self { offset, kind, .. } = self;
        match self.position {
            None => write!(formatter, "{path}: {kind} (at offset {offset:#x})"),
            Some(Position { line, column }) => {
                write!(formatter, "{path}: {kind} (at line {line}, column {column}, offset {offset:#x})")
            }
        }
    }
}

impl std::error::Error for BodyFault {}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

/// What can be wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A field runs past the end of its message.
    Truncated,
    /// A varint is longer than 10 bytes or does not fit 64 bits.
    Varint,
    /// A tag is longer than 5 bytes or does not fit 32 bits.
    Tag,
    /// Field number 0.
    FieldZero,
    /// Wire type 6 or 7.
    WireType(u8),
    /// A known field with a wire type that its type does not have.
    Mismatch {
        /// The field's number.
        field: u32,
        /// The wire type that it has.
        wire: u8,
    },
    /// The end of a group that is not open.
    EndGroup,
    /// Messages or groups nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A text that is not UTF-8.
    Utf8,
    /// Something that is more than deepflow-agent can take in one request, and cannot be split.
    Unsplittable,
    /// More of something than one request may have.
    TooMany(Bound),
    /// A fault that only a request in JSON can have.
    Json(Problem),
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("a field runs past the end of its message"),
            Self::Varint => formatter.write_str("a varint is over 10 bytes or 64 bits"),
            Self::Tag => formatter.write_str("a tag is over 5 bytes or 32 bits"),
            Self::FieldZero => formatter.write_str("a field has the number 0"),
            Self::WireType(wire) => write!(formatter, "wire type {wire} does not exist"),
            Self::Mismatch { field, wire } => write!(formatter, "field {field} has wire type {wire}"),
            Self::EndGroup => formatter.write_str("a group ends that is not open"),
            Self::TooDeep => write!(formatter, "nested deeper than {MAX_DEPTH} messages"),
            Self::Utf8 => formatter.write_str("a text is not UTF-8"),
            Self::Unsplittable => formatter.write_str(
                "takes more of deepflow-agent's memory than podstamp.guard.agent_memory allows, and cannot be split",
            ),
            Self::TooMany(bound) => bound.fmt(formatter),
            Self::Json(problem) => problem.fmt(formatter),
        }
    }
}

/// A fault on its way up from where it was found. Its place is an address in memory, so that no reader has to carry offsets
/// along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    address: usize,
    pub(crate) kind: FaultKind,
}

impl Broken {
    /// A fault where `part` begins.
    #[cold]
    pub(crate) fn at(part: &[u8], kind: FaultKind) -> Self {
        Self { address: part.as_ptr().addr(), kind }
    }

    /// The fault's offset in `body`, of which the part must have been a slice.
    pub(crate) fn offset(self, body: &[u8]) -> usize {
        self.address.saturating_sub(body.as_ptr().addr())
    }
}
