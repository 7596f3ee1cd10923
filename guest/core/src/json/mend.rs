//! Mends faults that other readers of JSON forgive and serde_json does not: halves of surrogate pairs, and bytes that are not
//! UTF-8.
//!
//! Both come from cutting a text: SDKs in JavaScript cut by units of UTF-16, others by bytes. One such character must not cost a
//! batch, so each becomes U+FFFD, as in the Collector. Mending takes a copy of the text, which is made only after the text was
//! refused for such a fault.

use std::borrow::Cow;

/// The text with U+FFFD in place of half pairs and bad bytes; `None` where it has neither.
#[cold]
pub(super) fn mend(body: &[u8]) -> Option<Vec<u8>> {
    let mut text = match String::from_utf8_lossy(body) {
        Cow::Borrowed(_) => body.to_vec(),
        Cow::Owned(text) => text.into_bytes(),
    };
    let halves = replace_halves(&mut text);
    (halves || text.len() != body.len() || text != body).then_some(text)
}

/// Writes `\ufffd` over each escape that is half a surrogate pair, which takes as many bytes. Says whether there was one.
fn replace_halves(text: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    // In JSON a backslash can stand in strings only; other texts are refused anyway.
    while let Some(next) = text.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += next;
        let rest = text.get(at..).unwrap_or_default();
        at += match unit(rest) {
            // The backslash escapes something else, perhaps another backslash.
            None => 2,
            Some(0xd800..=0xdbff) if rest.get(6..).and_then(unit).is_some_and(is_second) => 12,
            Some(0xd800..=0xdfff) => {
                if let Some(half) = text.get_mut(at..at + 6) {
                    half.copy_from_slice(b"\\ufffd");
                    found = true;
                }
                6
            }
            Some(_) => 6,
        };
    }
    found
}

fn is_second(unit: u16) -> bool {
    (0xdc00..=0xdfff).contains(&unit)
}

/// The unit of UTF-16 that an escape at the beginning of `text` stands for.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

/// Where in `body` the byte at `offset` of its mended text comes from.
#[cold]
pub(super) fn origin(body: &[u8], offset: usize) -> usize {
    let (mut from, mut to) = (0, 0);
    for chunk in body.utf8_chunks() {
        let valid = chunk.valid().len();
        if offset < to + valid {
            break;
        }
        (from, to) = (from + valid, to + valid);
        if chunk.invalid().is_empty() || offset < to + REPLACEMENT {
            return from;
        }
        (from, to) = (from + chunk.invalid().len(), to + REPLACEMENT);
    }
    (from + offset.saturating_sub(to)).min(body.len())
}

/// Bytes of U+FFFD in UTF-8.
const REPLACEMENT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn mended(body: &[u8]) -> String {
        String::from_utf8(mend(body).expect("something to mend")).unwrap()
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_pairs_are_kept() {
        for (text, expected) in [
            (r#""\ud83e""#, r#""\ufffd""#),
            (r#""\uD83E\u0041""#, r#""\ufffd\u0041""#),
            (r#""\udd80x""#, r#""\ufffdx""#),
            (r#""\ud83e\ud83e\udd80""#, r#""\ufffd\ud83e\udd80""#),
            (r#""\\\ud83e\\ud83e""#, r#""\\\ufffd\\ud83e""#),
            (r#""\ud83e"#, r#""\ufffd"#),
        ] {
            assert_eq!(mended(text.as_bytes()), expected);
        }
        for text in [r#""\ud83e\udd80""#, r#""\\ud83e""#, r#""\u00e9é\n""#, r#""\ud83""#, r"\", ""] {
            assert_eq!(mend(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(mended(b"\"caf\xc3 \xf0\x9f\x98\""), "\"caf\u{fffd} \u{fffd}\"");
        assert_eq!(mended(b"\xff\xff"), "\u{fffd}\u{fffd}");
        assert_eq!(mend("é🦀".as_bytes()), None);
    }

    #[test]
    fn places_in_a_mended_text_are_those_of_the_text_that_came() {
        let body = b"a\xffb\xf0\x9f\x98c\xc3\xa9\xff";
        let mended = mend(body).unwrap();
        for (offset, byte) in mended.iter().enumerate() {
            let from = origin(body, offset);
            assert!(body[from] == *byte || body[from] >= 0x80, "{offset}");
        }
        let at = |offset| origin(body, offset);
        assert_eq!((at(0), at(1), at(3), at(4), at(5), at(8)), (0, 1, 1, 2, 3, 6));
        assert_eq!((at(9), at(11), at(14), at(99)), (7, 9, body.len(), body.len()));
    }
}
