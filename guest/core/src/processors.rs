//! The processors of the Collector that run here, each under its name there.

pub(crate) mod k8sattributes;
pub(crate) mod resource;
