//! `processors`, and whether their order makes sense.

pub(crate) mod batch;
pub(crate) mod k8sattributes;
pub(crate) mod memory_limiter;
pub(crate) mod order;
pub(crate) mod resource;
