//! `receivers`: where clients send.

pub(crate) mod otlp;
