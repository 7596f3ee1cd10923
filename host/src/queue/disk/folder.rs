//! The folder of one queue, and the names of what is in it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::damage::OpenError;
use super::fields::checksum;

/// The files of a folder, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The numbers of the segments, oldest first.
    pub(super) segments: Vec<u64>,
    /// Files that are not podstamp's.
    pub(super) foreign: Vec<PathBuf>,
}

/// The folder's name for a queue: letters, digits, `.`, `_` and `-` as they are, all else as `%` and two hexadecimal digits, so that
/// no two queues have the same one.
pub(super) fn folder_name(queue: &str) -> String {
    let mut name = String::with_capacity(queue.len());
    for byte in queue.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > LONGEST_NAME {
        let sum = checksum(0, queue.as_bytes());
        name.truncate(LONGEST_NAME);
        name.push_str(&format!("%%{sum:016x}"));
    }
    name
}

/// The queue that a folder's name stands for; `None` where it is no name of [`folder_name`].
pub(super) fn queue_name(folder: &str) -> Option<String> {
    let (name, is_cut) = match folder.split_once("%%") {
        Some((name, _)) => (name, true),
        None => (folder, false),
    };
    let mut bytes = Vec::new();
    let mut parts = name.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let queue = String::from_utf8_lossy(&bytes).into_owned();
    (is_cut || folder_name(&queue) == folder).then_some(queue)
}

/// Makes `directory` with these permissions where that is wanted, and the queue's folder in it.
pub(super) fn make(directory: &Path, create: Option<u32>, queue: &str) -> Result<PathBuf, OpenError> {
    let folder = directory.join(folder_name(queue));
    if let Some(permissions) = create {
        let made = DirBuilder::new().recursive(true).mode(permissions).create(directory);
        made.map_err(|error| OpenError::new(directory, error))?;
    }
    let found = fs::metadata(directory).map_err(|error| OpenError::new(directory, error))?;
    if !found.is_dir() {
        return Err(OpenError::NoFolder(directory.to_owned()));
    }
    match DirBuilder::new().mode(create.unwrap_or(PERMISSIONS)).create(&folder) {
        Ok(()) => sync(directory).map_err(|error| OpenError::new(directory, error))?,
        Err(_) if folder.is_dir() => {}
        Err(error) if folder.exists() => return Err(OpenError::new(&folder, error)),
        Err(error) => return Err(OpenError::new(directory, error)),
    }
    Ok(folder)
}

/// Whether queues can be kept below `directory`, as far as that can be said without writing anything.
pub(super) fn check(directory: &Path, creates: bool) -> Result<(), OpenError> {
    let fault = |error| OpenError::new(directory, error);
    let existing = match fs::metadata(directory) {
        Ok(found) if !found.is_dir() => return Err(OpenError::NoFolder(directory.to_owned())),
        Ok(_) => Some(directory),
        Err(error) if creates && error.kind() == io::ErrorKind::NotFound => {
            directory.ancestors().skip(1).find(|ancestor| ancestor.exists())
        }
        Err(error) => return Err(fault(error)),
    };
    let Some(existing) = existing.filter(|existing| !existing.as_os_str().is_empty()) else {
        return Ok(());
    };
    if !existing.is_dir() {
        return Err(OpenError::NoFolder(existing.to_owned()));
    }
    rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| fault(error.into()))
}

/// The queues that have a folder below `directory`, in the order of their names, with these.
pub(super) fn queues(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut queues = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(queue_name);
        if let Some(name) = name
            && path.join(LOCK).is_file()
        {
            queues.push((name, path));
        }
    }
    queues.sort_unstable();
    Ok(queues)
}

/// What there is in a queue's folder.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let segment = name.to_str().and_then(segment_number);
        match segment {
            Some(number) if entry.file_type()?.is_file() => listing.segments.push(number),
            _ if name == LOCK || name == ASIDE => {}
            _ => listing.foreign.push(entry.path()),
        }
    }
    listing.segments.sort_unstable();
    listing.foreign.sort_unstable();
    Ok(listing)
}

/// The file of a segment.
pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}{SUFFIX}"))
}

fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != 16 || !digits.bytes().all(is_hexadecimal) {
        return None;
    }
    // The greatest number has none after it.
    u64::from_str_radix(digits, 16).ok().filter(|number| *number < u64::MAX)
}

/// Makes names in a folder outlast the machine.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The file that the process which has the folder holds locked.
pub(super) const LOCK: &str = "lock";

/// The folder for bytes that are damaged.
pub(super) const ASIDE: &str = "damaged";

const SUFFIX: &str = ".segment";

/// Permissions of a folder where the configuration has none: as file_storage's.
const PERMISSIONS: u32 = 0o750;

/// Bytes of a name: file systems take 255, and some names are in a path of 4,096.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_have_folders_of_their_own_whose_names_can_be_read_back() {
        for (queue, folder) in [
            ("otlphttp traces", "otlphttp%20traces"),
            ("otlphttp/agent.2 traces", "otlphttp%2fagent.2%20traces"),
            ("../x logs", "%2e.%2fx%20logs"),
            ("é%20 logs", "%c3%a9%2520%20logs"),
        ] {
            assert_eq!(folder_name(queue), folder);
            assert_eq!(queue_name(folder).as_deref(), Some(queue));
        }
        let long = [folder_name(&"a".repeat(300)), folder_name(&"a".repeat(301))];
        assert!(long.iter().all(|name| name.len() < 255 && queue_name(name).is_some()) && long[0] != long[1]);
        for foreign in ["lost+found", "a b", "%zz", "%2", "exporter_otlphttp_\u{e9}", "%41"] {
            assert_eq!(queue_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn only_whole_names_are_segments() {
        let folder = Path::new("/q");
        let name = segment_path(folder, 0xab).file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(segment_number(&name), Some(0xab));
        for foreign in
            ["1.segment", "00000000000000AB.segment", "00000000000000ab.segment~", "ffffffffffffffff.segment"]
        {
            assert_eq!(segment_number(foreign), None, "{foreign}");
        }
    }
}
