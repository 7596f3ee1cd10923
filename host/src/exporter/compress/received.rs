//! A body as its client compressed it.

use std::sync::Arc;

use bytes::Bytes;
use podstamp_core::interface::{Content, Edits};
use podstamp_deflate::spliced;

use super::super::gather::Pieces;
use super::deflated::Deflated;

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

    /// Whether changing it takes so little that it is not worth handing to a thread.
    pub(super) fn is_small(&self) -> bool {
        self.member.len() <= INLINE && self.original.len() <= INLINE_BODY
    }

    /// The edited body, `pieces`, compressed by changing the member. `None`: it is to be compressed anew.
    pub(super) fn spliced(&self, pieces: &Pieces) -> Option<Deflated> {
        // A member that is larger than its body may be blocks of nothing, each of which takes time.
        let is_worth_while = (WORTH_WHILE..=self.original.len()).contains(&self.member.len());
        let edits = self.edits.as_ref().filter(|_| is_worth_while)?;
        let stream = spliced(&self.member, &self.original, edits)?;
        Some(Deflated::of_stream(stream, pieces))
    }
}

/// Bytes of a member from which on changing it takes less than compressing its body anew, and makes it no larger.
const WORTH_WHILE: usize = 4 << 10;

/// Bytes of a member up to which changing it takes well under a millisecond, and three where nothing but codes comes, block after block.
const INLINE: usize = 64 << 10;

/// Bytes of its body up to which that is so: its sum is made.
const INLINE_BODY: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use podstamp_core::interface::Edit;

    use super::*;

    #[test]
    fn a_member_that_is_larger_than_its_body_is_not_changed() {
        let mut random = fastrand::Rng::with_seed(4);
        let body: Bytes = std::iter::repeat_with(|| random.u8(..64)).take(90_000).collect();
        let edits = Edits { edits: vec![Edit { offset: 3, remove: 0, insert: 1 }], inserted: vec![7] };
        let pieces = Pieces::One(edits.apply(&body).unwrap().into());
        let content = Content::Edited(edits);
        for (flushed, is_changed) in [(90_000, true), (30_000, true), (1, false)] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            // Each flush leaves a block of nothing.
            for part in body.chunks(flushed) {
                encoder.write_all(part).unwrap();
                encoder.flush().unwrap();
            }
            let member = Bytes::from(encoder.finish().unwrap());
            assert_eq!(member.len() <= body.len(), is_changed, "{}", member.len());
            let received = Received::new(member, &body, &content).unwrap();
            assert_eq!(received.spliced(&pieces).is_some(), is_changed, "{flushed}");
        }
    }
}
