//! What can be written as a record and read back.

use crate::reader::{Malformed, Reader};

/// A value that has a form in bytes.
pub trait Record: Sized {
    /// Puts the value behind what is there.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the value. What follows it is left.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// The value alone, as bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads bytes that hold the value and nothing else.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader)?;
        reader.end()?;
        Ok(value)
    }
}
