//! `exporters`.

pub(crate) mod otlphttp;
