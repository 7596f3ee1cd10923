//! The binary, end to end: real processes, real sockets, a stand-in agent built on the real one's libraries.
//!
//! It does not prove how the real agent behaves: the stand-in follows what its source says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

// Certifies as it does for the host's own tests.
#[path = "../../host/tests/serving/support/authority.rs"]
mod authority;
#[path = "../conformance/body.rs"]
mod body;
// The cases, as they are read for all flavours of the filter.
#[path = "../conformance/case.rs"]
mod case;
mod checklist;
mod collector;
mod commands;
mod documented;
mod doors;
mod encoding;
mod envoy;
mod grpc;
mod harms;
mod http;
mod http2;
mod lifecycle;
mod limits;
mod pods;
mod ports;
mod raw;
mod refusals;
mod runtime;
mod sandbox;
mod sdks;
mod sent;
mod served;
mod signals;
mod spans;
mod status;
mod tee;
mod upstream;
