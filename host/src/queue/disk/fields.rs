//! Numbers in fixed places, little endian: what all parts of a segment are made of.

use twox_hash::XxHash3_64;

/// Writes numbers one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// Reads them again. What is not there reads as zero: checksums come first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u8(self, number: u8) -> Self {
        self.bytes(&[number])
    }

    pub(super) fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(super) fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(super) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Fills up with zeros to `length`.
    pub(super) fn padded(mut self, length: usize) -> Self {
        self.0.resize(length.max(self.0.len()), 0);
        self
    }

    /// All that was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// All that was written, and its checksum after it.
    pub(super) fn sealed(self, key: u64) -> Vec<u8> {
        let sum = checksum(key, &self.0);
        self.u64(sum).0
    }
}

impl<'a> Reader<'a> {
    /// Reads what [`Writer::sealed`] made; `None` where the checksum says that it is something else.
    pub(super) fn unsealed(key: u64, bytes: &'a [u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<8>()?;
        (checksum(key, content) == u64::from_le_bytes(*sum)).then_some(Self(content))
    }

    pub(super) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap_or([0; N])
    }

    pub(super) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}

/// XXH3 under a key: who does not know the key can make no bytes that have the right one.
pub(super) fn checksum(key: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(key, bytes)
}
