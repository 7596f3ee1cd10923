//! Reading protobuf's wire format: tags, varints, byte ranges.
//!
//! Where framing is concerned, this is at least as strict as the strictest reader downstream: a request that one reader accepts
//! and another reads differently would be a way past the filter. Unknown fields, groups included, pass.

use crate::bounds::MAX_DEPTH;
use crate::fault::{Broken, FaultKind};
use crate::words::is_ascii;

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

/// Reads a tag: gives field number, wire type and the bytes that follow.
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

/// The bytes that follow the first `count`.
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

/// A length-delimited field and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
    /// The length, and all bytes that follow it.
    pub(crate) length: &'a [u8],
    /// The content.
    pub(crate) content: &'a [u8],
}

impl<'a> Field<'a> {
    pub(crate) fn read(start: &'a [u8], number: u32, wire: u8, after: &'a [u8]) -> Result<Self, Broken> {
        let broken = |kind| Broken::at(start, kind);
        if wire != LENGTH {
            return Err(broken(FaultKind::Mismatch { field: number, wire }));
        }
        let (content, rest) = length_delimited(after).map_err(broken)?;
        let whole = start.get(..start.len() - rest.len()).unwrap_or(start);
        Ok(Self { whole, length: after, content })
    }

    /// The bytes that follow the field in `start`, which begins with it.
    pub(crate) fn rest(&self, start: &'a [u8]) -> &'a [u8] {
        start.get(self.whole.len()..).unwrap_or_default()
    }

    /// How many bytes the length takes.
    pub(crate) fn length_len(&self) -> usize {
        self.content.as_ptr().addr() - self.length.as_ptr().addr()
    }
}

/// Iterates over a message's fields: number, wire type and the bytes that follow the tag. It ends where the message ends or is
/// broken.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a message with that content.
    pub(crate) fn of(content: &'a [u8]) -> Self {
        Self { rest: content }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, wire, after) = tag(self.rest).ok()?;
        self.rest = skip(number, wire, after, MAX_DEPTH).ok()?;
        Some((number, wire, after))
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
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    if value < 0x80 {
        return 1;
    }
    // A seventh of the bits, rounded up, without a division: 9 / 64 is a little less than 1 / 7.
    (64 - value.leading_zeros() as usize) * 9 / 64 + 1
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
}
