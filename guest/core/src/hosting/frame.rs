//! The frame of a gRPC message (gRPC's PROTOCOL-HTTP2, Length-Prefixed-Message).

use super::unreadable::Unreadable;

/// Bytes ahead of a message: whether it is compressed, and its length.
pub const PREFIX: usize = 5;

/// Bytes of the frame that begins with `start`, its prefix included; `None` where the prefix is not complete.
pub fn length(start: &[u8]) -> Option<usize> {
    let (_, length) = prefix(start)?;
    PREFIX.checked_add(length)
}

fn prefix(start: &[u8]) -> Option<(u8, usize)> {
    let [flag, length @ ..] = start.first_chunk::<PREFIX>()?;
    Some((*flag, u32::from_be_bytes(*length) as usize))
}

/// Takes the one message of a unary call out of its frame. The flag says whether the message is compressed.
pub fn unframe(body: &[u8]) -> Result<(&[u8], bool), Unreadable> {
    let broken = |why| Err(Unreadable::Frame(why));
    let (Some((flag, length)), Some(message)) = (prefix(body), body.get(PREFIX..)) else {
        return broken(format!("{} bytes, and a message begins with {PREFIX}", body.len()));
    };
    if message.len() != length {
        return broken(format!("a message of {length} bytes was announced, and {} came", message.len()));
    }
    match flag {
        0 | 1 => Ok((message, flag == 1)),
        _ => broken(format!("the flag for compression is {flag}, which means nothing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_out_of_its_frame() {
        assert_eq!(unframe(b"\0\0\0\0\x02ab"), Ok((b"ab".as_slice(), false)));
        assert_eq!(unframe(b"\x01\0\0\0\x02ab"), Ok((b"ab".as_slice(), true)));
        assert_eq!(unframe(b"\0\0\0\0\0"), Ok((b"".as_slice(), false)));
        for broken in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\0\x03ab",
            b"\0\0\0\0\x01ab",
            b"\0\0\0\0\x02ab\0\0\0\0\0",
            b"\x02\0\0\0\x02ab",
            b"\0\xff\xff\xff\xff",
        ] {
            assert!(matches!(unframe(broken), Err(Unreadable::Frame(_))), "{broken:?}");
        }
    }

    #[test]
    fn the_prefix_says_how_long_the_frame_is() {
        assert_eq!(length(b"\x01\0\0\x01\x02and more"), Some(PREFIX + 258));
        assert_eq!(length(b"\0\0\0\0"), None);
    }
}
