//! Pipelines over resources.
