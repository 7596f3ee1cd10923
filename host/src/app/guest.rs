//! Another guest than the one that podstamp carries, for `--guest`.

use std::path::Path;

use super::Error;
use crate::sandbox::{self, Guest};

/// Compiles the guest of a file.
#[cfg(feature = "compiler")]
pub(super) fn of_file(path: &Path, settings: sandbox::Settings) -> Result<Guest, Error> {
    use std::io;

    let fail = |source| Error::ReadGuest { path: path.to_path_buf(), source };
    let bytes = crate::files::read_file(path, MAX_BYTES).map_err(fail)?;
    let bytes = bytes.ok_or_else(|| fail(io::ErrorKind::FileTooLarge.into()))?;
    Guest::compile(&bytes, settings).map_err(Error::Guest)
}

/// Refuses: there is no compiler.
#[cfg(not(feature = "compiler"))]
pub(super) fn of_file(path: &Path, _: sandbox::Settings) -> Result<Guest, Error> {
    Err(Error::NoCompiler { path: path.to_path_buf() })
}

/// Several times the size of podstamp's own.
#[cfg(feature = "compiler")]
const MAX_BYTES: u64 = 64 << 20;
