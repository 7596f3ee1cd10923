//! Bodies that cannot be read, whichever host they came to.

use std::fmt::{Display, Formatter, Result};

use crate::answer::{Code, Failure};
use crate::hosting::labels::Reason;
use crate::interface::{Answer, Encoding, Header, Level, Notice};

/// Why a request's body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The body is over so many bytes as it came.
    TooLarge(usize),
    /// The body is over so many bytes once its content coding is undone.
    DecodedTooLarge(usize),
    /// The body is not in the content coding that its header names.
    Corrupt {
        /// The coding that the header names.
        coding: &'static str,
        /// What is wrong with the body.
        reason: String,
    },
    /// The body's content coding is not supported.
    UnknownCoding {
        /// The coding as the client names it.
        name: String,
        /// The supported codings, as Accept-Encoding lists them.
        known: &'static str,
    },
    /// The gRPC frame is broken.
    Frame(String),
}

impl Unreadable {
    /// The answer for the client: a `google.rpc.Status` that says why.
    pub fn answer(&self, encoding: Encoding) -> Answer {
        let (status, code) = match self {
            Self::TooLarge(_) | Self::DecodedTooLarge(_) => (413, Code::ResourceExhausted),
            Self::Corrupt { .. } => (400, Code::InvalidArgument),
            // By gRPC's rules (compression.md) a client then sends uncompressed.
            Self::UnknownCoding { .. } => (415, Code::Unimplemented),
            // grpc-go and grpc-java answer INTERNAL to a broken frame.
            Self::Frame(_) => (400, Code::Internal),
        };
        let mut answer = Failure::new(status, code, &self.to_string()).answer(encoding);
        let (key, advice) = self.advice();
        let message = format!("a request was refused: {self}; {advice}");
        answer.notice = Some(Notice { level: Level::Warning, key: key.into(), message });
        if let Self::UnknownCoding { known, .. } = self {
            let name = if encoding == Encoding::Grpc { "grpc-accept-encoding" } else { "accept-encoding" };
            answer.headers.push(Header::new(name, known));
        }
        answer
    }
}

impl Unreadable {
    /// For the operator: the key to log this by, and what to do.
    pub fn advice(&self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge(_) | Self::DecodedTooLarge(_) => (
                "body-too-large",
                "see podstamp.limits.body, max_request_body_size and max_recv_msg_size_mib",
            ),
            Self::UnknownCoding { .. } => {
                ("unknown-coding", "set the client's OTEL_EXPORTER_OTLP_COMPRESSION to gzip or none")
            }
            Self::Corrupt { .. } | Self::Frame(_) => {
                ("body-corrupt", "the client, or a proxy on the way, breaks what it sends")
            }
        }
    }

    /// The reason by which this is counted.
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooLarge(_) | Self::DecodedTooLarge(_) => Reason::TooLarge,
            Self::Corrupt { .. } | Self::UnknownCoding { .. } => Reason::Coding,
            Self::Frame(_) => Reason::Frame,
        }
    }
}

impl std::error::Error for Unreadable {}

impl Display for Unreadable {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::TooLarge(limit) => write!(formatter, "the body is over {limit} bytes"),
            Self::DecodedTooLarge(limit) => {
                write!(formatter, "the body is over {limit} bytes once its content coding is undone")
            }
            Self::Corrupt { coding, reason } => write!(formatter, "the body is not {coding}: {reason}"),
            Self::UnknownCoding { name, known } => {
                write!(formatter, "the content coding {name:?} is not known; known are {known}")
            }
            Self::Frame(why) => write!(formatter, "the gRPC frame is broken: {why}"),
        }
    }
}
