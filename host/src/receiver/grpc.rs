//! OTLP/gRPC: one unary method over HTTP/2 (gRPC's PROTOCOL-HTTP2).
//!
//! The frame is read here rather than by tonic, whose decoder inflates on the async workers, holds no room for what comes
//! out, knows no snappy, and copies the message once more than the filter needs.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use podstamp_core::hosting::frame::{self, PREFIX};
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::Answer;

use super::coding::Coding;
use super::response::{self, Body};

/// Whether a request speaks gRPC, by its content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.get(..TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPE.as_bytes()))
        && matches!(value.get(TYPE.len()), None | Some(b'+' | b';' | b' '))
}

/// Takes the message out of a request's only frame. Says how it is compressed.
pub(super) fn unframe(body: &Bytes, headers: &HeaderMap) -> Result<(Bytes, Coding), Unreadable> {
    let (message, compressed) = frame::unframe(body)?;
    let coding = if compressed { coding(headers)? } else { Coding::Identity };
    Ok((body.slice_ref(message), coding))
}

/// The coding of a message whose frame says that it is compressed.
fn coding(headers: &HeaderMap) -> Result<Coding, Unreadable> {
    let broken =
        |why: &str| Err(Unreadable::Frame(format!("the message is compressed, and grpc-encoding is {why}")));
    let Some(name) = headers.get(ENCODING) else {
        return broken("missing");
    };
    match Coding::named(name.as_bytes()) {
        Some(Coding::Identity) => broken("identity"),
        Some(coding) => Ok(coding),
        None => Err(Coding::unknown(name.as_bytes())),
    }
}

/// How long the client waits (gRPC's PROTOCOL-HTTP2, Timeout): up to eight digits and a unit. `None` where
/// the header makes no sense.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(3600 * count)),
        "M" => Some(Duration::from_secs(60 * count)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The filter's answer on the wire: a message and trailers, or trailers only where it failed.
pub(super) fn respond(answer: Answer) -> Response<Body> {
    let mut headers = response::headers(answer.headers);
    let succeeded = headers.get(STATUS).is_some_and(|status| status == "0");
    let body = if succeeded {
        let mut trailers = HeaderMap::new();
        for name in [STATUS, MESSAGE, DETAILS] {
            if let Some(value) = headers.remove(&name) {
                trailers.insert(name, value);
            }
        }
        let sent = std::future::ready(Some(Ok(trailers)));
        Body::Right(tonic::body::Body::new(Full::new(framed(&answer.body)).with_trailers(sent)))
    } else {
        Body::Left(Full::default())
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    // An answer is a few bytes long.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

const TYPE: &str = "application/grpc";
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC; a=b"] {
            assert!(is_grpc(&headers(CONTENT_TYPE, yes)), "{yes}");
        }
        for no in ["", "application/grpc-web", "application/grpcx", "application/x-protobuf"] {
            assert!(!is_grpc(&headers(CONTENT_TYPE, no)), "{no}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_client_says_how_long_it_waits() {
        for (text, expected) in [
            ("10S", Some(Duration::from_secs(10))),
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("100m", Some(Duration::from_millis(100))),
            ("100000u", Some(Duration::from_millis(100))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000n", None),
            ("10", None),
            ("S", None),
            ("", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1 S", None),
        ] {
            assert_eq!(timeout(&headers(TIMEOUT, text)), expected, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
        let bytes = HeaderValue::from_bytes(b"1\xff").unwrap();
        assert_eq!(timeout(&HeaderMap::from_iter([(TIMEOUT, bytes)])), None);
    }

    #[test]
    fn a_message_is_taken_out_of_its_frame() {
        let none = HeaderMap::new();
        let gzip = headers(ENCODING, "gzip");
        let unframed = |bytes: &'static [u8], headers| unframe(&Bytes::from_static(bytes), headers);
        assert_eq!(unframed(b"\0\0\0\0\x02ab", &none), Ok((Bytes::from_static(b"ab"), Coding::Identity)));
        assert_eq!(unframed(b"\0\0\0\0\x02ab", &gzip), Ok((Bytes::from_static(b"ab"), Coding::Identity)));
        assert_eq!(unframed(b"\x01\0\0\0\x02ab", &gzip), Ok((Bytes::from_static(b"ab"), Coding::Gzip)));
        assert_eq!(unframed(b"\0\0\0\0\0", &none), Ok((Bytes::new(), Coding::Identity)));
        let identity = headers(ENCODING, "identity");
        for unnamed in [&none, &identity] {
            assert!(matches!(unframed(b"\x01\0\0\0\x02ab", unnamed), Err(Unreadable::Frame(_))));
        }
        let unknown = headers(ENCODING, "br");
        assert!(matches!(unframed(b"\x01\0\0\0\x02ab", &unknown), Err(Unreadable::UnknownCoding { .. })));
    }
}
