//! podstamp as a library: an OTLP receiver that runs the filter and forwards to deepflow-agent.

mod admin;
pub mod app;
pub mod config;
mod exporter;
mod files;
pub mod lifecycle;
pub mod observe;
mod offload;
pub mod pods;
mod receiver;
mod relay;
pub mod sandbox;
pub mod server;
pub mod settings;
mod tls;
