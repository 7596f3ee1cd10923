//! Queues on disk, for people: what they hold can be read while podstamp runs, and dropped while it does not.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::GzDecoder;
use podstamp_core::config::FileStorage;
use podstamp_core::interface::Signal;

use super::disk::{Damage, Disk, DiskError, Inspected, OpenError, folders, inspect};
use super::entry::Coding;

/// The folder of one exporter's queue for one signal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredQueue {
    /// The exporter's id in the configuration, for example `otlphttp/agent`.
    pub exporter: String,
    /// The signal's name, for example `traces`.
    pub signal: String,
    /// Where it is.
    pub folder: PathBuf,
}

/// What a queue holds at a moment.
#[derive(Debug)]
pub struct Contents {
    folder: PathBuf,
    /// The requests, oldest first.
    pub requests: Vec<StoredRequest>,
    /// What of the files is damaged, as far as that shows without reading the requests.
    pub damage: Vec<StoredDamage>,
    /// Files that are not podstamp's.
    pub foreign: Vec<PathBuf>,
    /// Bytes of the files.
    pub bytes: u64,
    /// The process that has the queue open, if any: it adds and delivers meanwhile.
    pub holder: Option<String>,
}

/// A request that waits to be sent.
#[derive(Debug)]
pub struct StoredRequest(Inspected);

/// A range of a file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDamage {
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// How long.
    pub bytes: u64,
    /// Whether requests may be lost that were acknowledged.
    pub is_loss: bool,
    /// Where, what, and what became of it.
    pub text: String,
}

/// A queue cannot be looked into, or dropped from. The text says where, why and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoredError(#[from] OpenError);

/// A request of a queue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It was delivered meanwhile.
    #[error("it was delivered meanwhile")]
    Gone,
    /// Its bytes are not those that were written, or cannot be read.
    #[error("{text}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// How long.
        bytes: u64,
        /// Where, and what is wrong.
        text: String,
    },
}

impl StoredError {
    /// Whether another process has the queue.
    pub fn is_in_use(&self) -> bool {
        matches!(self.0, OpenError::InUse { .. })
    }
}

impl StoredQueue {
    /// The queues below a `file_storage`'s directory, by name; or the one whose folder `directory` is.
    pub fn all(directory: &Path) -> Result<Vec<Self>, StoredError> {
        let folders = folders(directory)?.into_iter();
        let queue = |(name, folder): (String, PathBuf)| {
            let (exporter, signal) = name.rsplit_once(' ').unwrap_or((&name, ""));
            Self { exporter: exporter.to_owned(), signal: signal.to_owned(), folder }
        };
        Ok(folders.map(queue).collect())
    }

    /// Reads what the queue holds, and changes nothing. Blocks.
    pub fn read(&self) -> Result<Contents, StoredError> {
        let found = inspect(&self.folder)?;
        let damage = found.damage.iter().map(|damage| StoredDamage {
            file: damage.file.clone(),
            offset: damage.offset,
            bytes: damage.bytes,
            is_loss: damage.is_loss(),
            text: damage.to_string(),
        });
        Ok(Contents {
            folder: self.folder.clone(),
            damage: damage.collect(),
            requests: found.entries.into_iter().map(StoredRequest).collect(),
            foreign: found.foreign,
            bytes: found.bytes,
            holder: found.holder,
        })
    }

    /// Drops the requests that `is_unwanted` says; gives their number. No other process may have the queue.
    pub async fn drop_requests(
        &self,
        is_unwanted: impl Fn(Signal, u64) -> bool,
    ) -> Result<usize, StoredError> {
        let directory = self.folder.parent().unwrap_or(Path::new("."));
        let storage = FileStorage { directory: directory.display().to_string(), ..FileStorage::default() };
        let name = format!("{} {}", self.exporter, self.signal);
        let opened = Disk::open(&storage, &name)?;
        let unwanted = opened.entries.iter().filter(|(_, head)| is_unwanted(head.signal, head.queued));
        let mut dropped = 0;
        for (key, _) in unwanted {
            opened.disk.remove(*key);
            dropped += 1;
        }
        opened.disk.close().await;
        Ok(dropped)
    }
}

impl Contents {
    /// The body of a request as an OTLP message, without compression.
    pub fn message(&self, request: &StoredRequest) -> Result<Bytes, Unreadable> {
        let damaged = |text| {
            let Damage { file, offset, bytes, .. } = request.0.damage(&self.folder);
            Unreadable::Damaged { file, offset, bytes, text }
        };
        let body = request.0.read(&self.folder).map_err(|error| match error {
            DiskError::Gone => Unreadable::Gone,
            other => damaged(other.to_string()),
        })?;
        match request.0.head.coding {
            Coding::Identity => Ok(body),
            Coding::Gzip | Coding::Blocks => inflate(&body)
                .map_err(|error| damaged(format!("request {}: its gzip member: {error}", request.number()))),
        }
    }
}

impl StoredRequest {
    /// Names the request for as long as it is queued. Later ones have greater numbers.
    pub fn number(&self) -> u64 {
        self.0.key.number()
    }

    /// What the request carries.
    pub fn signal(&self) -> Signal {
        self.0.head.signal
    }

    /// Milliseconds since 1970 when it was queued.
    pub fn queued(&self) -> u64 {
        self.0.head.queued
    }

    /// Spans, data points or log records.
    pub fn items(&self) -> u32 {
        self.0.head.spans
    }

    /// Bytes of the body as it is sent.
    pub fn bytes(&self) -> u32 {
        self.0.head.length
    }
}

fn inflate(member: &[u8]) -> io::Result<Bytes> {
    let mut plain = Vec::new();
    GzDecoder::new(member).take(MOST_BYTES).read_to_end(&mut plain)?;
    Ok(plain.into())
}

/// Bytes of a request: more than podstamp takes of any.
const MOST_BYTES: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;
    use crate::queue::entry::{Entry, Head};

    fn storage(directory: &Path) -> FileStorage {
        FileStorage { directory: directory.display().to_string(), timeout: 30_000, ..FileStorage::default() }
    }

    fn entry(queued: u64, coding: Coding, message: &[u8]) -> Entry {
        let body: Bytes = match coding {
            Coding::Identity => message.to_vec().into(),
            Coding::Gzip | Coding::Blocks => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(message).unwrap();
                encoder.finish().unwrap().into()
            }
        };
        let (signal, length) = (Signal::Traces, body.len() as u32);
        Entry { head: Head { signal, queued, spans: 3, memory: 0, coding, length }, body }
    }

    #[tokio::test]
    async fn a_queue_is_read_while_it_is_open_and_dropped_from_while_it_is_not() {
        let directory = TempDir::new().unwrap();
        let disk = Disk::open(&storage(directory.path()), "otlphttp/a b traces").unwrap().disk;
        for (queued, coding) in [(1, Coding::Identity), (2, Coding::Gzip), (3, Coding::Blocks)] {
            disk.append(&entry(queued, coding, b"spans")).await.unwrap();
        }
        let [queue] = StoredQueue::all(directory.path()).unwrap().try_into().unwrap();
        assert_eq!((queue.exporter.as_str(), queue.signal.as_str()), ("otlphttp/a b", "traces"));
        assert_eq!(StoredQueue::all(&queue.folder).unwrap(), std::slice::from_ref(&queue));
        let contents = queue.read().unwrap();
        assert!(contents.holder.as_ref().unwrap().contains(&std::process::id().to_string()));
        assert!(contents.damage.is_empty() && contents.bytes > 0);
        let messages: Vec<_> =
            contents.requests.iter().map(|request| contents.message(request).unwrap()).collect();
        assert_eq!(messages, [&b"spans"[..]; 3]);
        let error = queue.drop_requests(|_, _| true).await.unwrap_err();
        assert!(error.is_in_use(), "{error}");

        disk.close().await;
        assert_eq!(queue.drop_requests(|_, queued| queued < 3).await.unwrap(), 2);
        let contents = queue.read().unwrap();
        let left: Vec<_> = contents.requests.iter().map(StoredRequest::queued).collect();
        assert_eq!((left, contents.holder.as_ref()), (vec![3], None));

        // What was delivered after the queue was read is not an error to make much of.
        let file = folder_of(&queue).into_iter().next().unwrap();
        fs::remove_file(&file).unwrap();
        assert!(matches!(contents.message(&contents.requests[0]), Err(Unreadable::Gone)));
    }

    #[tokio::test]
    async fn a_request_that_is_damaged_is_told_with_its_place() {
        let directory = TempDir::new().unwrap();
        let disk = Disk::open(&storage(directory.path()), "otlphttp logs").unwrap().disk;
        disk.append(&entry(1, Coding::Identity, &[7; 500])).await.unwrap();
        // A body that is no gzip member is sound as far as its checksum goes.
        let odd = Entry {
            head: Head { coding: Coding::Gzip, length: 4, ..entry(2, Coding::Gzip, b"").head },
            body: Bytes::from_static(b"oops"),
        };
        disk.append(&odd).await.unwrap();
        disk.close().await;
        let [queue] = StoredQueue::all(directory.path()).unwrap().try_into().unwrap();
        let file = folder_of(&queue).remove(0);
        let mut bytes = fs::read(&file).unwrap();
        bytes[12_288 + 100] ^= 1;
        fs::write(&file, bytes).unwrap();
        let contents = queue.read().unwrap();
        let faults: Vec<_> =
            contents.requests.iter().map(|request| contents.message(request).unwrap_err()).collect();
        let [
            Unreadable::Damaged { file: named, offset: 12_288, bytes: 556, text },
            Unreadable::Damaged { text: other, .. },
        ] = &faults[..]
        else {
            panic!("{faults:?}")
        };
        assert_eq!(named, &file);
        assert!(
            text.contains("entries are damaged") && other.starts_with("request 2: its gzip member: "),
            "{text} {other}"
        );
    }

    fn folder_of(queue: &StoredQueue) -> Vec<PathBuf> {
        let entries = fs::read_dir(&queue.folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect()
    }
}
