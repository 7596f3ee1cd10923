//! A body as its client compressed it.

use std::sync::Arc;

use bytes::Bytes;
use podstamp_core::interface::{Content, Edits};

use super::super::gather::Pieces;
use super::deflated::Deflated;
use super::splice::spliced;

/// A gzip member (RFC 1952), and what has changed of its body.
#[derive(Clone, Debug)]
pub(in crate::exporter) struct Received {
    member: Bytes,
    original: Bytes,
    /// `None`: nothing.
    edits: Option<Arc<Edits>>,
}

impl Received {
    /// The member whose body is `original`, of which the filter makes `content`; `None`: it makes something else of it.
    pub(in crate::exporter) fn new(member: Bytes, original: &Bytes, content: &Content) -> Option<Self> {
        let edits = match content {
            Content::Unchanged => None,
            Content::Edited(edits) => Some(Arc::new(edits.clone())),
            Content::Replaced(_) => return None,
        };
        Some(Self { member, original: original.clone(), edits })
    }

    /// The member, if nothing has changed.
    pub(super) fn unchanged(&self) -> Option<&Bytes> {
        self.edits.is_none().then_some(&self.member)
    }

    /// The edited body, `pieces`, compressed by changing the member. `None`: it is to be compressed anew.
    pub(super) fn spliced(&self, pieces: &Pieces) -> Option<Deflated> {
        let stream = self.member.get(head_len(&self.member)?..)?;
        let length = stream.len().checked_sub(TRAILER).filter(|length| *length >= WORTH_WHILE)?;
        let stream = spliced(stream, length, &self.original, self.edits.as_ref()?)?;
        Some(Deflated::of_stream(stream, pieces))
    }
}

/// Bytes of what is ahead of a member's stream.
fn head_len(member: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, 8, flags, ..] = member else { return None };
    let mut at = 10;
    if flags & EXTRA != 0 {
        let length = member.get(at..)?.first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            at += member.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & SUM != 0 {
        at += 2;
    }
    Some(at)
}

/// What a member's flags say of its head.
const SUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Bytes behind the stream: sum and length of the body.
const TRAILER: usize = 8;

/// Bytes of a stream from which on changing it takes less than compressing its body anew, and makes it no larger.
const WORTH_WHILE: usize = 4 << 10;
