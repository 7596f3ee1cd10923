//! A request that waits to be sent again.

use std::time::SystemTime;

use bytes::Bytes;
use podstamp_core::interface::Signal;

/// A request as it goes out, without URL and headers: those are the exporter's at the time of sending. Cloning it copies no byte
/// of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// What is known of an entry without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) signal: Signal,
    /// Milliseconds since 1970 when the entry was queued.
    pub(crate) queued: u64,
    /// Spans, data points or log records.
    pub(crate) spans: u32,
    /// Estimated bytes of deepflow-agent's memory.
    pub(crate) memory: u32,
    pub(crate) coding: Coding,
    /// Bytes of the body as stored.
    pub(crate) length: u32,
}

/// The content coding of an entry's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Protobuf as it is.
    Identity,
    /// A gzip member that goes as it is: nothing may follow in it.
    Gzip,
    /// A gzip member of podstamp's own making, whose blocks others may follow.
    Blocks,
}

/// The time for [`Head::queued`].
pub(crate) fn milliseconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
