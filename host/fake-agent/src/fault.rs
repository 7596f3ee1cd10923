//! Where the agent gives no answer, and where its process ends.

use std::net::IpAddr;
use std::{fmt, io};

/// What happens where deepflow-agent's process ends: at a span whose kind is outside 0..=5, at a span whose two addresses
/// are of different families, and, in a strict one, where two requests overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Abort {
    /// Tells stderr and ends the process with [`EXIT_STATUS`](Abort::EXIT_STATUS), or
    /// [`FAMILY_EXIT_STATUS`](Abort::FAMILY_EXIT_STATUS) for addresses of two families.
    #[default]
    Exit,
    /// Records the abort and resets the connection, for tests in the same process. Other connections go on.
    Record,
}

impl Abort {
    /// The exit status of a process that SIGABRT has ended, as shells and containers show it.
    pub const EXIT_STATUS: i32 = 134;

    /// The status with which deepflow-agent exits by itself when it meets addresses of two families.
    pub const FAMILY_EXIT_STATUS: i32 = 1;
}

/// Why the agent gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The body is not gzip, whatever the header says.
    #[error("cannot inflate the body: {0}")]
    Inflate(#[from] io::Error),
    /// The body is not protobuf, or not this message.
    #[error("cannot decode the body: {0}")]
    Decode(#[from] prost::DecodeError),
    /// `SpanKind::try_from(span.kind).unwrap()` in a process that is built with `panic = "abort"`.
    #[error("span {span} has kind {kind}, outside 0..=5")]
    Kind {
        /// The value on the wire.
        kind: i32,
        /// The span.
        span: SpanName,
    },
    /// The agent looks the two addresses of a span up together, and ends itself where they are of two families.
    #[error("span {span} is of {host} and has the peer {peer}: addresses of two families")]
    Family {
        /// The `app.host.ip`, or the address that the agent took in its place.
        host: IpAddr,
        /// `net.peer.ip`, as the agent takes it.
        peer: IpAddr,
        /// The span.
        span: SpanName,
    },
    /// The table of addresses is changed by all the agent's threads without a lock.
    #[error("{0}: deepflow-agent corrupts its memory, sooner or later")]
    Overlap(&'static str),
    /// A script closes the connection.
    #[error("the script says so")]
    Scripted,
}

/// A span, for people.
#[derive(Debug)]
pub(crate) struct SpanName {
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
}

impl Fault {
    /// The status with which the agent's process ends, where it does.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        match self {
            // SIGABRT's: the agent is built to abort on a panic, and glibc aborts on a heap that is broken.
            Self::Kind { .. } | Self::Overlap(_) => Some(Abort::EXIT_STATUS),
            Self::Family { .. } => Some(Abort::FAMILY_EXIT_STATUS),
            Self::Inflate(_) | Self::Decode(_) | Self::Scripted => None,
        }
    }
}

impl fmt::Display for SpanName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} (trace {}, span {})", self.name, self.trace_id, self.span_id)
    }
}
