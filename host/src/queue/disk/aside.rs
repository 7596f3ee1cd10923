//! Keeps what is damaged, for people to look at, rather than deleting it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::folder::ASIDE;

/// Copies a range of a segment to the folder for what is damaged; says where it is then. `None` where there is no room for it.
pub(super) fn keep(folder: &Path, segment: &Path, offset: u64, bytes: u64) -> Option<PathBuf> {
    let name = format!("{}-{offset}", segment.file_name()?.to_str()?);
    let to = place(folder, &name, bytes)?;
    match copy(segment, offset, bytes, &to) {
        Ok(()) => Some(to),
        Err(error) => {
            tracing::warn!(%error, file = %to.display(), "damaged bytes of a queue are not kept");
            fs::remove_file(&to).unwrap_or_default();
            None
        }
    }
}

/// Moves a whole segment there.
pub(super) fn keep_all(folder: &Path, segment: &Path) -> Option<PathBuf> {
    // What is moved takes no more room than it did.
    let to = place(folder, segment.file_name()?.to_str()?, 0)?;
    fs::rename(segment, &to).ok().map(|()| to)
}

/// A name that is free, if there is room for as many bytes.
fn place(folder: &Path, name: &str, bytes: u64) -> Option<PathBuf> {
    let aside = folder.join(ASIDE);
    DirBuilder::new().recursive(true).mode(0o700).create(&aside).ok()?;
    let lengths = fs::read_dir(&aside).ok()?.flatten().filter_map(|entry| entry.metadata().ok());
    let kept: u64 = lengths.map(|metadata| metadata.len()).sum();
    if kept.saturating_add(bytes) > MOST_KEPT {
        return None;
    }
    let numbered = (1..1000).map(|number| format!("{name}.{number}"));
    std::iter::once(name.to_owned()).chain(numbered).map(|name| aside.join(name)).find(|path| !path.exists())
}

fn copy(segment: &Path, mut offset: u64, mut bytes: u64, to: &Path) -> io::Result<()> {
    let from = File::open(segment)?;
    let to = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to)?;
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    while bytes > 0 {
        let length = bytes.min(buffer.len() as u64) as usize;
        let room = buffer.get_mut(..length).unwrap_or_default();
        let read = from.read_at(room, offset)?;
        if read == 0 {
            break;
        }
        to.write_all_at(room.get(..read).unwrap_or_default(), at)?;
        (offset, at, bytes) = (offset + read as u64, at + read as u64, bytes - read as u64);
    }
    Ok(())
}

/// Bytes that are kept: enough for somebody to find out what happened, and no more than a segment.
const MOST_KEPT: u64 = 64 << 20;
