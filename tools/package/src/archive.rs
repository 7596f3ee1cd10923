//! Archives without times, owners and paths of the machine, so that the same files give the same bytes.

use std::collections::BTreeSet;
use std::io;

use tar::{Builder, EntryType, Header};

/// A file of an image or of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// From the root, without a slash at its start.
    pub path: String,
    /// The bits of its permissions.
    pub mode: u32,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl File {
    /// A file that everybody may read.
    pub(crate) fn readable(path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), mode: READABLE, bytes: bytes.into() }
    }

    /// A file that everybody may run.
    pub(crate) fn executable(path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), mode: EXECUTABLE, bytes: bytes.into() }
    }

    /// The folders on the way to it, the outermost first, each with a slash at its end.
    fn folders(&self) -> impl Iterator<Item = &str> {
        self.path.match_indices('/').filter_map(|(at, _)| self.path.get(..=at))
    }
}

/// A tar archive of files, in the order of their paths.
pub(crate) fn tar(files: &[File]) -> io::Result<Vec<u8>> {
    write(files, &BTreeSet::new())
}

/// The same for a layer of an image: ahead of the files come their folders, which everybody may enter. What unpacks it would
/// make them with the time of the day else.
pub(crate) fn layer(files: &[File]) -> io::Result<Vec<u8>> {
    write(files, &files.iter().flat_map(File::folders).collect())
}

fn write(files: &[File], folders: &BTreeSet<&str>) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for folder in folders {
        builder.append_data(&mut header(EntryType::Directory, EXECUTABLE, 0), folder, io::empty())?;
    }
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    for file in files {
        let mut header = header(EntryType::Regular, file.mode, file.bytes.len() as u64);
        builder.append_data(&mut header, &file.path, file.bytes.as_slice())?;
    }
    builder.into_inner()
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

const READABLE: u32 = 0o644;

const EXECUTABLE: u32 = 0o755;
