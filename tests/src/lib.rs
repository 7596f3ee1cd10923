//! What podstamp's conformance cases, end-to-end tests and benchmarks share.

#![allow(clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

pub mod bodies;
pub mod otlp_json;
pub mod shapes;
