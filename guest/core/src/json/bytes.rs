//! Bytes in strings: hexadecimal and base64.

use super::buffer::Buffer;

/// Appends the bytes of a string of hexadecimal digits. False where it has another character or an odd number of digits.
pub(super) fn put_hex(out: &mut Buffer, text: &[u8]) -> bool {
    let (pairs, odd) = text.as_chunks::<2>();
    let mut valid = odd.is_empty();
    for [high, low] in pairs {
        let (high, low) = (value(&HEX, *high), value(&HEX, *low));
        valid &= (high | low) < 16;
        out.put(high << 4 | low);
    }
    valid
}

/// Appends the bytes of a string in base64, standard or URL-safe (RFC 4648, sections 4 and 5), padded or not. False where the
/// string is neither.
pub(super) fn put_base64(out: &mut Buffer, text: &[u8]) -> bool {
    let text = unpadded(text);
    let mut valid = text.len() % 4 != 1;
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let six = value(&BASE64, *byte);
            valid &= six < 64;
            bits = bits << 6 | u32::from(six & 63);
        }
        bits <<= 6 * (4 - group.len());
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.put_block(&bytes, group.len() * 3 / 4);
    }
    valid
}

/// How many bytes a string in base64 stands for.
pub(super) fn base64_len(text: &[u8]) -> usize {
    let text = unpadded(text);
    text.len() / 4 * 3 + text.len() % 4 * 3 / 4
}

fn unpadded(text: &[u8]) -> &[u8] {
    match text {
        [text @ .., b'=', b'='] if text.len() % 4 == 2 => text,
        [text @ .., b'='] if text.len() % 4 == 3 => text,
        text => text,
    }
}

/// The value of a character in an alphabet; [`NONE`] for one that is not in it.
#[inline]
fn value(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or(NONE)
}

const NONE: u8 = 0xff;
const HEX: [u8; 256] = table(b"0123456789abcdef", b"0123456789ABCDEF");
const BASE64: [u8; 256] = table(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
);

/// A table for two alphabets at once.
#[expect(clippy::indexing_slicing, reason = "at compile time, where a mistake does not build")]
const fn table<const N: usize>(one: &[u8; N], other: &[u8; N]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut index = 0;
    while index < N {
        table[one[index] as usize] = index as u8;
        table[other[index] as usize] = index as u8;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Option<Vec<u8>> {
        let mut out = Buffer::default();
        put_hex(&mut out, text.as_bytes()).then(|| out.into_bytes())
    }

    fn base64(text: &str) -> Option<Vec<u8>> {
        let mut out = Buffer::default();
        let valid = put_base64(&mut out, text.as_bytes());
        assert_eq!(out.len(), base64_len(text.as_bytes()));
        valid.then(|| out.into_bytes())
    }

    #[test]
    fn hexadecimal_digits_of_both_cases_are_bytes() {
        assert_eq!(hex("00ff5aA5fF"), Some(vec![0x00, 0xff, 0x5a, 0xa5, 0xff]));
        assert_eq!(hex(""), Some(vec![]));
        for text in ["0", "0g", "g0", "0x", " 0", "é"] {
            assert_eq!(hex(text), None, "{text}");
        }
    }

    #[test]
    fn the_vectors_of_rfc_4648_hold_with_and_without_padding() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text), Some(bytes.as_bytes().to_vec()), "{text}");
            assert_eq!(base64(text.trim_end_matches('=')), Some(bytes.as_bytes().to_vec()), "{text}");
        }
        assert_eq!(base64("+//+"), Some(vec![0xfb, 0xff, 0xfe]));
        assert_eq!(base64("-__-"), Some(vec![0xfb, 0xff, 0xfe]));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Z", "Zg=", "Zg===", "Zm9v=", "Zm9v==", "=", "==", "Zm=v", "Zm9v\n", "Zm 9v", "é==="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }
}
