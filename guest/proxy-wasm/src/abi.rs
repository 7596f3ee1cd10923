//! The proxy-wasm ABI, version 0.2.1: the functions of the host. Those that the host calls are [`exports`](crate::exports).
//!
//! The ABI is written here rather than taken from the proxy-wasm SDK for Rust, for three reasons. Each of the SDK's calls panics
//! on a status that it does not expect, and a panic ends the VM with all its streams; the SDK forgets the answer to a call
//! whose stream has ended, which is the usual end of a copy's stream; and it imports 37 functions, each of which a host
//! has to have, where this module needs 14.

pub(crate) mod environment;
pub(crate) mod host;
mod imports;
pub(crate) mod map;
mod types;

pub(crate) use types::{Action, Buffer, Headers, LogLevel, MetricKind, Refused};
