//! `receivers`.

pub(crate) mod otlp;
