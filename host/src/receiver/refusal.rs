//! Why the receiver itself turns a request away.

use std::time::Duration;

use http::HeaderValue;
use podstamp_core::exchange::{Answer, Encoding, Header};
use podstamp_core::export::answer::{self, Code};
use podstamp_core::export::unreadable::Unreadable;

use super::auth::Unauthenticated;
use crate::admission::{Full, Resource};
use crate::filter::Failure;
use crate::metrics::Limited;

/// Why a request gets no answer of the filter's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is here; traces go to {0}")]
    NoSuchPath(String),
    #[error("there is no such method; podstamp takes traces, with {}", podstamp_core::config::GRPC_PATH)]
    NoSuchService,
    #[error("this address takes no {0}: {1}")]
    NotHere(Protocol, &'static str),
    #[error("gRPC needs HTTP/2")]
    OldHttp,
    #[error("only POST is possible here")]
    Method,
    #[error("{0}")]
    Body(#[from] Unreadable),
    #[error("the body did not come within {} s", .0.as_secs_f32())]
    SlowBody(Duration),
    #[error("the body came at less than {0} bytes a second")]
    TrickledBody(usize),
    #[error("the body broke off: {0}")]
    BrokenBody(String),
    #[error("{}", too_many(.0))]
    Full(Full),
    #[error("{0}")]
    Unauthenticated(Unauthenticated, HeaderValue),
    #[error("{}", public(.0))]
    Filter(Failure),
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Http => "OTLP/HTTP",
            Self::Grpc => "OTLP/gRPC",
        })
    }
}

impl Refusal {
    /// A `google.rpc.Status` that says why not: the one place that says what a client gets.
    pub(super) fn answer(&self, encoding: Encoding) -> Answer {
        let (status, code) = match self {
            Self::Body(unreadable) => return unreadable.answer(encoding),
            Self::NoSuchPath(_) | Self::NoSuchService | Self::NotHere(..) => (404, Code::Unimplemented),
            Self::Unauthenticated(..) => (401, Code::Unauthenticated),
            Self::OldHttp => (505, Code::Unimplemented),
            Self::Method => (405, Code::Unimplemented),
            Self::SlowBody(_) | Self::TrickledBody(_) => (408, Code::DeadlineExceeded),
            Self::BrokenBody(_) => (400, Code::InvalidArgument),
            Self::Full(_) => (503, Code::Unavailable),
            Self::Filter(Failure::Busy) => (503, Code::Unavailable),
            // The limit counts the processor's time: the same body would run out of it again.
            Self::Filter(
                Failure::Timeout(_) | Failure::Trap(_) | Failure::MemoryLimit(_) | Failure::InvalidAnswer(_),
            ) => (500, Code::Internal),
        };
        let message = self.to_string();
        let retry_after = (status == 503).then_some(RETRY_SOON);
        let failure = answer::Failure { retry_after, ..answer::Failure::new(status, code, &message) };
        let mut answer = failure.answer(encoding);
        match self {
            Self::Method => answer.headers.push(Header::new("allow", "POST")),
            Self::Unauthenticated(_, challenge) => {
                let (name, value) = ("www-authenticate".to_owned(), challenge.as_bytes().to_vec());
                answer.headers.push(Header { name, value });
            }
            _ => (),
        }
        answer
    }

    /// For the operator, who could raise it: the limit that a request ran into, what to count it as, and the key to log
    /// it by.
    pub(super) fn limit(&self) -> Option<(Limited, &'static str, &'static str)> {
        match self {
            Self::Body(Unreadable::TooLarge(_) | Unreadable::DecodedTooLarge(_)) => Some((
                Limited::Body,
                "body-too-large",
                "podstamp.limits.body, max_request_body_size and max_recv_msg_size_mib",
            )),
            Self::Full(Full { of_peer: true, .. }) => {
                Some((Limited::PerPeer, "too-much-of-one-peer", "podstamp.limits.per_peer"))
            }
            Self::Full(Full { resource, .. }) => Some(match resource {
                Resource::Bodies => (Limited::Connections, "too-many-bodies", "podstamp.limits.connections"),
                Resource::Requests => (Limited::InFlight, "too-many-requests", "podstamp.limits.in_flight"),
                Resource::Bytes => {
                    (Limited::InFlightBytes, "too-many-bytes", "podstamp.limits.in_flight_bytes")
                }
            }),
            Self::SlowBody(_) => Some((Limited::ReadTimeout, "slow-body", "podstamp.limits.read_timeout")),
            Self::TrickledBody(_) => Some((Limited::BodyRate, "slow-body", "podstamp.limits.body_rate")),
            Self::NoSuchPath(_)
            | Self::NoSuchService
            | Self::NotHere(..)
            | Self::OldHttp
            | Self::Unauthenticated(..)
            | Self::Method
            | Self::Body(_)
            | Self::BrokenBody(_)
            | Self::Filter(_) => None,
        }
    }

    /// Whether the connection can go on once the rest of the body is read and thrown away.
    pub(super) fn leaves_body(&self) -> bool {
        !matches!(self, Self::SlowBody(_) | Self::TrickledBody(_) | Self::BrokenBody(_))
    }
}

/// Of what, and whose limit that is.
fn too_many(full: &Full) -> &'static str {
    let Full { resource, of_peer } = full;
    match (resource, of_peer) {
        (Resource::Bodies, false) => "too many requests without their body",
        (Resource::Bodies, true) => "too many requests of one client without their body",
        (Resource::Requests, false) => "too many requests at a time",
        (Resource::Requests, true) => "too many requests of one client at a time",
        (Resource::Bytes, false) => "too many bytes at a time",
        (Resource::Bytes, true) => "too many bytes of one client at a time",
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

/// Milliseconds. Requests take fewer: after a second there is room again, if ever.
const RETRY_SOON: u32 = 1_000;
