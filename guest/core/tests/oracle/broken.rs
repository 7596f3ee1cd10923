//! Bodies that are broken, or may be.

use crate::choices::Choices;

/// A body with some bytes changed: cut off, flipped, overwritten, left out, doubled.
pub(crate) fn mutated(mut body: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    for _ in 0..=choices.below(3) {
        if body.is_empty() {
            break;
        }
        let at = choices.word() as usize % body.len();
        match choices.below(8) {
            0 => body.truncate(at),
            1 => body[at] ^= 1 << choices.below(8),
            2 => body[at] = choices.byte(),
            3 => {
                body.remove(at);
            }
            4 => body.insert(at, choices.byte()),
            5 => {
                let end = (at + choices.below(16)).min(body.len());
                let part = body[at..end].to_vec();
                body.splice(at..at, part);
            }
            // These bytes change the meaning of a tag, a length or a varint: groups, padding, the highest numbers.
            6 => body[at] = choices.pick(&[0x00, 0x0b, 0x0c, 0x0a, 0x12, 0x30, 0x7f, 0x80, 0xff]),
            _ => {
                let padding = 1 + choices.below(10);
                body[at] |= 0x80;
                body.splice(at + 1..at + 1, std::iter::repeat_n(0x80, padding).chain([0]));
            }
        }
    }
    body
}
