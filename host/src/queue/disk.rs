//! A queue's entries on disk: a log that what was written survives the process and the machine.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use super::entry::{Entry, Head};

/// The log of one exporter's queue, in a folder of its own. It knows nothing of the order of sending.
#[derive(Debug)]
pub(crate) struct Disk {}

/// Names an entry on disk, for as long as the entry is there. Later entries have greater keys, also after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

/// A log that was opened, and what it held.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) disk: Disk,
    /// What was not removed, oldest first.
    pub(crate) entries: Vec<(Key, Head)>,
    /// What cannot be read.
    pub(crate) damage: Vec<Damage>,
    /// Files that are not podstamp's. They stay as they are.
    pub(crate) foreign: Vec<PathBuf>,
}

/// Bytes of the log that cannot be read. Its text says where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    /// Bytes that were skipped.
    pub(crate) bytes: u64,
    pub(crate) what: String,
}

/// The folder cannot be used. The text says which, why and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{}: {error}", folder.display())]
    Io { folder: PathBuf, error: io::Error },
}

/// An entry cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// There is no room: what was written is there still, and later entries may fit again.
    #[error("{}: {error}", file.display())]
    Full { file: PathBuf, error: io::Error },
    #[error("{}: {error}", file.display())]
    Io { file: PathBuf, error: io::Error },
    /// The entry's bytes are not those that were written. It is removed; its bytes are kept aside.
    #[error("{0}")]
    Damaged(Damage),
    /// The entry was removed.
    #[error("the entry is not there any more")]
    Gone,
    /// The log was closed.
    #[error("the queue on disk is closed")]
    Closed,
}

/// Where and how a queue is kept: `extensions.file_storage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStorage {
    /// The extension's id, for messages.
    pub(crate) id: String,
    pub(crate) directory: String,
    pub(crate) create_directory: bool,
    /// Milliseconds to wait for another process to leave the folder.
    pub(crate) timeout: u32,
    /// Whether entries survive a crash of the machine too.
    pub(crate) fsync: bool,
}

impl Disk {
    /// Opens or makes the folder of one queue below `file_storage.directory`; `exporter` is the exporter's id and its signal,
    /// as in `otlphttp/agent traces`. Blocks.
    pub(crate) fn open(settings: &FileStorage, _exporter: &str) -> Result<Opened, OpenError> {
        Err(OpenError::Io {
            folder: settings.directory.clone().into(),
            error: io::ErrorKind::Unsupported.into(),
        })
    }

    /// Writes an entry. It is durable once this returns. Where the future is dropped, the entry is removed.
    pub(crate) async fn append(&self, _entry: &Entry) -> Result<Key, DiskError> {
        Err(DiskError::Closed)
    }

    /// Reads a body and checks its checksum.
    pub(crate) async fn read(&self, _key: Key) -> Result<Bytes, DiskError> {
        Err(DiskError::Closed)
    }

    /// The entry is delivered or given up. It may come back after a crash.
    pub(crate) fn remove(&self, _key: Key) {}

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        0
    }

    /// Writes what is left of removals, and leaves the folder to others.
    pub(crate) async fn close(&self) {}
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, what } = self;
        write!(formatter, "{}, offset {offset}: {what}: {bytes} bytes are skipped", file.display())
    }
}
