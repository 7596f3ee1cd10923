//! Texts in cells: what separates things elsewhere is written as `%` and two hexadecimal digits.

use std::borrow::Cow;

/// Appends a text.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(at);
        let byte = special.bytes().next().unwrap_or_default();
        out.push_str(plain);
        out.push('%');
        out.extend([byte >> 4, byte & 15].map(digit));
        rest = special.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The text of which `%` and two hexadecimal digits stand for a byte; an error says what is wrong with it.
pub fn unescape(written: &str) -> Result<Cow<'_, str>, String> {
    let Some((plain, mut rest)) = written.split_once('%') else {
        return Ok(Cow::Borrowed(written));
    };
    let mut bytes = plain.as_bytes().to_vec();
    loop {
        let (digits, after) =
            rest.split_at_checked(2).ok_or_else(|| format!("{written:?} ends within %{rest}"))?;
        let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal);
        bytes.push(byte.ok_or_else(|| format!("%{digits} in {written:?} is no byte"))?);
        match after.split_once('%') {
            Some((plain, next)) => {
                bytes.extend_from_slice(plain.as_bytes());
                rest = next;
            }
            None => {
                bytes.extend_from_slice(after.as_bytes());
                break;
            }
        }
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| format!("{written:?} gives no UTF-8"))
}

fn is_special(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'%' | b',' | b'=')
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was_and_separates_nothing() {
        for (text, written) in [
            ("", ""),
            ("shop-web", "shop-web"),
            ("a b=c,d", "a b%3Dc%2Cd"),
            ("100%\t\r\n\u{0}\u{7f}", "100%25%09%0D%0A%00%7F"),
            ("ü%ü", "ü%25ü"),
        ] {
            let mut out = String::new();
            push_escaped(&mut out, text);
            assert_eq!(out, written);
            assert_eq!(unescape(&out).unwrap(), text);
        }
        assert_eq!(unescape("%c3%bc").unwrap(), "ü");
    }

    #[test]
    fn what_was_not_written_like_that_is_told() {
        for (written, expected) in [
            ("a%", "\"a%\" ends within %"),
            ("a%2", "\"a%2\" ends within %2"),
            ("%2ü", "\"%2ü\" ends within %2ü"),
            ("%2g", "%2g in \"%2g\" is no byte"),
            ("%+2", "%+2 in \"%+2\" is no byte"),
            ("%ff", "\"%ff\" gives no UTF-8"),
        ] {
            assert_eq!(unescape(written).unwrap_err(), expected);
        }
    }
}
