//! `exporters`: where signals go.

pub(crate) mod otlphttp;
