//! A queue's entries on disk: a log of segments that outlasts the process and, synced, the machine.
//!
//! Entries are appended to the last segment by one thread. Each is marked in its segment's head once it is removed, and a segment
//! without entries is deleted. Opening reads the index at the end of each segment; the last one, which has none after a crash, is read
//! whole. What is damaged is skipped, told and kept aside, and costs nothing beside it.

mod aside;
mod damage;
mod fields;
mod folder;
mod format;
mod index;
mod inspect;
mod load;
mod lock;
mod marks;
mod scan;
mod segment;
mod state;
mod writer;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use podstamp_core::config::FileStorage;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::entry::{Entry, Head};
use fields::checksum;
use folder::segment_path;
use format::{Header, RECORD_HEAD, RecordHead};
use load::find;
use lock::Lock;
use scan::Part;
use state::{Location, State};
use writer::{Order, Writer};

pub(crate) use damage::{Damage, DiskError, OpenError};
pub(crate) use inspect::{Inspected, folders, inspect};

/// The log of one exporter's queue, in a folder of its own. It knows nothing of the order of sending.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    orders: Sender<Order>,
}

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

/// What the thread that writes and those that read have in common.
#[derive(Debug)]
struct Shared {
    /// The key of the configuration that names the folder.
    place: String,
    folder: PathBuf,
    fsync: bool,
    /// The most bytes of all files; 0: any number.
    most_bytes: u64,
    /// Bytes from which on a new segment is begun.
    segment_bytes: u64,
    state: Mutex<State>,
    /// The segment that was read last.
    open: Mutex<Option<(u64, Arc<File>)>>,
    /// What was read of it beyond the entry that was wanted: the next one is usually wanted next.
    ahead: Mutex<Option<Ahead>>,
}

/// A range of a segment.
#[derive(Debug)]
struct Ahead {
    segment: u64,
    offset: u64,
    bytes: Bytes,
}

impl Disk {
    /// Opens or makes the folder of one queue below `file_storage.directory`; `exporter` is the exporter's id and its signal,
    /// as in `otlphttp/agent traces`. Blocks.
    pub(crate) fn open(settings: &FileStorage, exporter: &str) -> Result<Opened, OpenError> {
        // Whatever entry is left in a segment, most of what the queue may take is free.
        let bytes = match settings.max_size {
            0 => SEGMENT,
            most => (most / 8).clamp(SMALLEST_SEGMENT, SEGMENT),
        };
        Self::open_with(settings, exporter, bytes)
    }

    fn open_with(settings: &FileStorage, exporter: &str, segment_bytes: u64) -> Result<Opened, OpenError> {
        let FileStorage {
            path,
            directory,
            create_directory,
            directory_permissions,
            timeout,
            fsync,
            max_size,
        } = settings;
        let place = format!("{path}.directory");
        let create = create_directory.then_some(*directory_permissions);
        let folder = folder::make(Path::new(directory), create, exporter)?;
        let lock = Lock::take(&folder, Duration::from_millis((*timeout).into()))?;
        let mut found = find(&folder)?;
        let state = Mutex::new(found.repair(&folder));
        let (fsync, most_bytes, open, ahead) = (*fsync, *max_size, Mutex::new(None), Mutex::new(None));
        let shared = Arc::new(Shared { place, folder, fsync, most_bytes, segment_bytes, state, open, ahead });
        let (orders, receiver) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            orders: receiver,
            active: None,
            sequence: found.last_sequence,
            segment: found.last_segment,
            reclaims_after: Instant::now(),
            _lock: lock,
        };
        let started = thread::Builder::new().name("podstamp-queue".to_owned()).spawn(move || writer.run());
        started.map_err(|error| OpenError::new(&shared.folder, error))?;
        let entries = found.entries.iter().map(|(sequence, (_, record))| (Key(*sequence), record.head));
        let entries = entries.collect();
        Ok(Opened { disk: Self { shared, orders }, entries, damage: found.damage, foreign: found.foreign })
    }

    /// The fault of a directory in which no queue can be kept. Changes nothing, and takes no lock.
    pub(crate) fn check(settings: &FileStorage) -> Result<(), OpenError> {
        folder::check(Path::new(&settings.directory), settings.create_directory)
    }

    /// The queues below `file_storage.directory` that hold entries and are none of `exporters`: nobody sends what is in them.
    pub(crate) fn strangers(settings: &FileStorage, exporters: &[String]) -> Vec<(String, PathBuf)> {
        let queues = folder::queues(Path::new(&settings.directory)).unwrap_or_default().into_iter();
        let strange = queues.filter(|(queue, _)| !exporters.contains(queue));
        strange.filter(|(_, folder)| find(folder).is_ok_and(|found| !found.entries.is_empty())).collect()
    }

    /// Writes an entry. It is durable once this returns. Where the future is dropped, the entry is removed.
    pub(crate) async fn append(&self, entry: &Entry) -> Result<Key, DiskError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Append(entry.clone(), reply)).map_err(|_| DiskError::Closed)?;
        let mut waiting = Waiting { disk: self, answer };
        (&mut waiting.answer).await.unwrap_or(Err(DiskError::Closed))
    }

    /// Reads a body and checks its checksum.
    pub(crate) async fn read(&self, key: Key) -> Result<Bytes, DiskError> {
        if let Some(body) = self.shared.read_ahead(key.0) {
            return Ok(body);
        }
        let shared = Arc::clone(&self.shared);
        let read = spawn_blocking(move || shared.read(key)).await.map_err(|_| DiskError::Closed)?;
        if let Err(DiskError::Damaged(_)) = read {
            self.remove(key);
        }
        Ok(read?.1)
    }

    /// The entry is delivered or given up. It may come back after a crash.
    pub(crate) fn remove(&self, key: Key) {
        if self.shared.state().remove(key.0) {
            // Without the thread, which ends when the log is closed, it comes back.
            self.orders.send(Order::Removed).unwrap_or_default();
        }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.state().bytes()
    }

    /// Writes what is left of removals, and leaves the folder to others.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.orders.send(Order::Close(reply)).is_ok() {
            // It has ended already where there is no answer.
            answer.await.unwrap_or_default();
        }
    }
}

/// Waits for an entry to be written.
struct Waiting<'a> {
    disk: &'a Disk,
    answer: oneshot::Receiver<Result<Key, DiskError>>,
}

impl Drop for Waiting<'_> {
    /// Removes an entry that was written while nobody waited any more.
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(key)) = self.answer.try_recv() {
            self.disk.remove(key);
        }
    }
}

impl Shared {
    /// Lets go of a file that was deleted, whose room is given back then.
    fn forget_file(&self, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.take_if(|(known, _)| *known == number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body that was read along with another. One that is damaged is read again, for whoever says so.
    fn read_ahead(&self, sequence: u64) -> Option<Bytes> {
        let (location, header) = self.state().locate(sequence)?;
        let record = {
            let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            let known = ahead.as_ref().filter(|ahead| ahead.segment == location.segment)?;
            let begin = usize::try_from(location.offset.checked_sub(known.offset)?).ok()?;
            let end = begin.checked_add(RECORD_HEAD + location.length as usize)?;
            // A copy, so that a small body does not keep all that was read with it.
            Bytes::copy_from_slice(known.bytes.get(begin..end)?)
        };
        parse(header, sequence, record).map(|(_, body)| body)
    }

    /// An entry; the bytes of one that is damaged are kept aside.
    fn read(&self, key: Key) -> Result<(Head, Bytes), DiskError> {
        self.read_record(key.0).map_err(|error| match error {
            DiskError::Damaged(damage) => {
                let kept = aside::keep(&self.folder, &damage.file, damage.offset, damage.bytes);
                DiskError::Damaged(Damage { kept, ..damage })
            }
            other => other,
        })
    }

    fn read_record(&self, sequence: u64) -> Result<(Head, Bytes), DiskError> {
        loop {
            let (location, header) = self.state().locate(sequence).ok_or(DiskError::Gone)?;
            let path = segment_path(&self.folder, location.segment);
            let read =
                self.segment(location.segment, &path).and_then(|file| self.read_chunk(&file, location));
            let fault = match read {
                Ok(record) => match parse(header, sequence, record) {
                    Some(entry) => return Ok(entry),
                    None => None,
                },
                Err(error) => Some(error),
            };
            // It may have been removed meanwhile, or copied to another segment.
            if self.state().locate(sequence).is_none_or(|(now, _)| now != location) {
                continue;
            }
            return Err(match fault {
                Some(error) if !is_damage(&error) => DiskError::new(&self.place, &path, error),
                _ => DiskError::Damaged(location.damage(&path)),
            });
        }
    }

    /// A record, and what follows it if it is small.
    fn read_chunk(&self, file: &File, location: Location) -> io::Result<Bytes> {
        let length = RECORD_HEAD + location.length as usize;
        if length > AHEAD / 4 {
            return read_record(file, location);
        }
        let mut chunk = vec![0; AHEAD];
        let read = file.read_at(&mut chunk, location.offset)?;
        if read < length {
            return read_record(file, location);
        }
        chunk.truncate(read);
        let chunk = Bytes::from(chunk);
        let record = Bytes::copy_from_slice(chunk.get(..length).unwrap_or_default());
        let ahead = Ahead { segment: location.segment, offset: location.offset, bytes: chunk };
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        Ok(record)
    }

    /// The file of a segment: the one that was read last stays open.
    fn segment(&self, number: u64, path: &Path) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            Some((known, file)) if *known == number => Ok(Arc::clone(file)),
            _ => {
                let file = Arc::new(File::open(path)?);
                *open = Some((number, Arc::clone(&file)));
                Ok(file)
            }
        }
    }
}

impl Key {
    /// The number that an entry keeps for ever.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl Location {
    /// The record is not what was written.
    fn damage(&self, path: &Path) -> Damage {
        let bytes = RECORD_HEAD as u64 + u64::from(self.length);
        Damage { file: path.to_owned(), offset: self.offset, bytes, part: Part::Records, kept: None }
    }
}

fn read_record(file: &File, location: Location) -> io::Result<Bytes> {
    let mut record = vec![0; RECORD_HEAD + location.length as usize];
    file.read_exact_at(&mut record, location.offset)?;
    Ok(record.into())
}

/// The head and the body of a record; `None` where they are not those of the entry.
fn parse(header: Header, sequence: u64, record: Bytes) -> Option<(Head, Bytes)> {
    let head = RecordHead::decode(header.key, &record)?;
    let body = record.slice(RECORD_HEAD..);
    let is_sound = head.sequence == sequence
        && head.head.length as usize == body.len()
        && checksum(header.key, &body) == head.body;
    is_sound.then_some((head.head, body))
}

/// Whether an entry is lost, rather than only out of reach: the file ends ahead of it, is gone, or the device cannot read it.
fn is_damage(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    let is_gone = matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound);
    is_gone || error.raw_os_error() == Some(EIO)
}

/// Bytes to read at a time where entries are small.
const AHEAD: usize = 256 << 10;

/// Bytes from which on a new segment is begun. A segment is deleted as a whole, and is read as a whole after a crash.
const SEGMENT: u64 = 64 << 20;

/// The same for a queue that may take little.
const SMALLEST_SEGMENT: u64 = 1 << 20;

#[cfg(test)]
mod tests;
