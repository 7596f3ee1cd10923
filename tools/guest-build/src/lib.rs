//! Builds podstamp's guests: finds a compiler for `wasm32-unknown-unknown`, runs an inner cargo with it and makes a
//! component of what comes out.
//!
//! A build script needs one call, and the crate then reads the guest with
//! `include_bytes!(env!("PODSTAMP_COMPONENT"))`:
//!
//! ```no_run
//! # #[cfg(feature = "artifact")]
//! fn main() -> std::process::ExitCode {
//!     use podstamp_guest_build::artifact::{Form, Guest, export};
//!     let guest = Guest { package: "podstamp-component", features: &[], form: Form::Component };
//!     export(guest, "PODSTAMP_COMPONENT")
//! }
//! # #[cfg(not(feature = "artifact"))]
//! # fn main() {}
//! ```
//!
//! A build never installs anything and never makes rustup download: [`toolchain`] takes what is there, and an error
//! says to run `cargo xtask setup`, which is [`setup`].

#[cfg(feature = "artifact")]
pub mod artifact;
mod error;
pub mod setup;
pub mod toolchain;

use std::path::{Path, PathBuf};

pub use error::Error;

/// The target that guests are built for: no WASI, so nothing of the world comes in but what `wit/` says.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The root of podstamp's workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
