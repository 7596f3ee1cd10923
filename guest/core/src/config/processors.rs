//! `processors`, and whether their order makes sense.

pub(crate) mod k8sattributes;
pub(crate) mod order;
pub(crate) mod resource;
