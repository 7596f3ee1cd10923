//! podstamp's filter: OTLP bytes in, decisions out.
//!
//! The filter stamps every resource of an OTLP trace export with `app.host.ip`, the IP of the pod that made the spans, so
//! that DeepFlow can join them with its eBPF spans, and runs the pipelines of metrics and logs over theirs. It never does I/O and never waits: a host hands in what arrived and
//! carries out what comes back.
//!
//! - [`Filter::configure`] compiles the OpenTelemetry Collector's configuration document;
//! - [`Filter::prepare`] checks an export request, runs the pipeline over each resource and says what to send where;
//! - [`Filter::conclude`] reads how sending ended and says what to answer, or to try again.
//!
//! All that it asks of the world is the pod [`Directory`].
//!
//! # Limits
//! What leaves is protobuf; what comes may also be JSON, which is turned into protobuf first. Bodies are
//! addressed with 32-bit offsets.

pub mod address;
pub mod answer;
mod attributes;
mod base64;
pub mod bounds;
mod claims;
pub mod config;
pub mod context;
pub mod directory;
pub mod edit;
pub mod fault;
mod filter;
pub mod guard;
pub mod hosting;
pub mod interface;
pub mod json;
mod message;
pub mod pipeline;
mod processors;
pub mod resource;
pub mod signal;
pub mod trace;
mod wire;

pub use directory::Directory;
pub use filter::Filter;
pub use message::{diagnose, diagnose_as};
