//! podstamp's filter: OTLP bytes in, decisions out.
//!
//! The filter stamps every resource of an OTLP trace export with `app.host.ip`, the IP of the pod that made the spans, so
//! that DeepFlow can join them with its eBPF spans, and runs the pipelines of metrics and logs over theirs.
//!
//! This crate has no notion of sockets, clocks, threads or files: a host hands in the bytes that arrived and the time, and
//! carries out what comes back. A program that needs a server embeds the crate `podstamp`, which runs this one in a sandbox
//! and does all of that; one that has the bytes already, such as a proxy, a plugin or a test, uses this crate directly. This
//! crate is to `podstamp` what `quinn-proto` is to `quinn`.
//!
//! - [`Filter::configure`] compiles the OpenTelemetry Collector's configuration document;
//! - [`Filter::prepare`] checks an export request, runs the pipeline over each resource and says what to send where;
//! - [`Filter::conclude`] reads how sending ended and says what to answer, or to try again.
//!
//! The pod [`Directory`] is all that the filter asks of the world.
//!
//! ```
//! use podstamp_core::Filter;
//! use podstamp_core::directory::NoPods;
//! use podstamp_core::interface::{Header, Request, Signal, Verdict};
//!
//! let document = serde_json::json!({
//!     "exporters": {"otlphttp": {"traces_endpoint": "http://127.0.0.1:38086/api/v1/otel/trace"}},
//!     "service": {"pipelines": {"traces": {"exporters": ["otlphttp"]}}},
//! });
//! let filter = Filter::configure(&document).expect("the document has no faults");
//!
//! let request = Request {
//!     signal: Signal::Traces,
//!     path: "/v1/traces",
//!     peer: Some([10, 1, 0, 7].into()),
//!     headers: &[Header::new("content-type", "application/json")],
//!     body: br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET /"}]}]}]}"#,
//!     now: None,
//! };
//! let prepared = filter.prepare(&request, &NoPods);
//!
//! // The resource had no address, so it leaves with the connection's.
//! assert_eq!(prepared.report.address_connection, 1);
//! let Verdict::Forward(outbound) = prepared.verdict else { panic!("nothing to send") };
//! let body = outbound.content.into_body(request.body.to_vec()).expect("the edits fit the body");
//! assert!(body.windows(8).any(|bytes| bytes == b"10.1.0.7"));
//! ```
//!
//! # Limits
//! Requests may be protobuf or JSON; what is sent on is protobuf, into which JSON is turned first. Bodies are addressed with
//! 32-bit offsets.
#![cfg_attr(
    not(feature = "testing"),
    allow(dead_code, unreachable_pub, reason = "what only the module `testing` hands out")
)]

pub mod address;
pub mod answer;
mod attributes;
mod base64;
pub mod bounds;
mod claims;
pub mod config;
mod context;
pub mod directory;
mod edit;
pub mod fault;
mod filter;
mod guard;
pub mod hosting;
pub mod interface;
mod json;
mod message;
mod pipeline;
mod processors;
mod resource;
mod signal;
mod stamps;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;
mod wire;
mod words;

pub use directory::Directory;
pub use filter::Filter;
pub use message::diagnose_as;
pub use stamps::Stamps;
