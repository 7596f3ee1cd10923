//! Files: reading them within bounds, and following their changes.

mod bounded;
mod reloading;
pub(crate) mod tokens;
mod version;

pub(crate) use bounded::{open, read, up_to};
pub(crate) use reloading::{Followed, fault, read_source};
pub(crate) use version::Stamp;
