//! `processors`.

pub(crate) mod k8sattributes;
pub(crate) mod order;
pub(crate) mod resource;
