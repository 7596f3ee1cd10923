//! Room for what comes out of a content coding.

/// Why a content coding cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// What comes out is over the limit; undoing stopped there.
    TooLarge,
    /// There is no room in the process for what comes out.
    NoRoom,
    /// It is something else, damaged, cut short or followed by something else.
    Corrupt(String),
}

impl Error {
    /// The body stops before its coding says that it is done.
    pub(super) fn cut_short() -> Self {
        Self::Corrupt("it ends early".to_owned())
    }
}

/// What comes out so far. Never grows past what shows that the limit is passed, and asks before each allocation.
pub(super) struct Output<'h> {
    pub(super) bytes: Vec<u8>,
    /// Members of a gzip body that have come to their end.
    pub(super) members: usize,
    limit: usize,
    hold: &'h mut dyn FnMut(usize) -> bool,
}

impl<'h> Output<'h> {
    /// Of at most `limit` bytes. `hold` gets the bytes that are about to be allocated, and says whether there is room.
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

    /// Makes room for as much again.
    pub(super) fn double(&mut self) -> Result<(), Error> {
        self.grow(self.bytes.capacity())
    }

    /// What has come out, if that is within the limit.
    pub(super) fn finish(self) -> Result<Vec<u8>, Error> {
        if self.bytes.len() > self.limit { Err(Error::TooLarge) } else { Ok(self.bytes) }
    }

    /// Whether more than the limit would have come out.
    pub(super) fn is_over(&self, length: usize) -> bool {
        length > self.limit
    }
}

/// A length that a body of `coded` bytes claims, as far as it is believed before the bytes are there: OTLP seldom
/// compresses to less than a sixteenth.
pub(super) fn believed(claimed: usize, coded: usize) -> usize {
    claimed.min(coded.saturating_mul(16))
}

/// A usual length of what comes out of `coded` bytes.
pub(super) fn usual(coded: usize) -> usize {
    coded.saturating_mul(4)
}

/// Room below which growing step by step costs more than the memory.
const SMALLEST: usize = 512;
