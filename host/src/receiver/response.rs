//! Responses to clients.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{Either, Full};
use podstamp_core::interface::Header;

/// A response's body: bytes, or for gRPC a stream with trailers.
pub(super) type Body = Either<Full<Bytes>, tonic::body::Body>;

/// A response after which the connection is closed.
pub(super) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Headers as they are sent; those that cannot be sent are left out.
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
