//! How an attempt to send ends.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use podstamp_core::hosting::MAX_RESPONSE;
use podstamp_core::interface::Header;

use crate::sandbox::Ended;
use crate::tls::{self, BoxError};

/// Reads a response whole.
pub(super) async fn read_response(response: Response<Incoming>) -> Result<Ended, Broken> {
    let (head, mut body) = response.into_parts();
    if body.size_hint().lower() > MAX_RESPONSE as u64 {
        return Ok(Ended::Oversized);
    }
    let mut collected = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Broken::Receive)?.into_data() else {
            continue;
        };
        if collected.len() + data.len() > MAX_RESPONSE {
            return Ok(Ended::Oversized);
        }
        collected = if collected.is_empty() { data } else { joined(collected, &data) };
    }
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() });
    Ok(Ended::Response { status: head.status.as_u16(), headers: headers.collect(), body: collected })
}

fn joined(first: Bytes, second: &Bytes) -> Bytes {
    let mut whole = first.try_into_mut().unwrap_or_else(|first| BytesMut::from(&*first));
    whole.extend_from_slice(second);
    whole.freeze()
}

/// Why a response is missing.
#[derive(Debug)]
pub(super) enum Broken {
    /// No connection could be made.
    Connect(BoxError),
    /// Sending failed, or no head of a response came.
    Send(hyper::Error),
    /// The response broke off.
    Receive(hyper::Error),
    /// No response within that time.
    Late(Duration),
}

impl Broken {
    /// Whether the upstream speaks something else, TLS for example.
    pub(super) fn is_no_http(&self) -> bool {
        match self {
            Self::Send(error) | Self::Receive(error) => error.is_parse(),
            Self::Connect(_) | Self::Late(_) => false,
        }
    }

    /// Whether the response has too many headers or too long ones: over hyper's 100, or over its buffer of 408 KiB.
    pub(super) fn is_oversized(&self) -> bool {
        matches!(self, Self::Send(error) | Self::Receive(error) if error.is_parse_too_large())
    }

    /// Why the upstream's TLS refused the connection, though the request was on its way already.
    fn refused_by_tls(&self, tls: &tls::Client) -> Option<String> {
        match self {
            Self::Send(error) | Self::Receive(error) => tls::refusal(error, tls.path()),
            Self::Connect(_) | Self::Late(_) => None,
        }
    }

    /// The outcome for the filter. `started`: a connection had begun to take the body.
    pub(super) fn ended(&self, started: bool, original: &Bytes, tls: Option<&tls::Client>) -> Ended {
        if let Some(reason) = tls.and_then(|tls| self.refused_by_tls(tls)) {
            return Ended::NotConnected(reason);
        }
        match self {
            Self::Connect(_) => Ended::NotConnected(self.to_string()),
            Self::Send(_) | Self::Late(_) if !started => Ended::NotConnected(self.to_string()),
            Self::Late(_) => Ended::TimedOut,
            Self::Send(_) | Self::Receive(_) => Ended::Closed(original.clone()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // hyper's errors name the stage; what went wrong is their innermost source.
        let mut innermost: &dyn Error = match self {
            Self::Late(limit) => return write!(formatter, "not within {} ms", limit.as_millis()),
            Self::Connect(error) => &**error,
            Self::Send(error) | Self::Receive(error) => error,
        };
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        write!(formatter, "{innermost}")
    }
}
