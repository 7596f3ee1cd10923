//! Base64 with padding (RFC 4648, section 4), as the Collector writes bytes.

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = if place <= chunk.len() { letter(bits >> (18 - 6 * place) & 63) } else { '=' };
            text.push(letter);
        }
    }
    text
}

fn letter(six_bits: u32) -> char {
    let letter = match six_bits as u8 {
        bits @ 0..=25 => b'A' + bits,
        bits @ 26..=51 => b'a' + bits - 26,
        bits @ 52..=61 => b'0' + bits - 52,
        62 => b'+',
        _ => b'/',
    };
    char::from(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), expected);
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
