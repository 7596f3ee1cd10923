//! The body of a request to the upstream.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::gather::Pieces;

/// Yields pieces as they are, and knows their length beforehand.
#[derive(Debug)]
pub(crate) struct OutboundBody {
    pieces: Pieces,
    next: usize,
    remaining: u64,
    started: Started,
}

impl OutboundBody {
    pub(crate) fn new(pieces: Pieces) -> Self {
        Self { remaining: pieces.len(), pieces, next: 0, started: Started::default() }
    }

    /// A flag that tells later whether any of the body was taken.
    pub(crate) fn started(&self) -> Started {
        self.started.clone()
    }
}

impl Body for OutboundBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let piece = this.pieces.get(this.next).cloned();
        if let Some(piece) = &piece {
            this.started.0.store(true, Ordering::Relaxed);
            this.next += 1;
            this.remaining -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

/// Whether a connection has begun to take the body: as long as none has, the upstream cannot have processed it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Started(Arc<AtomicBool>);

impl Started {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
