//! Responses to clients.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use podstamp_core::exchange::{Answer, Encoding};

use super::coding::Coding;
use super::refusal::Refusal;
use crate::status;

/// The encoding in which a client wants its errors. Only JSON is answered in JSON.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") { Encoding::Json } else { Encoding::Protobuf }
}

/// The filter's answer as it stands. Headers that cannot be sent are left out.
pub(super) fn answered(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for header in answer.headers {
        let name = HeaderName::try_from(header.name);
        let value = HeaderValue::from_maybe_shared(Bytes::from(header.value));
        if let (Ok(name), Ok(value)) = (name, value)
            && name != CONTENT_LENGTH
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// A `google.rpc.Status` that says why not.
pub(super) fn refused(encoding: Encoding, refusal: &Refusal) -> Response<Full<Bytes>> {
    let (status, code) = refusal.status();
    let mut response = Response::new(Full::new(status::encode(encoding, code, &refusal.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(status::content_type(encoding)));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SOON));
    }
    if let Refusal::Method = refusal {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Refusal::UnknownCoding(_) = refusal {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Coding::NAMES));
    }
    if !refusal.leaves_body() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Seconds. Requests last milliseconds: after one second there is room again, if ever.
const RETRY_SOON: &str = "1";
