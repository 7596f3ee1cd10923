//! The configuration document that a command works with.

use std::path::Path;

use podstamp::assembly;
use podstamp::config::{self, Loaded};

use super::exit::Failed;

/// The file's, or the one that runs without a file.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Failed> {
    match file {
        Some(file) => Ok(config::load(file, &config::process_environment)?),
        None => Ok(Loaded { document: assembly::default_document()?, notices: Vec::new() }),
    }
}
