//! The proxy-wasm ABI, version 0.2.1: what the host calls, and what it can be asked.
//!
//! It is written here rather than taken from the proxy-wasm SDK for Rust because of three things. Each of the SDK's calls panics
//! on a status that it does not expect, and a panic ends the VM with all its streams; it forgets the answer to a call
//! whose stream has ended, which is the usual end of a copy's stream; and it imports 37 functions, each of which a host
//! has to have, where this module needs 14.

pub(crate) mod environment;
mod exports;
pub(crate) mod host;
mod imports;
mod map;
#[cfg(test)]
pub(crate) mod testing;

/// What happens to a stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    /// It goes on.
    Continue = 0,
    /// Headers and body stay where they are until a later callback lets them go on.
    Pause = 1,
}

/// Bytes that a host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// Headers that a host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Headers {
    Request = 0,
    Response = 2,
    CallResponse = 6,
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// Levels of the host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Why a host did not do what it was asked: its own status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u32);
