//! Texts that a configuration holds itself or names a file for: certificates, tokens, passwords.

use std::fmt;
use std::path::Path;

use podstamp_core::config::{Fault, Place, Source};

use super::bounded::read_file;

/// The text of a source, as bytes. Blocks while a file is read.
pub(crate) fn read_source(source: &Source) -> Result<Vec<u8>, Fault> {
    let name = match &source.place {
        Place::Inline(text) => return Ok(text.expose().as_bytes().to_vec()),
        Place::File(name) => name,
    };
    read_file(Path::new(name), MAX_BYTES)
        .map_err(|error| fault(source, format!("cannot be read: {error}")))?
        .ok_or_else(|| fault(source, format!("has more than {MAX_BYTES} bytes")))
}

/// A fault of a source, with the file's name where there is one.
pub(crate) fn fault(source: &Source, message: impl fmt::Display) -> Fault {
    let message = match &source.place {
        Place::Inline(_) => message.to_string(),
        Place::File(name) => format!("{name} {message}"),
    };
    Fault { path: source.path.clone(), message }
}

/// Four times a bundle of all public certificate authorities.
pub(super) const MAX_BYTES: u64 = 1 << 20;
