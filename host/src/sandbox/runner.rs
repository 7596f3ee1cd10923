//! The filter's calls as the host makes them, with the sandbox behind them or something else.

use std::net::IpAddr;

use bytes::Bytes;
use podstamp_core::interface::{
    Answer, Attempt, Encoding, Examination, Examined, Header, Next, Prepared, Signal,
};

use super::failure::Failure;

/// Runs the filter. Calls are synchronous and take microseconds for usual bodies; callers move those with large bodies off the
/// async workers.
pub trait FilterRunner: Send + Sync {
    /// Names of the request headers that `prepare` reads, in lower case.
    fn request_headers(&self) -> &[String];

    /// Checks a request and runs the pipeline over it.
    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure>;

    /// What `conclude` answers to a request of that kind where the upstream's response has a status of 200 to 299 and no body,
    /// whatever else is said of the attempt; `None`: `conclude` has to be asked.
    fn acknowledgement(&self, signal: Signal, encoding: Encoding) -> Option<&Answer> {
        _ = (signal, encoding);
        None
    }

    /// Reads how an attempt to send ended.
    fn conclude(&self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure>;

    /// Tells what `prepare` does to the resources of a request, and why. A runner that cannot tell tells nothing.
    fn examine(&self, request: &ReceivedRequest, options: Examination) -> Result<Examined, Failure> {
        _ = (request, options);
        Ok(Examined::default())
    }

    /// The first fault of a body, looked for down to the values of attributes; `None`: the body is sound.
    fn diagnose(&self, signal: Signal, body: &Bytes) -> Result<Option<BodyFault>, Failure>;
}

/// An export request as it came in, its content coding undone.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// The signal that the request carries.
    pub signal: Signal,
    /// Path of the URL, without the query.
    pub path: String,
    /// Address of the TCP peer.
    pub peer: Option<IpAddr>,
    /// The headers that the filter asked for.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Bytes,
    /// When the body had come, nanoseconds since 1970; `None`: rules about time are off.
    pub now: Option<u64>,
    /// The compressed body, if it came as a single gzip member that may be sent on as it is.
    pub gzip: Option<Bytes>,
}

/// How an attempt to send ended: [`podstamp_core::interface::Outcome`] with its data owned.
#[derive(Clone, Debug)]
pub enum Ended {
    /// A response came.
    Response {
        /// HTTP status code.
        status: u16,
        /// All headers.
        headers: Vec<Header>,
        /// The body.
        body: Bytes,
    },
    /// No connection could be made; the reason, for people.
    NotConnected(String),
    /// Nothing was sent: the upstream is away, since no request has reached it for a while.
    Away {
        /// Why, for people.
        reason: String,
        /// Milliseconds until the upstream is tried again.
        after: u32,
    },
    /// Nothing was sent: the request's turn did not come within the client's patience.
    Waited,
    /// The connection ended before a response came. Holds the body as `prepare` got it.
    Closed(Bytes),
    /// No response within the client's patience. The upstream may process the request all the same.
    TimedOut,
    /// The response was over the limit, or its headers over theirs.
    Oversized,
}

impl Ended {
    /// Whether the upstream has taken the request and says nothing about it.
    pub fn is_plain_success(&self) -> bool {
        matches!(self, Self::Response { status: 200..=299, body, .. } if body.is_empty())
    }

    /// The body that the outcome carries; empty where it carries none.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Response { body, .. } | Self::Closed(body) => body,
            Self::NotConnected(_) | Self::Away { .. } | Self::Waited | Self::TimedOut | Self::Oversized => {
                &[]
            }
        }
    }
}

/// One fault in a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message} (at offset {offset:#x})", if path.is_empty() { "the request" } else { path.as_str() })]
pub struct BodyFault {
    /// Offset in the body.
    pub offset: u32,
    /// Path of the message, for example `resource_spans[3].scope_spans[0].spans[7]`; empty for the request itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}
