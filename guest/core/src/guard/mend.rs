//! `mend_text`: replaces bytes in texts that are not UTF-8.
//!
//! protobuf demands UTF-8, deepflow-agent closes the connection on anything else, and SDKs do not repeat a batch that is refused
//! for it: one value that was cut in the middle of a character costs all spans of its batch. Each bad byte becomes `?`, so that
//! no length changes and no offset moves.

use crate::bounds::MAX_DEPTH;
use crate::fault::FaultKind;
use crate::interface::Mended;
use crate::message::{Kind, Message};
use crate::wire::{self, LENGTH, check_text};

/// Mends the texts of a request. Other faults stay.
pub(crate) fn mend(body: &[u8]) -> Mended {
    let mut mended = Mended { body: body.to_vec(), texts: 0 };
    mend_message(Message::Request, &mut mended.body, MAX_DEPTH, &mut mended.texts);
    mended
}

fn mend_message(message: Message, bytes: &mut [u8], depth: u32, texts: &mut u32) {
    let mut at = 0;
    // Behind a field that cannot be read it is unknown where the next one begins.
    while let Ok(Some(field)) = next(message, bytes, at, depth) {
        at = field.end;
        let Some(content) = bytes.get_mut(field.begin..field.end) else { return };
        match (field.kind, depth.checked_sub(1)) {
            (Some(Kind::Text), _) => *texts += u32::from(mend_text(content)),
            (Some(Kind::One(child) | Kind::Many(child)), Some(depth)) => {
                mend_message(child, content, depth, texts);
            }
            _ => (),
        }
    }
}

/// A field: its kind, where it has a length, and where its content begins and ends.
struct Field {
    kind: Option<Kind>,
    begin: usize,
    end: usize,
}

fn next(message: Message, bytes: &[u8], at: usize, depth: u32) -> Result<Option<Field>, FaultKind> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let (number, wire, after) = wire::tag(rest)?;
    if wire != LENGTH {
        let end = bytes.len() - wire::skip(number, wire, after, depth)?.len();
        return Ok(Some(Field { kind: None, begin: end, end }));
    }
    let (content, tail) = wire::length_delimited(after)?;
    let end = bytes.len() - tail.len();
    Ok(Some(Field { kind: message.field(number).map(|(_, kind)| kind), begin: end - content.len(), end }))
}

/// Replaces the bytes of a text that are not UTF-8; false if there are none.
fn mend_text(text: &mut [u8]) -> bool {
    if check_text(text).is_ok() {
        return false;
    }
    let mut rest = text;
    while let Err(error) = std::str::from_utf8(rest) {
        let (_, bad) = rest.split_at_mut_checked(error.valid_up_to()).unwrap_or_default();
        let bad_bytes = error.error_len().unwrap_or(bad.len());
        let (bad, behind) = bad.split_at_mut_checked(bad_bytes).unwrap_or_default();
        bad.fill(b'?');
        rest = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_byte_becomes_a_question_mark() {
        for (text, expected) in [
            (&b"caf\xc3"[..], "caf?"),
            (b"\xff\xfe ok \xf0\x9f\x98", "?? ok ???"),
            (b"\xc3\xa9\xc3(\xe2\x82\xac\x80", "é?(€?"),
            (b"\xed\xa0\x80", "???"),
        ] {
            let mut mended = text.to_vec();
            assert!(mend_text(&mut mended));
            assert_eq!(std::str::from_utf8(&mended), Ok(expected));
            assert!(!mend_text(&mut mended));
        }
        assert!(!mend_text(&mut "é".as_bytes().to_vec()));
    }

    #[test]
    fn bytes_values_and_unknown_fields_stay() {
        // Span { trace_id, name, attribute { bytes_value, a text } and an unknown field }
        let attribute = b"\x4a\x0a\x12\x03\x3a\x01\xff\x0a\x03k\xc3k";
        let span = [&b"\x0a\x01\xff\x2a\x01\xff"[..], attribute, b"\x8a\x01\x01\xff"].concat();
        let scope = [&[0x12, span.len() as u8][..], &span].concat();
        let spans = [&[0x12, scope.len() as u8][..], &scope].concat();
        let body = [&[0x0a, spans.len() as u8][..], &spans].concat();
        let Mended { body: mended, texts } = mend(&body);
        let changed: Vec<_> = body
            .iter()
            .zip(&mended)
            .filter(|(before, after)| before != after)
            .map(|(_, after)| *after)
            .collect();
        assert_eq!((texts, changed.as_slice()), (2, &b"??"[..]));
        assert_eq!(crate::message::diagnose(&mended), Ok(()));
    }

    #[test]
    fn what_is_broken_otherwise_stays_broken() {
        for body in [&b""[..], b"\x0a\x05\x12\x00", b"\x0a\x05\x12\x03\x12\x01\x2a", b"\x07", b"\xff"] {
            assert_eq!(mend(body), Mended { body: body.to_vec(), texts: 0 });
        }
    }
}
