//! How the process ends: codes of sysexits(3), so that scripts can tell.

use std::fmt;
use std::process::ExitCode;

use podstamp::app;
use podstamp::config::LoadError;
use podstamp::sandbox;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    /// The command line or the configuration is at fault.
    Usage = 64,
    /// The data are at fault.
    Data = 65,
    /// A file cannot be read.
    NoInput = 66,
    /// Something that is needed is not there: a port, the agent.
    Unavailable = 69,
    /// podstamp itself is at fault.
    Internal = 70,
    /// Output cannot be written.
    Output = 74,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    why: anyhow::Error,
}

impl Failed {
    pub(crate) fn new(exit: Exit, why: impl Into<anyhow::Error>) -> Self {
        Self { exit, why: why.into() }
    }

    pub(crate) fn message(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, why: anyhow::Error::msg(message.into()) }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.why)
    }
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        let exit = match &error {
            LoadError::Faults(_) => Exit::Usage,
            _ => Exit::NoInput,
        };
        Self::new(exit, error)
    }
}

impl From<app::Error> for Failed {
    fn from(error: app::Error) -> Self {
        let exit = match &error {
            app::Error::Faults(_) => Exit::Usage,
            app::Error::Pods(_)
            | app::Error::ReadGuest { .. }
            | app::Error::NoCompiler { .. }
            // Not the one inside the binary: that one was tested.
            | app::Error::Guest(sandbox::Error::Component(_)) => Exit::NoInput,
            app::Error::Bind(_) => Exit::Unavailable,
            _ => Exit::Internal,
        };
        Self::new(exit, error)
    }
}
