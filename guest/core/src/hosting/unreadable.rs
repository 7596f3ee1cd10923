//! Bodies that cannot be read, whichever host they came to.

use std::fmt::{Display, Formatter, Result};

use crate::answer::{Code, Failure};
use crate::hosting::labels::Reason;
use crate::interface::{Answer, Encoding, Header, Level, Notice};

/// Why a request's body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is over so many bytes as it came.
    TooLarge(usize),
    /// It is over so many bytes once its coding is undone.
    DecodedTooLarge(usize),
    /// It is not what its header says.
    Corrupt {
        /// What it should be.
        coding: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Its coding is not known here.
    UnknownCoding {
        /// As the client names it.
        name: String,
        /// Those that are, as Accept-Encoding lists them.
        known: &'static str,
    },
    /// The gRPC frame is broken.
    Frame(String),
}

impl Unreadable {
    /// A `google.rpc.Status` that says why.
    pub fn answer(&self, encoding: Encoding) -> Answer {
        let (status, code) = match self {
            Self::TooLarge(_) | Self::DecodedTooLarge(_) => (413, Code::ResourceExhausted),
            Self::Corrupt { .. } => (400, Code::InvalidArgument),
            // By gRPC's rules (compression.md) a client then sends uncompressed.
            Self::UnknownCoding { .. } => (415, Code::Unimplemented),
            // As grpc-go and grpc-java say it.
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
    /// For the operator: the key to log it by, and what to do.
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

    /// Why, as it is counted.
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
