//! The binary, end to end: real processes, real sockets, a fake agent built on the real one's libraries.
//!
//! These tests do not prove how the real agent behaves: the fake agent follows what its source says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

mod batching;
mod bento;
mod cases;
mod central;
mod chaos;
mod chart;
mod checklist;
mod collector;
mod commands;
mod console;
mod documented;
mod doors;
mod encoding;
mod envoy;
mod explain;
mod fake_agent;
mod harms;
#[cfg(target_os = "linux")]
mod image;
mod kubernetes;
mod lifecycle;
mod limits;
mod memory;
mod pods;
mod queue;
mod refusals;
mod sandbox;
mod sdks;
mod sent;
mod served;
mod signals;
mod tee;
mod upstream;
mod wasi_http;
