//! Reading protobuf's wire format: tags, varints, byte ranges.
//!
//! At least as strict as the strictest reader downstream where framing is concerned: a request that one reader accepts
//! and another reads differently would be a way past the filter. Unknown fields, groups included, pass.

use std::fmt;

use crate::json::Problem;

/// One fault in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFault {
    /// Offset in the body.
    pub offset: usize,
    /// The same as line and column, if the body is text.
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
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
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
    /// A known field with the wire type of another kind.
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
    /// More than deepflow-agent can take in one request, and it cannot be split.
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

/// What a request may have a bounded number of: each takes memory and time many times its few bytes.
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
}

/// ResourceSpans in a request. A Collector's batches have 8,192 spans, so that many resources at most.
pub const MAX_RESOURCES: u32 = 100_000;

/// Attributes, entity references and pieces of one Resource, which has some dozens.
pub const MAX_RESOURCE_PARTS: usize = 1 << 16;

/// Attributes and entity references of all Resources of a request: 20 for each of as many as there may be. Rules look at each.
pub const MAX_ATTRIBUTES: usize = 2_000_000;

/// Bytes of one Resource, which has some hundreds: rules copy and match them.
pub const MAX_RESOURCE_BYTES: usize = 1 << 20;

/// Places that are changed in a request: a few for each of more spans than fit into the largest body that SDKs send.
pub const MAX_EDITS: usize = 500_000;

/// Bytes that rules put into a request: two kilobytes for each of a Collector's 8,192 spans, were each a resource of its own.
pub const MAX_INSERTED: usize = 16 << 20;

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
            Self::Edits => {
                write!(formatter, "over {MAX_EDITS} places have to be changed: send smaller batches")
            }
        }
    }
}

/// A fault as it travels up from where it was met: by address, so that no reader has to carry offsets along.
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

    /// Where in `body` it is. The part must have been a slice of it.
    pub(crate) fn offset(self, body: &[u8]) -> usize {
        self.address.saturating_sub(body.as_ptr().addr())
    }
}

/// Where `part`, a slice of `body`, begins in it.
pub(crate) fn offset_in(body: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(body.as_ptr().addr())
}

/// Wire types.
pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH: u8 = 2;
pub(crate) const GROUP: u8 = 3;
pub(crate) const END_GROUP: u8 = 4;
pub(crate) const FIXED32: u8 = 5;

/// How deep messages and groups nest: the limit of prost, with which deepflow-agent reads.
pub const MAX_DEPTH: u32 = 100;

/// Reads a tag: field number, wire type, what follows.
///
/// protobuf requires since June 2025 that a tag over 5 bytes is refused, however small its value.
#[inline]
pub(crate) fn tag(bytes: &[u8]) -> Result<(u32, u8, &[u8]), FaultKind> {
    let (key, rest) = match bytes {
        [byte, rest @ ..] if *byte < 0x80 => (u32::from(*byte), rest),
        _ => long_tag(bytes)?,
    };
    let wire = (key & 7) as u8;
    if wire > FIXED32 {
        return Err(FaultKind::WireType(wire));
    }
    match key >> 3 {
        0 => Err(FaultKind::FieldZero),
        field => Ok((field, wire, rest)),
    }
}

#[cold]
fn long_tag(bytes: &[u8]) -> Result<(u32, &[u8]), FaultKind> {
    let (key, rest) = match varint(bytes) {
        Err(FaultKind::Varint) => return Err(FaultKind::Tag),
        read => read?,
    };
    let key = u32::try_from(key).map_err(|_| FaultKind::Tag)?;
    if bytes.len() - rest.len() > 5 { Err(FaultKind::Tag) } else { Ok((key, rest)) }
}

/// Reads a varint.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), FaultKind> {
    match bytes {
        [byte, rest @ ..] if *byte < 0x80 => Ok((u64::from(*byte), rest)),
        [low, high, rest @ ..] if *high < 0x80 => Ok((u64::from(*low & 0x7f) | u64::from(*high) << 7, rest)),
        _ => long_varint(bytes),
    }
}

#[inline(never)]
fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), FaultKind> {
    let mut value = 0_u64;
    let mut rest = bytes;
    for index in 0..10 {
        let Some((byte, after)) = rest.split_first() else {
            return Err(FaultKind::Truncated);
        };
        rest = after;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            // The tenth byte has room for one bit.
            return if index == 9 && *byte > 1 { Err(FaultKind::Varint) } else { Ok((value, rest)) };
        }
    }
    Err(FaultKind::Varint)
}

/// Reads a length and that many bytes.
#[inline]
pub(crate) fn length_delimited(bytes: &[u8]) -> Result<(&[u8], &[u8]), FaultKind> {
    let (length, rest) = varint(bytes)?;
    // Compared as 64 bits: on wasm32 a cast first would let a length of 2^32 + 1 pass for 1.
    match usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) {
        Some(parts) => Ok(parts),
        None => Err(FaultKind::Truncated),
    }
}

/// What follows `count` bytes.
#[inline]
pub(crate) fn fixed(bytes: &[u8], count: usize) -> Result<&[u8], FaultKind> {
    bytes.get(count..).ok_or(FaultKind::Truncated)
}

/// Skips a field's value; `bytes` begins after its tag. `depth` levels may still be entered.
pub(crate) fn skip(field: u32, wire: u8, bytes: &[u8], depth: u32) -> Result<&[u8], FaultKind> {
    if depth == 0 {
        return Err(FaultKind::TooDeep);
    }
    match wire {
        VARINT => varint(bytes).map(|(_, rest)| rest),
        FIXED64 => fixed(bytes, 8),
        LENGTH => length_delimited(bytes).map(|(_, rest)| rest),
        GROUP => skip_group(field, bytes, depth - 1),
        FIXED32 => fixed(bytes, 4),
        END_GROUP => Err(FaultKind::EndGroup),
        _ => Err(FaultKind::WireType(wire)),
    }
}

fn skip_group(group: u32, bytes: &[u8], depth: u32) -> Result<&[u8], FaultKind> {
    let mut rest = bytes;
    loop {
        if rest.is_empty() {
            return Err(FaultKind::Truncated);
        }
        let (field, wire, after) = tag(rest)?;
        if wire == END_GROUP {
            return if field == group { Ok(after) } else { Err(FaultKind::EndGroup) };
        }
        rest = skip(field, wire, after, depth)?;
    }
}

/// Appends a varint in its shortest form.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub(crate) fn put_field(out: &mut Vec<u8>, field: u32, content: &[u8]) {
    put_varint(out, u64::from(field << 3 | u32::from(LENGTH)));
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// How many bytes a varint takes in its shortest form.
pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Whether all bytes are ASCII. Word by word: `[u8]::is_ascii` goes by `usize`, which is small in wasm32.
#[inline]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let high = words.iter().fold(0, |high, word| high | u64::from_le_bytes(*word));
    let tail = tail.iter().fold(0, |high, byte| high | byte);
    high & 0x8080_8080_8080_8080 == 0 && tail < 0x80
}

/// Reads a text.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Broken> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = bytes.get(error.valid_up_to()..).unwrap_or(bytes);
        Broken::at(at, FaultKind::Utf8)
    })
}

/// Checks a text.
#[inline]
pub(crate) fn check_text(bytes: &[u8]) -> Result<(), Broken> {
    if is_ascii(bytes) { Ok(()) } else { text(bytes).map(|_| ()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_in_every_length() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                assert_eq!(bytes.len(), varint_len(value));
                bytes.push(0xaa);
                assert_eq!(varint(&bytes), Ok((value, &[0xaa_u8][..])));
            }
        }
    }

    #[test]
    fn overlong_varints_are_read_up_to_ten_bytes_and_sixty_four_bits() {
        assert_eq!(varint(&[0x80, 0x80, 0x00]), Ok((0, &[][..])));
        let mut ten = vec![0xff; 9];
        ten.push(0x01);
        assert_eq!(varint(&ten), Ok((u64::MAX, &[][..])));
        ten[9] = 0x02;
        assert_eq!(varint(&ten), Err(FaultKind::Varint));
        assert_eq!(varint(&[0x80; 11]), Err(FaultKind::Varint));
        assert_eq!(varint(&[0x80; 9]), Err(FaultKind::Truncated));
        assert_eq!(varint(&[]), Err(FaultKind::Truncated));
    }

    #[test]
    fn tags_are_at_most_five_bytes_and_thirty_two_bits() {
        assert_eq!(tag(&[0x8a, 0x80, 0x80, 0x80, 0x00]), Ok((1, LENGTH, &[][..])));
        assert_eq!(tag(&[0x8a, 0x80, 0x80, 0x80, 0x80, 0x00]), Err(FaultKind::Tag));
        assert_eq!(tag(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(FaultKind::Tag));
        assert_eq!(tag(&[0x02]), Err(FaultKind::FieldZero));
        assert_eq!(tag(&[0x0e]), Err(FaultKind::WireType(6)));
        assert_eq!(tag(&[0x0f]), Err(FaultKind::WireType(7)));
    }

    #[test]
    fn lengths_are_compared_before_they_are_cast() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, (1 << 32) + 1);
        bytes.push(0);
        assert_eq!(length_delimited(&bytes), Err(FaultKind::Truncated));
    }

    #[test]
    fn groups_are_skipped_whole_and_must_match() {
        // group 1 { field 2: varint 5; group 3 {} } then one more byte
        let group = [0x0b, 0x10, 0x05, 0x1b, 0x1c, 0x0c, 0x77];
        assert_eq!(skip(1, GROUP, &group[1..], 10), Ok(&[0x77_u8][..]));
        assert_eq!(skip(1, GROUP, &[0x14], 10), Err(FaultKind::EndGroup));
        assert_eq!(skip(1, GROUP, &[0x10, 0x05], 10), Err(FaultKind::Truncated));
        assert_eq!(skip(1, END_GROUP, &[], 10), Err(FaultKind::EndGroup));
        let mut deep = vec![0x0b; 200];
        deep.extend([0x0c; 200]);
        assert_eq!(skip(1, GROUP, &deep[1..], MAX_DEPTH), Err(FaultKind::TooDeep));
    }

    #[test]
    fn ascii_is_told_from_the_rest_at_every_length() {
        for length in 0..40 {
            let mut bytes = vec![b'a'; length];
            assert!(is_ascii(&bytes));
            for index in 0..length {
                bytes[index] = 0x80;
                assert!(!is_ascii(&bytes));
                bytes[index] = b'a';
            }
        }
    }
}
