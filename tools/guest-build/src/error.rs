//! Errors between a guest's source and its component.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::workspace::{CHOICE_VARIABLE, TARGET};

/// Why a guest could not be built, or a toolchain for it not be found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No compiler on this machine can build a guest.
    NoToolchain {
        /// The toolchains that were looked at, and what each lacks.
        tried: Vec<String>,
    },
    /// `PODSTAMP_WASM_TOOLCHAIN` has a value that means nothing.
    UnknownChoice(String),
    /// Something has to be installed, and this process may not install it.
    NotPermitted {
        /// Shell commands that root can run, one a line.
        commands: String,
    },
    /// Nothing that setup knows of installs a toolchain here.
    NoWay {
        /// The ways that were tried, and what stood in each.
        tried: Vec<String>,
    },
    /// A program ran and failed.
    Failed {
        /// The program and what it was doing.
        what: String,
        /// The program's exit status.
        status: ExitStatus,
        /// The program's output.
        output: String,
    },
    /// Cargo did not say where a build script's files belong.
    NotABuildScript {
        /// The variable that is missing.
        variable: &'static str,
    },
    /// A module cannot become a component, or does not match `wit/`.
    Encode {
        /// The core module.
        module: PathBuf,
        /// The encoder's words, outermost first.
        reason: String,
    },
    /// A file or a program could not be used.
    Io {
        /// The attempt that failed: `cannot read …`.
        doing: String,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// The code to exit with, from `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownChoice(_) => EX_USAGE,
            Self::NoToolchain { .. } | Self::NotPermitted { .. } | Self::NoWay { .. } => EX_UNAVAILABLE,
            Self::Failed { .. } | Self::NotABuildScript { .. } | Self::Encode { .. } | Self::Io { .. } => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToolchain { tried } => {
                writeln!(f, "no Rust toolchain here can build WebAssembly guests:")?;
                list(f, tried)?;
                write!(f, "run `cargo xtask setup`, which installs one")
            }
            Self::UnknownChoice(value) => {
                write!(f, "{CHOICE_VARIABLE} is `{value}`: use `rustup` or `distro`, or unset it")
            }
            Self::NotPermitted { commands } => {
                write!(f, "installing packages needs root. Run this, then try again:\n\n{commands}")
            }
            Self::NoWay { tried } => {
                writeln!(f, "found no way to install a toolchain for WebAssembly guests:")?;
                list(f, tried)?;
                write!(
                    f,
                    "install one of these yourself: the target (`rustup target add {}`), or your distribution's \
                     Rust {} or newer with its std sources and LLVM's wasm-ld",
                    TARGET,
                    env!("CARGO_PKG_RUST_VERSION"),
                )
            }
            Self::Failed { what, status, output } => {
                write!(f, "{what} failed ({status})\n\n{}", output.trim_end())
            }
            Self::NotABuildScript { variable } => {
                write!(f, "{variable} is not set: not run as a build script")
            }
            Self::Encode { module, reason } => {
                write!(f, "cannot make a component of {}: {reason}", module.display())
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))
}

/// The command line or an environment variable was used wrongly.
const EX_USAGE: u8 = 64;
/// Something that is needed is not there.
const EX_UNAVAILABLE: u8 = 69;
