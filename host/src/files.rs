//! Files: reading them within bounds, and following their changes.

mod bounded;
mod reloading;
pub(crate) mod tokens;
mod version;

pub(crate) use bounded::{open_regular, read_file, read_up_to};
pub(crate) use reloading::{Reloading, fault, read_source};
pub(crate) use version::FileVersion;
