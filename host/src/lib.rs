//! podstamp as a library: an OTLP receiver that runs the filter and forwards to deepflow-agent.

pub mod filter;
pub mod processor;
