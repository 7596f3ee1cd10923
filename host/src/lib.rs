//! podstamp as a library: an OTLP receiver that runs the filter and forwards to deepflow-agent.

mod admin;
mod admission;
pub mod assembly;
mod calls;
pub mod clock;
pub mod config;
pub mod demo;
mod descriptors;
pub mod directory;
mod drain;
mod exporter;
pub mod filter;
mod followed;
pub mod listings;
pub mod metrics;
pub mod notices;
pub mod processor;
pub mod readiness;
mod receiver;
mod relay;
pub mod server;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
mod tls;
mod tokens;
mod yaml;
