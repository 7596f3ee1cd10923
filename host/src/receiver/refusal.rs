//! Why the receiver itself turns a request away.

use std::time::Duration;

use http::HeaderValue;
use podstamp_core::answer::{self, Code};
use podstamp_core::hosting::labels::Reason;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::Signal;
use podstamp_core::interface::{Answer, Encoding, Header};

use super::auth::Unauthenticated;
use crate::observe::Limited;
use crate::receiver::admission::{Full, Resource};
use crate::sandbox::Failure;

/// Why a request gets no answer from the filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is here; traces go to {0}")]
    NoSuchPath(String),
    #[error("{}", .signal.not_carried(*.others))]
    NotCarried {
        signal: Signal,
        /// Whether another signal is carried besides traces.
        others: bool,
    },
    #[error("pages in browsers may not send here")]
    Page,
    #[error("there is no such method; podstamp takes traces, with {}", podstamp_core::config::GRPC_PATH)]
    NoSuchService,
    #[error("this address takes no {0}: {1}")]
    NotHere(Protocol, &'static str),
    #[error("gRPC needs HTTP/2")]
    OldHttp,
    #[error("only POST is possible here")]
    Method,
    #[error("the request has more than one Host")]
    Hosts,
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
    #[error("podstamp takes too much memory: come again")]
    Memory,
    #[error("{0}")]
    Unauthenticated(Unauthenticated, HeaderValue),
    #[error("the pods are not known yet: come again")]
    NoPods,
    #[error("{}", .0.consequences().public)]
    Filter(Failure),
}

/// The protocol of a request.
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
    /// The answer, a `google.rpc.Status`: the one place that decides what a refused client gets.
    pub(super) fn answer(&self, encoding: Encoding) -> Answer {
        let (status, code) = match self {
            Self::Body(unreadable) => return unreadable.answer(encoding),
            Self::NoSuchPath(_) | Self::NotCarried { .. } | Self::NoSuchService | Self::NotHere(..) => {
                (404, Code::Unimplemented)
            }
            Self::Unauthenticated(..) => (401, Code::Unauthenticated),
            Self::OldHttp => (505, Code::Unimplemented),
            Self::Method | Self::Page => (405, Code::Unimplemented),
            Self::SlowBody(_) | Self::TrickledBody(_) => (408, Code::DeadlineExceeded),
            Self::Hosts | Self::BrokenBody(_) => (400, Code::InvalidArgument),
            Self::Full(_) | Self::Memory | Self::NoPods => (503, Code::Unavailable),
            Self::Filter(failure) if failure.consequences().passes => (503, Code::Unavailable),
            Self::Filter(_) => (500, Code::Internal),
        };
        let message = self.to_string();
        let retry_after = (status == 503).then_some(RETRY_SOON);
        let failure = answer::Failure { retry_after, ..answer::Failure::new(status, code, &message) };
        let mut answer = failure.answer(encoding);
        match self {
            Self::Method | Self::Page => answer.headers.push(Header::new("allow", "POST")),
            Self::Unauthenticated(_, challenge) => {
                let (name, value) = ("www-authenticate".to_owned(), challenge.as_bytes().to_vec());
                answer.headers.push(Header { name, value });
            }
            _ => (),
        }
        answer
    }

    /// The limit that a request ran into, as it is counted.
    pub(super) fn limited(&self) -> Option<Limited> {
        match self {
            Self::Body(Unreadable::TooLarge(_) | Unreadable::DecodedTooLarge(_)) => Some(Limited::Body),
            Self::Full(Full { of_peer: true, .. }) => Some(Limited::PerPeer),
            Self::Full(Full { resource, .. }) => Some(match resource {
                Resource::Bodies => Limited::Connections,
                Resource::Requests => Limited::InFlight,
                Resource::Bytes => Limited::InFlightBytes,
            }),
            Self::Memory => Some(Limited::MemoryLimiter),
            Self::SlowBody(_) => Some(Limited::ReadTimeout),
            Self::TrickledBody(_) => Some(Limited::BodyRate),
            Self::NoSuchPath(_)
            | Self::NotCarried { .. }
            | Self::Page
            | Self::NoSuchService
            | Self::NotHere(..)
            | Self::OldHttp
            | Self::Unauthenticated(..)
            | Self::Method
            | Self::Hosts
            | Self::Body(_)
            | Self::BrokenBody(_)
            | Self::NoPods
            | Self::Filter(_) => None,
        }
    }

    /// The reason, as it is counted.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::NoSuchPath(_) | Self::NoSuchService => Reason::Path,
            Self::NotCarried { .. } => Reason::Signal,
            Self::NotHere(..) | Self::OldHttp | Self::Hosts => Reason::Protocol,
            Self::Method => Reason::Method,
            Self::Page => Reason::Cors,
            Self::Body(unreadable) => unreadable.reason(),
            Self::SlowBody(_) | Self::TrickledBody(_) => Reason::Slow,
            Self::BrokenBody(_) => Reason::Broken,
            Self::Full(_) | Self::Memory => Reason::Busy,
            Self::NoPods => Reason::Pods,
            Self::Unauthenticated(..) => Reason::Credentials,
            Self::Filter(_) => Reason::Filter,
        }
    }

    /// The key in the log, and advice to the operator. `None` where the refusal was logged already.
    pub(super) fn advice(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::NoSuchPath(_) => (
                "no-such-path",
                "correct the client's OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or receivers.otlp.protocols.http.traces_url_path",
            ),
            Self::NoSuchService => ("no-such-service", "correct the client, or send this elsewhere"),
            Self::NotCarried { signal: Signal::Logs, .. } => {
                ("logs-not-carried", "or send the logs elsewhere")
            }
            Self::NotCarried { .. } => ("metrics-not-carried", "or send the metrics elsewhere"),
            Self::NotHere(..) => {
                ("wrong-protocol", "correct the client's port, or turn podstamp.strict_ports off")
            }
            Self::OldHttp => ("old-http", "a proxy on the way turns HTTP/2 into HTTP/1.1"),
            Self::Method => ("wrong-method", "exports are POST; for probes there is podstamp.admin"),
            Self::Hosts => ("two-hosts", "a proxy on the way adds one, or somebody tries to get past it"),
            Self::Page => (
                "cors-refused",
                "see allowed_origins and allowed_headers of cors in receivers.otlp.protocols.http",
            ),
            Self::Body(unreadable) => unreadable.advice(),
            Self::Full(Full { of_peer: true, .. }) => {
                ("too-much-of-one-peer", "see podstamp.limits.per_peer")
            }
            Self::Full(Full { resource, .. }) => match resource {
                Resource::Bodies => ("too-many-bodies", "see podstamp.limits.connections"),
                Resource::Requests => ("too-many-requests", "see podstamp.limits.in_flight"),
                Resource::Bytes => ("too-many-bytes", "see podstamp.limits.in_flight_bytes"),
            },
            // The limiter itself tells, with numbers.
            Self::Memory => return None,
            Self::SlowBody(_) => ("slow-body", "see podstamp.limits.read_timeout"),
            Self::TrickledBody(_) => ("slow-body", "see podstamp.limits.body_rate"),
            Self::BrokenBody(_) => ("body-broken", "the client, or a proxy on the way, gave up"),
            Self::Unauthenticated(..) => ("unauthenticated", "see auth in receivers.otlp.protocols"),
            Self::NoPods => (
                "waiting-for-pods",
                "see wait_for_metadata in processors.k8sattributes, and why they do not come",
            ),
            Self::Filter(_) => return None,
        })
    }

    /// Whether the rest of the body can be read and thrown away, so that the connection can go on.
    pub(super) fn leaves_body(&self) -> bool {
        !matches!(self, Self::SlowBody(_) | Self::TrickledBody(_) | Self::BrokenBody(_))
    }
}

/// What there is too much of, and whether it is one client's.
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

/// Milliseconds until a client should try again. Requests take less: after a second there is room again, if ever.
const RETRY_SOON: u32 = 1_000;
