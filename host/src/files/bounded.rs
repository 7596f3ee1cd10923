//! Files that podstamp reads: only regular ones, each up to a limit.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file; links are followed. Anything else of that name is an error: opening a pipe would wait for its
/// other end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    // Otherwise opening a pipe would wait for a writer.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default(),
    );
    let file = options.open(path)?;
    // The kind of what was opened: another file may have taken the name meanwhile.
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let message = format!("it is {}, and only regular files are read: give the name of one", name(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Reads a regular file; `None` if it has more than `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    read_up_to(open_regular(path)?, limit)
}

/// Reads `input` to its end; `None` if that is more than `limit` bytes.
pub(crate) fn read_up_to(input: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() { "a directory" } else { "something else" }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn links_to_regular_files_are_read_up_to_their_limit() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "12345").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_file(&link, 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert_eq!(read_file(&link, 4).unwrap(), None);
        assert_eq!(read_up_to(io::repeat(0), 1 << 20).unwrap(), None);
    }

    /// A test that waits here for ever has failed.
    #[test]
    fn what_is_no_regular_file_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for (path, kind) in
            [(&*pipe, "a pipe"), (Path::new("/dev/zero"), "a device"), (dir.path(), "a directory")]
        {
            let told = read_file(path, 1 << 20).unwrap_err().to_string();
            assert_eq!(told, format!("it is {kind}, and only regular files are read: give the name of one"));
        }
    }
}
