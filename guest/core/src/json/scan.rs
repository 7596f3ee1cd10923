//! Looks at many bytes of a text at a time.

/// Where a run of plain characters of a string ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Offset of the first byte that is a quote, a backslash or a control character; the text's end if there is none.
    pub(super) end: usize,
    /// Whether all bytes ahead of it are ASCII.
    pub(super) is_ascii: bool,
}

/// The run of plain characters at an offset.
#[inline(always)]
pub(super) fn run(text: &[u8], from: usize) -> Run {
    let mut at = from;
    let mut high = 0;
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let (special, wide) = look(block);
        if special != 0 {
            let count = special.trailing_zeros();
            high |= wide & !(u32::MAX << count);
            return Run { end: at + count as usize, is_ascii: high == 0 };
        }
        high |= wide;
        at += 16;
    }
    last(text, at, high == 0)
}

/// [`run`] in the last bytes of a text.
#[cold]
#[inline(never)]
fn last(text: &[u8], from: usize, mut is_ascii: bool) -> Run {
    let rest = text.get(from..).unwrap_or_default();
    let plain = rest.iter().take_while(|byte| **byte >= b' ' && !b"\"\\".contains(*byte));
    let count = plain.inspect(|byte| is_ascii &= byte.is_ascii()).count();
    Run { end: from + count, is_ascii }
}

/// Which bytes end a run, and which are not ASCII: one bit a byte.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn look(block: &[u8; 16]) -> (u32, u32) {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};
    let [low, high] = words(block);
    let block = u64x2(low, high);
    let quote = u8x16_eq(block, u8x16_splat(b'"'));
    let backslash = u8x16_eq(block, u8x16_splat(b'\\'));
    let control = u8x16_lt(block, u8x16_splat(b' '));
    (u8x16_bitmask(v128_or(v128_or(quote, backslash), control)).into(), u8x16_bitmask(block).into())
}

/// Which bytes end a run, and which are not ASCII: one bit a byte. Bits above the lowest one of the first mask may be wrong.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn look(block: &[u8; 16]) -> (u32, u32) {
    // The highest bit of each byte that is zero, and perhaps those of bytes above the first one.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let special = |word: u64| {
        let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
        control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))
    };
    let bits = |word: u64| (word >> 7 & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mask = |[low, high]: [u64; 2]| (bits(low) | bits(high) << 8) as u32;
    let words = words(block);
    (mask(words.map(special)), mask(words))
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
const ONES: u64 = u64::MAX / 255;

/// A block as two words.
#[inline(always)]
fn words(block: &[u8; 16]) -> [u64; 2] {
    let word = |part: Option<&[u8; 8]>| part.map_or(0, |word| u64::from_le_bytes(*word));
    [word(block.first_chunk()), word(block.last_chunk())]
}

/// A short literal that a text may go on with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Literal {
    /// The literal of the parts together.
    #[expect(clippy::indexing_slicing, reason = "at compile time, where a mistake does not build")]
    pub(super) const fn of(parts: &[&[u8]]) -> Self {
        let mut bytes = [0; LONGEST];
        let mut len = 0;
        let mut part = 0;
        while part < parts.len() {
            let mut index = 0;
            while index < parts[part].len() {
                bytes[len] = parts[part][index];
                len += 1;
                index += 1;
            }
            part += 1;
        }
        Self { bytes, len: len as u8 }
    }

    /// The name, where the literal is one with its quotes and the colon.
    pub(super) fn name(&self) -> &[u8] {
        self.bytes.get(1..usize::from(self.len).saturating_sub(2)).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// Whether the text goes on with the literal at an offset. False as well where fewer bytes are left than the longest
    /// literal has: whoever asks can do without.
    #[inline(always)]
    pub(super) fn is_at(&self, text: &[u8], at: usize) -> bool {
        let Some(ahead) = text.get(at..).and_then(|rest| rest.first_chunk::<LONGEST>()) else {
            return false;
        };
        is_same(ahead, &self.bytes, self.len.into())
    }
}

/// Whether the first bytes are the same.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn is_same(one: &[u8; LONGEST], other: &[u8; LONGEST], count: u32) -> bool {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_ne, u64x2};
    let mut differing = 0;
    for (index, (one, other)) in one.as_chunks().0.iter().zip(other.as_chunks().0).enumerate() {
        let ([a, b], [c, d]) = (words(one), words(other));
        differing |= u32::from(u8x16_bitmask(u8x16_ne(u64x2(a, b), u64x2(c, d)))) << (16 * index);
    }
    // The masks have one bit a byte, and a literal is not empty.
    differing << (32 - count) == 0
}

/// Whether the first bytes are the same.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn is_same(one: &[u8; LONGEST], other: &[u8; LONGEST], count: u32) -> bool {
    let (one, other) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let mut left = 8 * count;
    let mut differing = 0;
    for (one, other) in one.iter().zip(other) {
        let mask = if left >= 64 { u64::MAX } else { !(u64::MAX << left) };
        differing |= (u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other)) & mask;
        left = left.saturating_sub(64);
    }
    differing == 0
}

/// Bytes of the longest literal: the longest name, with its quotes and the colon.
const LONGEST: usize = 32;

/// Eight digits' number.
#[inline(always)]
pub(super) fn eight_digits(text: &[u8; 8]) -> Option<u64> {
    // One digit a byte, the first in the lowest one.
    let digits = u64::from_le_bytes(*text) ^ 0x3030_3030_3030_3030;
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // Pairs of digits, then fours, then all of them, each in one product.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let odd = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(even.wrapping_add(odd) >> 32)
}

/// The four bytes of eight hexadecimal digits.
#[inline(always)]
pub(super) fn eight_hex_digits(text: &[u8; 8]) -> Option<[u8; 4]> {
    let text = u64::from_le_bytes(*text);
    // Letters have bit 6, and their low half is one less than what their value is over nine.
    let letters = text >> 6 & 0x0101_0101_0101_0101;
    let values = (text & 0x0f0f_0f0f_0f0f_0f0f).wrapping_add(letters.wrapping_mul(9));
    // Only a digit gives its value's own character back.
    let above = values.wrapping_add(0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let lower = values.wrapping_add(0x3030_3030_3030_3030).wrapping_add(above.wrapping_mul(0x27));
    let folded = text | letters << 5;
    if (values & 0xf0f0_f0f0_f0f0_f0f0) != 0 || folded != lower {
        return None;
    }
    let bytes = values << 4 | values >> 8;
    let [one, _, two, _, three, _, four, _] = bytes.to_le_bytes();
    Some([one, two, three, four])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_at_a_quote_a_backslash_or_a_control_character_wherever_that_stands() {
        for length in 0..70 {
            for byte in 0..=255 {
                let mut text = vec![b'a'; length];
                text.push(byte);
                text.extend([b'b'; 40]);
                let ends = byte < b' ' || byte == b'"' || byte == b'\\';
                let end = if ends { length } else { text.len() };
                let expected = Run { end, is_ascii: byte < 0x80 };
                assert_eq!(run(&text, 0), expected, "{byte:#x} at {length}");
                assert_eq!(run(&text[..=length], 0).end, end.min(length + 1));
            }
        }
        // What stands behind the end does not count.
        assert_eq!(run("ab\"é              ".as_bytes(), 0), Run { end: 2, is_ascii: true });
        assert_eq!(run(b"ab", 7), Run { end: 7, is_ascii: true });
    }

    #[test]
    fn a_literal_is_found_where_it_stands_whole() {
        let mut text = b"..\"name\":".to_vec();
        text.resize(40, b'.');
        let literal = Literal::of(&[b"\"", b"name", b"\":"]);
        assert_eq!(literal.len(), 7);
        assert!(literal.is_at(&text, 2));
        assert!(!literal.is_at(&text, 1) && !literal.is_at(&text, 3) && !literal.is_at(&text[..9], 2));
        for index in 2..9 {
            text[index] ^= 1;
            assert!(!literal.is_at(&text, 2));
            text[index] ^= 1;
        }
    }

    #[test]
    fn eight_digits_are_a_number_and_nothing_else_is() {
        assert_eq!(eight_digits(b"12345678"), Some(12_345_678));
        assert_eq!(eight_digits(b"00000000"), Some(0));
        assert_eq!(eight_digits(b"99999999"), Some(99_999_999));
        for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
            for index in 0..8 {
                for other in [b'0', b'9', 0xff] {
                    let mut text = [other; 8];
                    text[index] = byte;
                    assert_eq!(eight_digits(&text), None, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn eight_hexadecimal_digits_are_four_bytes_and_nothing_else_is() {
        assert_eq!(eight_hex_digits(b"01234567"), Some([0x01, 0x23, 0x45, 0x67]));
        assert_eq!(eight_hex_digits(b"89abcdef"), Some([0x89, 0xab, 0xcd, 0xef]));
        assert_eq!(eight_hex_digits(b"ABCDEF9f"), Some([0xab, 0xcd, 0xef, 0x9f]));
        for byte in 0..=255_u8 {
            for index in 0..8 {
                for other in [b'0', b'f', b'F', b'9'] {
                    let mut text = [other; 8];
                    text[index] = byte;
                    assert_eq!(eight_hex_digits(&text).is_some(), byte.is_ascii_hexdigit(), "{text:?}");
                }
            }
        }
    }
}
