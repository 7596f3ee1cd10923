//! `google.rpc.Status`, the body of every answer that is no success.

use bytes::Bytes;
use podstamp_core::exchange::Encoding;

/// The codes of `google.rpc.Code` that the host itself gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// A Status in the client's encoding.
pub(crate) fn encode(encoding: Encoding, code: Code, message: &str) -> Bytes {
    match encoding {
        Encoding::Protobuf => protobuf(code, message),
        Encoding::Json => {
            serde_json::json!({"code": code as u8, "message": message}).to_string().into_bytes()
        }
    }
    .into()
}

/// The media type of an encoding.
pub(crate) fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}

/// `code` is field 1, a varint; `message` is field 2, a string.
fn protobuf(code: Code, message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 13);
    out.extend([0x08, code as u8, 0x12]);
    let mut length = message.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(message.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_code_and_a_message_in_either_encoding() {
        assert_eq!(
            encode(Encoding::Protobuf, Code::InvalidArgument, "bad \"body\""),
            &b"\x08\x03\x12\x0abad \"body\""[..],
        );
        assert_eq!(
            encode(Encoding::Json, Code::InvalidArgument, "bad \"body\""),
            r#"{"code":3,"message":"bad \"body\""}"#,
        );
    }

    #[test]
    fn a_long_message_has_a_length_of_several_bytes() {
        let encoded = encode(Encoding::Protobuf, Code::Internal, &"x".repeat(300));
        assert_eq!(encoded.get(..5), Some(&[0x08, 13, 0x12, 0xac, 0x02][..]));
        assert_eq!(encoded.len(), 305);
    }
}
