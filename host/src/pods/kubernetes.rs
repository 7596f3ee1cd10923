//! Pods from the Kubernetes API.

pub mod client;
mod surroundings;
mod token;

pub use surroundings::Surroundings;
