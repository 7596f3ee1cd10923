//! Reads what a record consists of.

use std::fmt;
use std::str;

/// What is left of some bytes that records are read from. Texts and bodies are borrowed from them.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes are not the record that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end early.
    CutOff,
    /// There are so many behind the record.
    Trailing(usize),
    /// A case that the type does not have.
    Case(u8),
    /// A text is not UTF-8, or an address cannot be read.
    Text,
}

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes, so many as fit.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::CutOff)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The place of a case, or whether there is a value.
    pub fn case(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[case]| case)
    }

    /// A length or a count.
    pub fn length(&mut self) -> Result<usize, Malformed> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    /// Bytes with their length ahead.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// A text with its length ahead.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        str::from_utf8(self.bytes()?).map_err(|_| Malformed::Text)
    }

    /// A value that may be missing.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.case()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(Malformed::Case(other)),
        }
    }

    /// Asserts that nothing is left.
    pub fn end(self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Malformed::Trailing(left)),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => formatter.write_str("the record is cut off"),
            Self::Trailing(bytes) => write!(formatter, "{bytes} bytes follow the record"),
            Self::Case(case) => write!(formatter, "the type has no case {case}"),
            Self::Text => formatter.write_str("a text is not UTF-8, or no address where one should be"),
        }
    }
}

impl std::error::Error for Malformed {}
