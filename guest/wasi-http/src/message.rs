//! Requests and responses in the shapes of wasi:http.

use podstamp_core::interface::{Answer, Header};
use wasip2::http::types::{Fields, Headers, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

use crate::streams::{Deadline, write};

/// Headers with their names in lower case.
pub(crate) fn headers(fields: &Headers) -> Vec<Header> {
    let lower = |(name, value): (String, Vec<u8>)| Header { name: name.to_ascii_lowercase(), value };
    fields.entries().into_iter().map(lower).collect()
}

/// Headers for the host, with the length of the body behind them. `None` where the host takes one of them for invalid.
pub(crate) fn fields(headers: &[Header], length: Option<usize>) -> Option<Fields> {
    let length = length.map(|length| ("content-length".to_owned(), length.to_string().into_bytes()));
    let headers = headers.iter().map(|header| (header.name.clone(), header.value.clone()));
    Fields::from_list(&headers.chain(length).collect::<Vec<_>>()).ok()
}

/// The method's name.
pub(crate) fn method(method: &Method) -> String {
    match method {
        Method::Post => "POST".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Gives the client its answer, and waits until the host has all of it.
pub(crate) fn respond(out: ResponseOutparam, answer: &Answer) {
    let is_grpc = answer.headers.iter().any(|header| header.name == "grpc-status");
    let fields = fields(&answer.headers, Some(answer.body.len())).unwrap_or_else(Fields::new);
    let response = OutgoingResponse::new(fields);
    // A failure over gRPC has its status in the headers.
    let status = if is_grpc { 200 } else { answer.status };
    let is_sent = response.set_status_code(status).is_ok();
    let body = response.body();
    ResponseOutparam::set(out, Ok(response));
    let Ok(body) = body else { return };
    let written =
        is_sent && body.write().is_ok_and(|stream| write(&stream, &answer.body, Deadline::within(PATIENCE)));
    // Where the client is gone there is nobody to tell.
    if written {
        OutgoingBody::finish(body, None).ok();
    }
}

/// Milliseconds for a client to take its answer, which has a few bytes.
const PATIENCE: u32 = 10_000;
