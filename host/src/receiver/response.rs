//! Responses to clients.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use podstamp_core::hosting;
use podstamp_core::interface::{Answer, Encoding, Header};

use super::grpc;

/// What answers are made of: bytes, or a stream with trailers where gRPC has one.
pub(super) type Body = Either<Full<Bytes>, tonic::body::Body>;

/// The encoding in which a client wants its errors: what it says that it sends, and otherwise protobuf.
pub(super) fn encoding(version: Version, headers: &HeaderMap) -> Encoding {
    if version == Version::HTTP_2 && grpc::is_grpc(headers) {
        return Encoding::Grpc;
    }
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match hosting::encoding::named(value) {
        Some(Encoding::Json) => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

/// An answer as it goes to a client that speaks `encoding`.
pub(super) fn answered(answer: Answer, encoding: Encoding) -> Response<Body> {
    if encoding == Encoding::Grpc {
        return grpc::respond(answer);
    }
    let mut response = Response::new(Body::Left(Full::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers(answer.headers);
    response
}

/// The same, and the connection is of no use afterwards.
pub(super) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Headers as they are sent; those that cannot be are left out.
pub(super) fn headers(headers: Vec<Header>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::try_from(header.name);
        let value = HeaderValue::from_maybe_shared(Bytes::from(header.value));
        if let (Ok(name), Ok(value)) = (name, value)
            && name != CONTENT_LENGTH
        {
            map.append(name, value);
        }
    }
    map
}
