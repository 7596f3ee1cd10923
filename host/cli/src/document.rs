//! The configuration document that a command works with.

use std::io;
use std::path::Path;

use podstamp::app;
use podstamp::config::{self, LoadError, Loaded, Unresolved};
use podstamp_core::config::{self as core_config, Reading, Unset};

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

/// All that a document says, and all that is wrong with it, in the files that it names too. The notices are in the
/// configuration.
pub(crate) fn read_whole(loaded: Loaded, unset: Unset) -> Reading {
    let mut reading = read_text(loaded, unset);
    reading.add(app::check_files(&reading.config));
    reading
}

/// The same, without looking at the files that it names: they may be elsewhere.
pub(crate) fn read_text(loaded: Loaded, unset: Unset) -> Reading {
    let Loaded { document, notices, unresolved } = loaded;
    let mut reading = core_config::read_all(&document, unresolved, unset);
    reading.config.notices.splice(..0, notices);
    reading
}
