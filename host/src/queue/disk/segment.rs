//! The segment that is written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::folder::{segment_path, sync};
use super::format::{Header, RECORDS};
use super::index::Index;
use super::marks::{MOST_RECORDS, Marks};

/// A segment that takes further records.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) header: Header,
    file: File,
    /// Where the next record goes.
    pub(super) at: u64,
    /// Records that were written.
    pub(super) count: u32,
    index: Index,
}

/// What became of records that were to be written.
#[derive(Debug)]
pub(super) struct Written {
    /// How many of them are whole, and durable.
    pub(super) whole: usize,
    /// Why the others are not.
    pub(super) error: Option<io::Error>,
    /// Whether the segment must not be written to any more.
    pub(super) is_spoiled: bool,
}

impl Active {
    /// Makes the file of a new segment.
    pub(super) fn create(folder: &Path, number: u64, fsync: bool) -> io::Result<(Self, Marks)> {
        let path = segment_path(folder, number);
        let mut file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path)?;
        let header = Header { key: random() };
        let mut marks = Marks::default();
        let mut written = file.write_all(&marks.first(header));
        if fsync {
            written = written.and_then(|()| sync(folder));
        }
        if let Err(error) = written {
            // On a full disk the name alone is of no use.
            fs::remove_file(&path).unwrap_or_default();
            return Err(error);
        }
        Ok((Self { number, path, header, file, at: RECORDS, count: 0, index: Index::default() }, marks))
    }

    /// Whether a further record still belongs into this segment, after as many others, with which it has `bytes`.
    pub(super) fn has_room(&self, others: u32, bytes: u64, most: u64) -> bool {
        let count = self.count + others;
        count == 0 || (count < MOST_RECORDS && self.at + bytes <= most)
    }

    /// Bytes of the index with one more record.
    pub(super) fn index_bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// Appends records, each of a head and a body.
    pub(super) fn write(&mut self, records: &[(Vec<u8>, Bytes)], fsync: bool) -> Written {
        let slices = records.iter().flat_map(|(head, body)| [IoSlice::new(head), IoSlice::new(body)]);
        let (written, mut error) = write_all(&mut self.file, &mut slices.collect::<Vec<_>>());
        let (mut whole, mut end) = (0, self.at);
        for (head, body) in records {
            let next = end + (head.len() + body.len()) as u64;
            if next - self.at > written {
                break;
            }
            (whole, end) = (whole + 1, next);
        }
        let mut is_spoiled = error.is_some() && self.cut(end).is_err();
        if whole > 0
            && fsync
            && let Err(fault) = self.file.sync_data()
        {
            // What the system holds of the file may be gone after this: it is never written to again.
            self.cut(self.at).unwrap_or_default();
            (whole, error, is_spoiled) = (0, Some(fault), true);
        }
        for (head, body) in records.iter().take(whole) {
            self.index.push(head, self.at);
            self.at += (head.len() + body.len()) as u64;
            self.count += 1;
        }
        Written { whole, error, is_spoiled }
    }

    /// Writes the index after the last record; gives the size of the file. Without room for an index the segment goes without.
    pub(super) fn finish(mut self) -> u64 {
        let index = self.index.finish(self.header.key, self.at);
        match self.file.write_all(&index) {
            Ok(()) => self.at + index.len() as u64,
            Err(_) => {
                // Opening cuts what is left of it.
                self.file.set_len(self.at).unwrap_or_default();
                self.at
            }
        }
    }

    /// Takes back what was written from `end` on.
    fn cut(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }
}

/// How many bytes were written, and why not all of them.
fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> (u64, Option<io::Error>) {
    let mut written = 0;
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(more) => {
                written += more as u64;
                IoSlice::advance_slices(&mut slices, more);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// A number that nobody else knows: the standard library takes the keys of its hashes from the system.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
