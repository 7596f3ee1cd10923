//! The configuration document that a command works with.

use std::io;
use std::path::{Path, PathBuf};

use podstamp::app;
use podstamp::config::{self, LoadError, Loaded, Unresolved};
use podstamp_core::config::{self as core_config, Reading, Unset};

use super::exit::Failed;

/// What the files say together, whatever is wrong with it; `-` is standard input.
pub(crate) fn read_files(files: &[PathBuf]) -> Result<Loaded, LoadError> {
    let texts: Result<Vec<_>, _> =
        files.iter().map(|file| Ok((file.display().to_string(), text_of(file)?))).collect();
    config::parse_all(&texts?, &config::process_environment).map_err(LoadError::Faults)
}

fn text_of(file: &Path) -> Result<String, LoadError> {
    if file == Path::new("-") {
        config::read_from(io::stdin().lock(), Path::new("on standard input"))
    } else {
        config::read(file)
    }
}

/// The files', or the one that runs without a file.
pub(crate) fn load(files: &[PathBuf]) -> Result<Loaded, Failed> {
    if files.is_empty() {
        let document = app::default_document()?;
        return Ok(Loaded {
            written: document.clone(),
            document,
            notices: Vec::new(),
            unresolved: Unresolved::default(),
        });
    }
    let mut loaded = read_files(files)?;
    let unresolved = std::mem::take(&mut loaded.unresolved);
    unresolved.refuse(&loaded.document).map_err(LoadError::Faults)?;
    Ok(loaded)
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
    let Loaded { document, notices, unresolved, .. } = loaded;
    let mut reading = core_config::read_all(&document, unresolved, unset);
    reading.config.notices.splice(..0, notices);
    reading
}
