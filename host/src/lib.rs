//! podstamp as a library: an OTLP receiver that runs the filter and forwards to deepflow-agent.

pub mod config;
pub mod directory;
pub mod filter;
pub mod processor;
mod yaml;
