//! Room for the decoded bytes of a body.

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// The decoded body is over the limit; decoding stopped there.
    TooLarge,
    /// The process has no room for the decoded body.
    NoRoom,
    /// The body has another coding, is damaged, cut short, or followed by something else.
    Corrupt(String),
}

impl Error {
    /// The body ends before its coding says so.
    pub(super) fn cut_short() -> Self {
        Self::Corrupt("it ends early".to_owned())
    }
}

/// The bytes decoded so far. Their room stops growing one byte past the limit, which is enough to show that the limit is passed;
/// `hold` is asked before each allocation.
pub(super) struct Output<'h> {
    pub(super) bytes: Vec<u8>,
    /// Members of a gzip body that have come to their end.
    pub(super) members: usize,
    limit: usize,
    hold: &'h mut dyn FnMut(usize) -> bool,
}

impl<'h> Output<'h> {
    /// Output of at most `limit` bytes. `hold` gets the number of bytes to be allocated, and says whether there is room.
    pub(super) fn new(limit: usize, hold: &'h mut dyn FnMut(usize) -> bool) -> Self {
        Self { bytes: Vec::new(), members: 0, limit, hold }
    }

    /// Makes room for `wanted` bytes more, though never for more than one over the limit.
    pub(super) fn grow(&mut self, wanted: usize) -> Result<(), Error> {
        let capacity = self.bytes.capacity();
        let most = self.limit.saturating_add(1).saturating_sub(capacity);
        let more = wanted.max(SMALLEST).min(most);
        if more == 0 {
            return Err(Error::TooLarge);
        }
        if !(self.hold)(more) {
            return Err(Error::NoRoom);
        }
        self.bytes.reserve_exact(capacity - self.bytes.len() + more);
        Ok(())
    }

    /// Doubles the room.
    pub(super) fn double(&mut self) -> Result<(), Error> {
        self.grow(self.bytes.capacity())
    }

    /// The decoded bytes, if they are within the limit.
    pub(super) fn finish(self) -> Result<Vec<u8>, Error> {
        if self.bytes.len() > self.limit { Err(Error::TooLarge) } else { Ok(self.bytes) }
    }

    /// Whether a length is over the limit.
    pub(super) fn is_over(&self, length: usize) -> bool {
        length > self.limit
    }
}

/// The part of a claimed length that is believed before the bytes are there: at most sixteen times `coded`, since OTLP seldom
/// compresses further.
pub(super) fn believed(claimed: usize, coded: usize) -> usize {
    claimed.min(coded.saturating_mul(16))
}

/// The usual decoded length of `coded` bytes.
pub(super) fn usual(coded: usize) -> usize {
    coded.saturating_mul(4)
}

/// The least number of bytes to grow by: smaller steps cost more than the memory that they save.
const SMALLEST: usize = 512;
