//! podstamp as a library: an OTLP receiver that stamps every resource with `app.host.ip`, the IP of the pod that made the spans,
//! and forwards to deepflow-agent.
//!
//! This crate does the I/O: listeners, TLS, threads, clocks, files, and the WebAssembly sandbox that the filter runs in. The rules
//! are in [`core`], which has no notion of a socket, a clock or a thread. Use this crate to serve from inside a program of your
//! own, for example one that knows its pods itself; use [`core`] alone to bring the filter to another kind of host; and use the
//! binary `podstamp`, of the package `podstamp-cli`, where a configuration file is all that is needed.
//!
//! - [`config`] reads the document: a Collector's configuration, or the manifest that it stands in.
//! - [`app`] puts a document, a directory of pods and the filter together.
//! - [`server`] is what then runs, until it is shut down; [`observe`] is what it reports to, and [`network`] what it sends into.
//! - [`pods`] is the directory that the Kubernetes API or a pods file fills. Any other is a [`core::Directory`], for [`app::App::with_directory`].
//! - [`queue`] looks into what waits on disk for an upstream that is away.
//! - [`sandbox`] runs the filter without a server.
//!
//! # Example
//! ```
//! use podstamp::app::{App, Overrides};
//! use podstamp::config;
//! use podstamp::server::Instruments;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//! receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
//! exporters: {otlphttp: {traces_endpoint: "http://127.0.0.1:38086/api/v1/otel/trace"}}
//! service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}
//! "#;
//! let loaded = config::parse(text, &config::process_environment).map_err(|faults| format!("{faults:?}"))?;
//! // Compiles the filter, which takes a second.
//! let app = App::new(loaded.into_document()?, &Overrides::default())?;
//! let server = app.serve(&Instruments::default()).await?;
//! println!("taking traces at {:?}", server.listening());
//! server.without_delay().shutdown().await;
//! # Ok(())
//! # }
//! ```
//! `examples/embed` in the repository is a program with a directory of its own.
//!
//! # Limits
//! - It runs on Unix, on a tokio runtime with several threads: costly calls of the filter leave the async workers alone.
//! - While the filter is compiled, the process takes some 100 MiB more; what it gives back is up to its allocator.
//! - It logs through `tracing`, and neither sets up a subscriber nor catches a signal unless it is asked to.

mod admin;
pub mod app;
pub mod config;
mod console;
pub mod credentials;
mod exporter;
mod files;
pub mod lifecycle;
pub mod memory;
pub mod network;
pub mod observe;
mod offload;
pub mod pods;
pub mod queue;
mod receiver;
mod relay;
pub mod sandbox;
pub mod server;
pub mod settings;
mod shortened;
mod tls;

pub use podstamp_core as core;
