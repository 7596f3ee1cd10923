//! A body to send, to one upstream or several.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use podstamp_core::interface::{Content, Encoding, Part};

use super::compress::Received;
use super::gather::{self, Pieces, UnusableEdits};

/// A body that the filter has decided about. Cloning it copies none of it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The client's address: the filter's calls about this batch count for it.
    pub(super) peer: IpAddr,
    /// The body as it came.
    pub(super) original: Bytes,
    /// The body as it goes.
    pub(super) pieces: Pieces,
    /// The body as the client compressed it.
    received: Option<Received>,
    pub(super) encoding: Encoding,
    pub(super) spans: u64,
    parts: Arc<[Part]>,
}

/// One of the requests that a batch is sent as.
#[derive(Debug)]
pub(super) struct BatchPart {
    pub(super) pieces: Pieces,
    /// The body as the client compressed it, if this part is all of it.
    pub(super) received: Option<Received>,
    pub(super) spans: u32,
    /// Estimated bytes of deepflow-agent's memory that this part takes.
    pub(super) memory: u32,
}

/// What the filter says of a body cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnusableBatch {
    /// Its edits do not fit the body.
    #[error(transparent)]
    Edits(#[from] UnusableEdits),
    /// Its parts do not fit the body.
    #[error("parts that are out of order, or do not end where the body does")]
    Parts,
}

impl Batch {
    /// Applies `content` to `original`. `gzip` is the body as the client compressed it.
    pub(crate) fn new(
        peer: IpAddr,
        original: Bytes,
        gzip: Option<Bytes>,
        content: Content,
        parts: Vec<Part>,
        encoding: Encoding,
        spans: u32,
    ) -> Result<Self, UnusableBatch> {
        let received = gzip.and_then(|member| Received::new(member, &original, &content));
        let pieces = gather::gather(&original, content)?;
        let in_order = parts.is_sorted_by_key(|part| part.end);
        if !in_order || parts.last().is_none_or(|last| u64::from(last.end) != pieces.len()) {
            return Err(UnusableBatch::Parts);
        }
        Ok(Self { peer, original, pieces, received, encoding, spans: spans.into(), parts: parts.into() })
    }

    /// The number of requests that this batch is sent as.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// One of the parts, counted from 0.
    pub(super) fn part(&self, number: usize) -> Option<BatchPart> {
        let Part { end, spans, memory } = *self.parts.get(number)?;
        let begin =
            number.checked_sub(1).and_then(|before| self.parts.get(before)).map_or(0, |part| part.end);
        let whole = self.parts() == 1;
        let pieces = if whole { self.pieces.clone() } else { self.pieces.slice(begin.into(), end.into()) };
        let received = self.received.clone().filter(|_| whole);
        Some(BatchPart { pieces, received, spans, memory })
    }

    /// Bytes of the body as it goes, before compression.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.len()
    }
}
