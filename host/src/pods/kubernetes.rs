//! Pods from the Kubernetes API.

pub mod client;
mod failure;
mod surroundings;
mod token;

pub use super::source::SourceFailure;
pub use failure::Failure;
pub use surroundings::Surroundings;
