//! Why the receiver itself turns a request away.

use std::time::Duration;

use http::StatusCode;

use crate::filter::Failure;
use crate::receiver::coding::Coding;
use crate::status::Code;

/// Why a request gets no answer of the filter's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is here; traces go to {0}")]
    NoSuchPath(String),
    #[error("only POST is possible here")]
    Method,
    #[error("the body is over {0} bytes")]
    BodyTooLarge(usize),
    #[error("the body is over {0} bytes once its content coding is undone")]
    DecodedTooLarge(usize),
    #[error("the body did not come within {} s", .0.as_secs_f32())]
    SlowBody(Duration),
    #[error("the body broke off: {0}")]
    BrokenBody(String),
    #[error("too many requests at a time")]
    TooManyRequests,
    #[error("too many bytes at a time")]
    TooManyBytes,
    #[error("the content coding {0:?} is not known; known are {known}", known = Coding::NAMES)]
    UnknownCoding(String),
    #[error("the body is not {coding}: {1}", coding = .0.name())]
    Undecodable(Coding, String),
    #[error("{}", public(.0))]
    Filter(Failure),
}

impl Refusal {
    /// The one place that says what a client gets.
    pub(super) fn status(&self) -> (StatusCode, Code) {
        match self {
            Self::NoSuchPath(_) => (StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Self::BodyTooLarge(_) | Self::DecodedTooLarge(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted)
            }
            Self::SlowBody(_) => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
            Self::BrokenBody(_) | Self::Undecodable(..) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::TooManyRequests | Self::TooManyBytes => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            Self::UnknownCoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
            Self::Filter(Failure::Timeout(_) | Failure::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            Self::Filter(Failure::Trap(_) | Failure::MemoryLimit(_) | Failure::InvalidAnswer(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
            }
        }
    }

    /// For the operator, who could raise it: the limit that a request ran into, and the key to log that by.
    pub(super) fn limit(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::BodyTooLarge(_) | Self::DecodedTooLarge(_) => {
                Some(("body-too-large", "podstamp.limits.body"))
            }
            Self::TooManyRequests => Some(("too-many-requests", "podstamp.limits.in_flight")),
            Self::TooManyBytes => Some(("too-many-bytes", "podstamp.limits.in_flight and body")),
            Self::SlowBody(_) => Some(("slow-body", "podstamp.limits.read_timeout")),
            Self::NoSuchPath(_)
            | Self::Method
            | Self::BrokenBody(_)
            | Self::UnknownCoding(_)
            | Self::Undecodable(..)
            | Self::Filter(_) => None,
        }
    }

    /// Whether the connection can go on once the rest of the body is read and thrown away.
    pub(super) fn leaves_body(&self) -> bool {
        !matches!(self, Self::SlowBody(_) | Self::BrokenBody(_))
    }
}

/// What a client may know of a failure. The log has the rest.
fn public(failure: &Failure) -> &'static str {
    match failure {
        Failure::Trap(_) => "the filter failed on this request",
        Failure::Timeout(_) => "the filter did not finish in time",
        Failure::MemoryLimit(_) => "the filter ran out of memory on this request",
        Failure::InvalidAnswer(_) => "the filter gave an unusable answer",
        Failure::Busy => "the filter is busy",
    }
}
