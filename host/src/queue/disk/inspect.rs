//! Looks into a queue's folder without taking it from whoever has it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::damage::{Damage, DiskError, OpenError};
use super::folder::{LOCK, list, queue_name, queues, segment_path};
use super::format::Header;
use super::load::find;
use super::lock::Lock;
use super::scan::Part;
use super::state::Location;
use super::{Key, parse, read_record};
use crate::queue::entry::Head;

/// What a folder holds at a moment.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// The entries that are not removed, oldest first.
    pub(crate) entries: Vec<Inspected>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) foreign: Vec<PathBuf>,
    /// Bytes of all segments.
    pub(crate) bytes: u64,
    /// The process that has the folder.
    pub(crate) holder: Option<String>,
}

/// An entry in a folder that was looked into.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) key: Key,
    pub(crate) head: Head,
    location: Location,
    header: Header,
}

/// Reads what a folder holds, and changes nothing.
pub(crate) fn inspect(folder: &Path) -> Result<Inspection, OpenError> {
    let holder = Lock::held_by(folder);
    let mut found = find(folder)?;
    if holder.is_some() {
        // These may be what is being written at this moment.
        found.damage.retain(|damage| damage.is_loss() || damage.part == Part::Header);
    }
    let bytes = found.segments.iter().map(|(_, scanned)| scanned.size).sum();
    let header = |number: u64| {
        let of = found.segments.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(found.segments.get(of)?.1.header)
    };
    let entries = found.entries.iter().filter_map(|(sequence, (location, record))| {
        let header = header(location.segment)?;
        Some(Inspected { key: Key(*sequence), head: record.head, location: *location, header })
    });
    Ok(Inspection { entries: entries.collect(), damage: found.damage, foreign: found.foreign, bytes, holder })
}

impl Inspected {
    /// What is said where the record is not what was written.
    pub(crate) fn damage(&self, folder: &Path) -> Damage {
        self.location.damage(&segment_path(folder, self.location.segment))
    }

    /// Reads the body and checks its checksum.
    pub(crate) fn read(&self, folder: &Path) -> Result<Bytes, DiskError> {
        let Self { key, location, header, .. } = self;
        let path = segment_path(folder, location.segment);
        let record = File::open(&path).and_then(|file| read_record(&file, *location));
        match record {
            Ok(record) => parse(*header, key.0, record)
                .map(|(_, body)| body)
                .ok_or_else(|| DiskError::Damaged(location.damage(&path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(DiskError::Gone),
            Err(error) => Err(DiskError::new(&folder.display().to_string(), &path, error)),
        }
    }
}

/// The queues that `directory` holds, with the names of exporter and signal; or the one whose folder it is.
pub(crate) fn folders(directory: &Path) -> Result<Vec<(String, PathBuf)>, OpenError> {
    let fault = |error| OpenError::new(directory, error);
    let own = fs::canonicalize(directory).map_err(fault)?;
    let name = own.file_name().and_then(|name| name.to_str()).and_then(queue_name);
    if let Some(name) = name
        && own.join(LOCK).is_file()
        && list(&own).is_ok()
    {
        return Ok(vec![(name, directory.to_owned())]);
    }
    queues(directory).map_err(fault)
}
