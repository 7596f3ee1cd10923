//! Logging: what goes to stderr, and how it looks.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Logs to stderr from now on. `level` is a level, or directives as `tracing` knows them (`info,podstamp=debug`).
pub(crate) fn init(format: LogFormat, level: &str) -> Result<(), InitError> {
    let builder =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::builder().parse(level)?).with_writer(io::stderr);
    match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(InitError::Twice)
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// The level is none.
    #[error("no log level")]
    Level(#[from] ParseError),
    /// Somebody logs already.
    #[error("logging was set up before")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Overrides the level.
pub(crate) const LEVEL_VARIABLE: &str = "PODSTAMP_LOG";
