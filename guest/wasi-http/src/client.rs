//! Sending a request, and reading its response.

use podstamp_core::interface::Header;
use podstamp_embedded::serving::{Outgoing, Sent};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};

use crate::message;
use crate::streams::{self, Deadline, Unread};

/// Sends a request and reads its response, within the time that it has.
pub(crate) fn send(outgoing: &Outgoing<'_>) -> Sent {
    let deadline = Deadline::within(outgoing.time);
    exchange(outgoing, deadline).unwrap_or_else(|ended| ended)
}

fn exchange(outgoing: &Outgoing<'_>, deadline: Deadline) -> Result<Sent, Sent> {
    let request = request(outgoing).ok_or_else(|| {
        Sent::NotConnected(format!("the host takes {} or its headers for invalid", outgoing.url))
    })?;
    let body = request.body().map_err(|()| Sent::Closed)?;
    let future = outgoing_handler::handle(request, options(outgoing.time)).map_err(|code| ended(&code))?;
    let bytes = outgoing.body.unwrap_or_default();
    let is_written = body.write().is_ok_and(|stream| streams::write(&stream, bytes, deadline));
    // The response tells more than the broken end of a stream does: it is awaited in any case.
    if is_written {
        OutgoingBody::finish(body, None).ok();
    }
    let response = response(&future, deadline)?;
    read(&response, outgoing.limit, deadline)
}

fn request(outgoing: &Outgoing<'_>) -> Option<OutgoingRequest> {
    let (scheme, rest) = outgoing.url.split_once("://")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(at)?;
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let scheme = if scheme.eq_ignore_ascii_case("https") { Scheme::Https } else { Scheme::Http };
    let request = OutgoingRequest::new(message::fields(outgoing.headers, outgoing.body.map(<[u8]>::len))?);
    request.set_method(if outgoing.body.is_some() { &Method::Post } else { &Method::Get }).ok()?;
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(&target)).ok()?;
    Some(request)
}

/// The time again, for the host to keep: not every host stops what nobody waits for any more.
fn options(time: u32) -> Option<RequestOptions> {
    let options = RequestOptions::new();
    let time = Some(u64::from(time) * 1_000_000);
    let is_set = options.set_connect_timeout(time).is_ok() && options.set_first_byte_timeout(time).is_ok();
    is_set.then_some(options)
}

fn response(future: &FutureIncomingResponse, deadline: Deadline) -> Result<IncomingResponse, Sent> {
    if !deadline.wait(&future.subscribe()) {
        return Err(Sent::TimedOut);
    }
    match future.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(ended(&code)),
        Some(Err(())) | None => Err(Sent::Closed),
    }
}

fn read(response: &IncomingResponse, limit: usize, deadline: Deadline) -> Result<Sent, Sent> {
    let status = response.status();
    let headers = message::headers(&response.headers());
    let size: usize = headers.iter().map(|Header { name, value }| name.len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || size > MAX_HEADER_BYTES {
        return Err(Sent::Oversized);
    }
    let body = response.consume().map_err(|()| Sent::Closed)?;
    let stream = body.stream().map_err(|()| Sent::Closed)?;
    let body = streams::read(&stream, limit, deadline).map_err(|unread| match unread {
        Unread::Late => Sent::TimedOut,
        Unread::Broken => Sent::Closed,
    })?;
    if body.len() > limit { Err(Sent::Oversized) } else { Ok(Sent::Response { status, headers, body }) }
}

/// How an attempt ended, by the host's error. Only what says for sure that nothing was sent counts as no connection, since the
/// batch may be sent again then.
fn ended(code: &ErrorCode) -> Sent {
    match code {
        ErrorCode::ConnectionRefused
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::DnsError(_)
        | ErrorCode::DnsTimeout
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_)
        | ErrorCode::HttpRequestUriInvalid => Sent::NotConnected(format!("{code:?}")),
        ErrorCode::HttpRequestDenied => Sent::NotConnected("the host does not allow it".to_owned()),
        // Some hosts say so of a response that does not come.
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Sent::TimedOut,
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_) => Sent::Oversized,
        _ => Sent::Closed,
    }
}

/// As podstamp itself reads them.
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 400 << 10;
