//! What podstamp's unit, conformance and end-to-end tests, its benchmarks and its fuzz targets share.
//!
//! Export requests need no feature: [`spans`] makes small ones, [`bodies`] those of real SDKs, [`shapes`] those that grow in
//! one way, [`otlp_json`] their text. Everything else is behind a feature, so that the core's tests compile neither clients
//! nor wasmtime. A server within a test's own process is asked by `client`, and a process by `blocking`, which needs no runtime.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "test code: a panic is a failed test, and most names say it all"
)]

#[cfg(feature = "api-server")]
pub mod api_server;
#[cfg(feature = "authority")]
pub mod authority;
#[cfg(feature = "client")]
pub mod blocking;
pub mod bodies;
#[cfg(feature = "cases")]
pub mod cases;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod codings;
#[cfg(feature = "fuzz")]
pub mod fuzz;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod otlp_json;
#[cfg(feature = "client")]
pub mod ports;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod shapes;
pub mod spans;
#[cfg(feature = "client")]
pub mod upstream;

use std::time::{Duration, Instant};

/// Long enough for a slow machine; nothing waits that long unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never comes to this: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
