//! The disk of the queue: how it gets full, and how it goes bad.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// Takes all that is left of a disk.
pub(crate) fn fill(folder: &Path) {
    let mut ballast = File::create(folder.join(BALLAST)).unwrap();
    for piece in [1 << 20, 4096, 1] {
        while ballast.write_all(&vec![0; piece]).is_ok() {}
    }
}

/// Gives it back.
pub(crate) fn empty(folder: &Path) {
    drop(fs::remove_file(folder.join(BALLAST)));
}

/// Flips a bit somewhere in the files below a folder, and says where; `None` if there is nothing in them.
pub(crate) fn flip(folder: &Path, rng: &mut Rng) -> Option<String> {
    let mut files = files(folder);
    files.sort();
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    if total == 0 {
        return None;
    }
    let mut at = rng.u64(0..total);
    for (path, length) in files {
        if at >= length {
            at -= length;
            continue;
        }
        let mut file = File::options().read(true).write(true).open(&path).ok()?;
        let mut byte = [0];
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut byte).ok()?;
        byte[0] ^= 1 << rng.u8(0..8);
        file.seek(SeekFrom::Start(at)).ok()?;
        file.write_all(&byte).ok()?;
        return Some(format!("{} at {at} of {length}", path.display()));
    }
    None
}

fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.metadata() else { continue };
        if entry.file_name() == ASIDE {
            continue;
        }
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.file_name() != BALLAST {
            found.push((entry.path(), kind.len()));
        }
    }
    found
}

/// Where podstamp keeps what it found damaged: nobody reads it but people.
const ASIDE: &str = "damaged";

const BALLAST: &str = "ballast";
