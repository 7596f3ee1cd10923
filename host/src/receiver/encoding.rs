//! The encoding that a client speaks, and answers in it.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;
use podstamp_core::hosting;
use podstamp_core::interface::{Answer, Encoding};

use super::grpc;
use super::response::{Body, headers};

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
