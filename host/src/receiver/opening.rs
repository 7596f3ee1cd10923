//! The first bytes of a connection, which tell what its client speaks.

use std::fmt::{Display, Formatter, Result};

/// The first bytes, as many as are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opening {
    bytes: [u8; SHOWN],
    length: usize,
}

/// A protocol that the first bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// Good or bad HTTP.
    Http,
    /// A ClientHello (RFC 8446, sections 4 and 5.1).
    Tls,
    /// A PROXY header of either version.
    Proxy,
    /// Thrift's binary or compact protocol, framed or not.
    Thrift,
    /// Something else.
    Other,
}

impl Opening {
    pub(super) fn new(came: &[u8]) -> Self {
        let mut opening = Self::default();
        for (to, from) in opening.bytes.iter_mut().zip(came) {
            *to = *from;
            opening.length += 1;
        }
        opening
    }

    pub(super) fn speech(&self) -> Speech {
        let is_thrift =
            |message: &[u8]| matches!(message, [0x80, 0x01, ..] | [0x82, 0x21 | 0x41 | 0x61 | 0x81, ..]);
        match self.bytes() {
            [0x16, 0x03, ..] => Speech::Tls,
            [b'P', b'R', b'O', b'X', b'Y', b' ', ..] => Speech::Proxy,
            [b'\r', b'\n', b'\r', b'\n', 0, b'\r', b'\n', ..] => Speech::Proxy,
            message if is_thrift(message) => Speech::Thrift,
            [_, _, _, _, message @ ..] if is_thrift(message) => Speech::Thrift,
            // Clients may send empty lines ahead of a request.
            bytes if is_method(bytes.trim_ascii_start()) => Speech::Http,
            _ => Speech::Other,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Escaped as Rust writes bytes.
impl Display for Opening {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// Whether a method stands there, or as much of one as has come.
fn is_method(bytes: &[u8]) -> bool {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    length > 0 && matches!(bytes.get(length), None | Some(b' '))
}

/// Enough to recognise a protocol, and not enough to give a secret away.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_by_their_first_bytes() {
        for (bytes, speech) in [
            (&b"POST /v1/traces HTTP/1.1\r\n"[..], Speech::Http),
            (b"\r\nGET / HTTP/1.1\r\n", Speech::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Speech::Http),
            (b"PO", Speech::Http),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Speech::Tls),
            (b"PROXY TCP4 10.1.2.3 10.0.0.1 4711 4317\r\n", Speech::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", Speech::Proxy),
            (b"\x80\x01\x00\x04\x00\x00\x00\x09emitBatch", Speech::Thrift),
            (b"\x00\x00\x01\x20\x80\x01\x00\x01\x00\x00", Speech::Thrift),
            (b"\x82\x21\x01\x09emitBatch", Speech::Thrift),
            (b"\x00\x00\x01\x20\x82\x21\x01\x09emit", Speech::Thrift),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Speech::Other),
            (b"*1\r\n$4\r\nPING\r\n", Speech::Other),
            (b"hello\n", Speech::Other),
            (b"\x0a\x06", Speech::Other),
        ] {
            assert_eq!(Opening::new(bytes).speech(), speech, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn no_more_is_shown_than_tells_the_protocol() {
        let shown = Opening::new(b"\x00passwd=s3cret-of-somebody").to_string();
        assert_eq!(shown, "\"\\x00passwd=\"");
        assert_eq!(Opening::new(b"").to_string(), "\"\"");
    }
}
