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
mod workspace;

pub use error::Error;
pub use workspace::{CHOICE_VARIABLE, TARGET, workspace_root};
