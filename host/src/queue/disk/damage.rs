//! What is said of a log that is damaged, or that cannot be used.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::scan::Part;

/// Bytes of the log that are not what was written. Its text says where, what, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) part: Part,
    /// Where the bytes were copied to; `None` where they were not.
    pub(crate) kept: Option<PathBuf>,
}

impl Damage {
    /// Whether entries may be lost that were acknowledged.
    pub(crate) fn is_loss(&self) -> bool {
        match self.part {
            Part::Records | Part::Segment => true,
            Part::Header | Part::Marks | Part::Index | Part::Tail => false,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, part, kept } = self;
        let what = match part {
            Part::Header => "the header is damaged; a copy of it is used, and nothing is lost",
            Part::Marks => {
                "one of the two lists of what was delivered is damaged: some of it may be delivered once more"
            }
            Part::Records => "entries are damaged, and skipped: they are not delivered",
            Part::Tail => {
                "the last entry is not whole, and skipped: it was being written when the process or the machine ended, and was not \
                 acknowledged, unless the file was damaged later"
            }
            Part::Index => "the index is damaged; the entries were read one by one, and nothing is lost",
            Part::Segment => {
                "no entry of this file can be read: it is damaged from its beginning, or is not podstamp's"
            }
        };
        write!(formatter, "{}: {bytes} bytes at offset {offset}: {what}", file.display())?;
        match kept {
            Some(kept) => write!(formatter, "; the bytes are in {}, which may be deleted", kept.display()),
            None => Ok(()),
        }
    }
}

/// The folder cannot be used. The text says which, why and what to do; the key of the configuration is for whoever knows it to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{} is not there: create it, mount a volume there, or set create_directory: true", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a folder", .0.display())]
    NoFolder(PathBuf),
    #[error(
        "{} cannot be written ({error}): podstamp's user needs the right to, and the volume must not be read-only",
        .path.display()
    )]
    Unwritable { path: PathBuf, error: io::Error },
    #[error(
        "{} is in use by {holder}: give each podstamp a directory of its own, or stop the other one",
        .folder.display()
    )]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "{} is of version {version}, and this podstamp reads version {}: run the later podstamp until the queue is empty, or \
         move the file away",
        .file.display(),
        super::format::VERSION
    )]
    Version { file: PathBuf, version: u16 },
    #[error("{}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl OpenError {
    /// What an error at a folder or a file in it means.
    pub(super) fn new(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::NoFolder(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable { path, error }
            }
            _ => Self::Io { path, error },
        }
    }
}

/// An entry cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// There is no room: what was written before is there still, and later entries may fit again.
    #[error(
        "{place}: there is no room left for {} ({error}): entries are refused until there is",
        .file.display()
    )]
    Full { place: String, file: PathBuf, error: io::Error },
    #[error("{place}: {}: {error}", .file.display())]
    Io { place: String, file: PathBuf, error: io::Error },
    /// The entry's bytes are not those that were written. It is not there any more.
    #[error("{0}")]
    Damaged(Damage),
    /// The entry was removed.
    #[error("the entry is not in the queue any more")]
    Gone,
    /// The log was closed.
    #[error("the queue on disk is closed")]
    Closed,
}

impl DiskError {
    pub(super) fn new(place: &str, path: &Path, error: io::Error) -> Self {
        let (place, file) = (place.to_owned(), path.to_owned());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { place, file, error }
            }
            _ => Self::Io { place, file, error },
        }
    }

    /// The same for another of the entries that were to be written together.
    pub(super) fn again(&self) -> Self {
        let again = |error: &io::Error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        match self {
            Self::Full { place, file, error } => {
                Self::Full { place: place.clone(), file: file.clone(), error: again(error) }
            }
            Self::Io { place, file, error } => {
                Self::Io { place: place.clone(), file: file.clone(), error: again(error) }
            }
            Self::Damaged(damage) => Self::Damaged(damage.clone()),
            Self::Gone => Self::Gone,
            Self::Closed => Self::Closed,
        }
    }
}
