//! What tells versions of a file apart.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// A version of a file. Kubernetes updates a mounted ConfigMap by swapping a symbolic link, so links are
/// followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileVersion {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl FileVersion {
    /// The version that is there now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self { modified: metadata.modified()?, bytes: metadata.len(), inode: inode(&metadata) })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
