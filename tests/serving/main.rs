//! The serving half on loopback, with a filter of closures and an upstream of raw sockets.
//!
//! Shows what the receiver, the relay and the exporter do with bytes and connections. Shows nothing of what the real
//! filter decides, nor of how the real agent behaves.

#![expect(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod addresses;
mod admin;
mod batching;
mod console;
mod copies;
mod door;
mod draining;
mod grpc;
mod lane;
mod limits;
mod patience;
mod peers;
mod queue;
mod receiving;
mod sending;
mod signals;
mod support;
mod tls;
