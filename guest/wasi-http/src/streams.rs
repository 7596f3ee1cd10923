//! Bodies: reading and writing them within a time.

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{self, Pollable};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// The time by which something has to be done.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(u64);

/// Why a body was not read whole.
pub(crate) enum Unread {
    Late,
    Broken,
}

impl Deadline {
    /// So many milliseconds from now.
    pub(crate) fn within(milliseconds: u32) -> Self {
        Self(monotonic_clock::now().saturating_add(u64::from(milliseconds) * 1_000_000))
    }

    /// Waits for `ready`; false where the time is over first.
    pub(crate) fn wait(self, ready: &Pollable) -> bool {
        let timer = monotonic_clock::subscribe_instant(self.0);
        poll::poll(&[ready, &timer]).contains(&0)
    }

    fn is_over(self) -> bool {
        monotonic_clock::now() >= self.0
    }
}

/// Reads a body. Of one over `limit` bytes, some more than that come back.
pub(crate) fn read(stream: &InputStream, limit: usize, deadline: Deadline) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while body.len() <= limit {
        if !deadline.wait(&stream.subscribe()) {
            return Err(Unread::Late);
        }
        match stream.read(CHUNK) {
            // Not every host waits until there is something.
            Ok(chunk) if chunk.is_empty() && deadline.is_over() => return Err(Unread::Late),
            Ok(chunk) if body.is_empty() => body = chunk,
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Unread::Broken),
        }
    }
    Ok(body)
}

/// Writes a body; false where that cannot be done in time, or at all.
pub(crate) fn write(stream: &OutputStream, mut bytes: &[u8], deadline: Deadline) -> bool {
    while !bytes.is_empty() {
        let room = match stream.check_write() {
            Ok(0) if deadline.wait(&stream.subscribe()) => continue,
            Ok(0) | Err(_) => return false,
            Ok(room) => usize::try_from(room).unwrap_or(usize::MAX),
        };
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        if stream.write(now).is_err() {
            return false;
        }
        bytes = later;
    }
    stream.flush().is_ok()
}

/// Bytes that are read at a time, at most.
const CHUNK: u64 = 1 << 20;
