//! The configuration document that a command works with.

use std::io;
use std::path::Path;

use podstamp::app;
use podstamp::config::{self, LoadError, Loaded, Unresolved};

use super::exit::Failed;

/// What the file says, whatever is wrong with it; `-` is standard input.
pub(crate) fn read_file(file: &Path) -> Result<Loaded, LoadError> {
    if file == Path::new("-") {
        config::load_from(io::stdin().lock(), Path::new("on standard input"), &config::process_environment)
    } else {
        config::load(file, &config::process_environment)
    }
}

/// The file's, or the one that runs without a file.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Failed> {
    match file {
        Some(file) => {
            let mut loaded = read_file(file)?;
            let unresolved = std::mem::take(&mut loaded.unresolved);
            unresolved.refuse(&loaded.document).map_err(LoadError::Faults)?;
            Ok(loaded)
        }
        None => Ok(Loaded {
            document: app::default_document()?,
            notices: Vec::new(),
            unresolved: Unresolved::default(),
        }),
    }
}
