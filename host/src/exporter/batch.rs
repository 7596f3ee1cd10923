//! What is sent, to however many upstreams.

use bytes::Bytes;
use podstamp_core::exchange::{Content, Encoding};

use super::gather::{self, Pieces};

/// A body that the filter has decided about. Cloning it copies none of it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// As it came.
    pub(super) original: Bytes,
    /// As it goes.
    pub(super) pieces: Pieces,
    /// The same as the client compressed it, where nothing was changed.
    pub(super) gzip: Option<Bytes>,
    pub(super) encoding: Encoding,
    pub(super) spans: u64,
}

impl Batch {
    /// Makes of `original` what `content` says. `gzip` is how the client sent it. The error says what is wrong with the
    /// edits.
    pub(crate) fn new(
        original: Bytes,
        gzip: Option<Bytes>,
        content: Content,
        encoding: Encoding,
        spans: u32,
    ) -> Result<Self, String> {
        let gzip = gzip.filter(|_| matches!(content, Content::Unchanged));
        let pieces = gather::gather(&original, content)?;
        Ok(Self { original, pieces, gzip, encoding, spans: spans.into() })
    }

    /// Bytes that go out, before they are compressed.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.len()
    }
}
