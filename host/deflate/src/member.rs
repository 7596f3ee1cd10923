//! What is around the stream of a gzip member (RFC 1952).

use crate::stream::ROOM;

/// The stream with the member's trailer behind it, and how long it is without.
pub(crate) fn stream(member: &[u8]) -> Option<(&[u8], usize)> {
    let stream = member.get(head_len(member)?..)?;
    Some((stream, stream.len().checked_sub(TRAILER)?))
}

/// Bytes of what is ahead of a member's stream.
fn head_len(member: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, 8, flags, ..] = member else { return None };
    let mut at = 10;
    if flags & EXTRA != 0 {
        let length = member.get(at..)?.first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            at += member.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & SUM != 0 {
        at += 2;
    }
    Some(at)
}

/// What a member's flags say of its head.
const SUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Bytes behind the stream: sum and length of the body.
pub(crate) const TRAILER: usize = 8;

// What is read of a stream may be looked at together with what is behind it.
const _: () = assert!(TRAILER >= ROOM);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_with_all_there_may_be_is_passed() {
        let head = [0x1f, 0x8b, 8, EXTRA | NAME | COMMENT | SUM, 0, 0, 0, 0, 0, 3];
        let member =
            [&head[..], &[3, 0, 1, 2, 3], b"name\0", b"a comment\0", &[7, 7], b"stream", &[9; TRAILER]]
                .concat();
        let (found, length) = stream(&member).unwrap();
        assert_eq!(&found[..length], b"stream");
        for cut in 0..member.len() {
            assert!(
                stream(&member[..cut]).is_none_or(|(found, length)| b"stream".starts_with(&found[..length])),
                "{cut}"
            );
        }
        assert!(stream(&[&[0x1f, 0x8b, 7][..], &member[3..]].concat()).is_none(), "another method");
    }
}
