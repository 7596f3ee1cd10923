//! Files: reading them within bounds, and following their changes.

mod bounded;
mod reloading;
mod source;
pub(crate) mod tokens;
mod version;
mod watch;

pub(crate) use bounded::{open_regular, read_file, read_up_to};
pub(crate) use reloading::Reloading;
pub(crate) use source::{fault, read_source};
pub(crate) use watch::{FileWatch, look_often};
