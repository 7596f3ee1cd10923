//! The place of a fault in a text.

use serde_json::Error;

use super::writer::Met;
use crate::fault::Position;

/// A place in a text, as an offset and as line and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) position: Position,
}

impl Place {
    /// The place at an offset.
    #[cold]
    pub(super) fn at(body: &[u8], offset: usize) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // Columns count characters, as editors do: all bytes but those that continue one.
        let characters = line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Self { offset, position: Position { line: lines as u32 + 1, column: characters as u32 + 1 } }
    }

    /// The place of a fault of JSON's syntax.
    #[cold]
    pub(super) fn of_syntax(body: &[u8], error: &Error) -> Self {
        Self::at(body, if error.is_eof() { body.len() } else { bytes_read(body, error).saturating_sub(1) })
    }

    /// The place of a value that its field cannot have.
    #[cold]
    pub(super) fn of_value(body: &[u8], met: &Met, error: &Error) -> Self {
        let offset = match met.address {
            // The value begins with the quote ahead of the string.
            Some(address) => address.saturating_sub(body.as_ptr().addr()).saturating_sub(1),
            None => begin(body, bytes_read(body, error)),
        };
        Self::at(body, offset)
    }
}

/// How many bytes were read up to the error, from the line and column (in bytes) that serde_json gives.
fn bytes_read(body: &[u8], error: &Error) -> usize {
    let lines = error.line().saturating_sub(1);
    let before: usize = body.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
    (before + error.column()).min(body.len())
}

/// Where the value begins that was read just before `end`: serde_json reports a fault after it has read the value or, in case of
/// an object or a list, its first bracket and the blanks behind that.
fn begin(body: &[u8], end: usize) -> usize {
    let read = body.get(..end).unwrap_or(body);
    let of_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    match read.last() {
        Some(b'"') => {
            // A string with escapes: go back over quotes that are escaped.
            let quotes = (0..read.len() - 1).rev().filter(|at| read.get(*at) == Some(&b'"'));
            let backslashes = |at: usize| {
                read.get(..at).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count()
            };
            quotes.into_iter().find(|at| backslashes(*at).is_multiple_of(2)).unwrap_or(end)
        }
        Some(byte) if of_scalar(byte) => {
            read.len() - read.iter().rev().take_while(|byte| of_scalar(byte)).count()
        }
        _ => read.iter().rposition(|byte| b"[{".contains(byte)).unwrap_or(end),
    }
}
