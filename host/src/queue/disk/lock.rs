//! One process at a time has a queue's folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::damage::OpenError;
use super::folder::LOCK;

/// The right to write to a folder, for as long as this lives. The system takes it back when the process ends, however it does.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "what is held is held by being there")] File);

impl Lock {
    /// Waits for at most `patience` where another process has the folder.
    pub(super) fn take(folder: &Path, patience: Duration) -> Result<Self, OpenError> {
        let path = folder.join(LOCK);
        let fault = |error| OpenError::new(&path, error);
        let options =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).clone();
        let mut file = options.open(&path).map_err(fault)?;
        let until = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::InUse { folder: folder.to_owned(), holder: holder(&mut file) });
                }
                Err(TryLockError::Error(error)) => return Err(fault(error)),
            }
        }
        // Only for people: on a full disk the lock holds without it.
        let written = file.set_len(0).and_then(|()| file.write_all(own_name().as_bytes()));
        written.unwrap_or_default();
        Ok(Self(file))
    }

    /// Whether a process has the folder, and which.
    pub(super) fn held_by(folder: &Path) -> Option<String> {
        let mut file = File::open(folder.join(LOCK)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

/// The name that the process which holds the lock has left in the file.
fn holder(file: &mut File) -> String {
    let mut name = String::new();
    match file.take(MOST_NAME).read_to_string(&mut name) {
        Ok(_) if !name.is_empty() => name,
        _ => "another process".to_owned(),
    }
}

/// A process's number counts in its own container alone, whose name says which that is.
fn own_name() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let id = std::process::id();
    match host.trim() {
        "" => format!("process {id}"),
        host => format!("process {id} on {host}"),
    }
}

/// How long until the next attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// Bytes of a name that are read.
const MOST_NAME: u64 = 256;
