//! Responses of the admin listener.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;

/// The body of a response: a text, or what comes as it happens.
pub(super) type Body = BoxBody<Bytes, Infallible>;

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    with_type(status, body.into(), "text/plain; charset=utf-8")
}

/// A body that is not to be kept. `None`: making it failed.
pub(super) fn json(answer: Option<&impl Serialize>) -> Response<Body> {
    match answer.map(serde_json::to_vec) {
        Some(Ok(body)) => json_bytes(StatusCode::OK, body.into()),
        None | Some(Err(_)) => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "the answer failed: see podstamp's log")
        }
    }
}

/// A body that is JSON already, and not to be kept.
pub(super) fn json_bytes(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = with_type(status, body, "application/json");
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What is wrong, and what to do, for whoever reads JSON.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    json_bytes(status, serde_json::json!({"error": message}).to_string().into())
}

pub(super) fn with_type(status: StatusCode, body: Bytes, media: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// Tells browsers to do as little as they can with a response: to run nothing that is not the console's own, to show it in no frame,
/// and to let no other site have it.
pub(super) fn protect(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, CSP),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
