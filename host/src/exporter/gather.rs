//! Puts the body to send together, out of ranges of the original and the bytes that are inserted between them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use podstamp_core::interface::Content;
use podstamp_core::interface::{Edits, Piece};

/// A body in pieces. Cloning it copies none of them.
#[derive(Clone, Debug)]
pub(crate) enum Pieces {
    /// One piece, the usual case.
    One(Bytes),
    /// Several pieces, none of them empty.
    Many(Arc<[Bytes]>),
}

impl Pieces {
    /// Bytes of all pieces.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::One(bytes) => bytes.len() as u64,
            Self::Many(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
        }
    }

    /// One of the pieces.
    pub(crate) fn get(&self, index: usize) -> Option<&Bytes> {
        match self {
            Self::One(bytes) => (index == 0 && !bytes.is_empty()).then_some(bytes),
            Self::Many(pieces) => pieces.get(index),
        }
    }

    /// The bytes from `begin` to `end`.
    pub(crate) fn slice(&self, begin: u64, end: u64) -> Self {
        let mut at = 0;
        let mut taken = Vec::new();
        for piece in self.iter() {
            let length = piece.len() as u64;
            let from = begin.saturating_sub(at).min(length);
            let to = end.saturating_sub(at).min(length);
            if from < to {
                taken.push(piece.slice(from as usize..to as usize));
            }
            at += length;
        }
        match taken.len() {
            0 | 1 => Self::One(taken.pop().unwrap_or_default()),
            _ => Self::Many(taken.into()),
        }
    }

    /// All pieces as one, which is copied where there are several.
    pub(crate) fn joined(&self) -> Bytes {
        match self {
            Self::One(bytes) => bytes.clone(),
            Self::Many(pieces) => pieces.concat().into(),
        }
    }

    /// All pieces, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        (0..).map_while(|index| self.get(index))
    }
}

/// Bodies end to end.
pub(crate) fn concatenated<'a>(bodies: impl Iterator<Item = &'a Bytes>) -> Pieces {
    let mut gathering = Gathering { copied: BytesMut::new(), done: Vec::new() };
    bodies.for_each(|body| gathering.push(body));
    gathering.flush();
    gathering.finish()
}

/// The filter's edits cannot be applied to the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("edits that overlap, are out of order, or do not add up")]
pub(crate) struct UnusableEdits;

/// The body that `content` makes of `original`.
pub(crate) fn gather(original: &Bytes, content: Content) -> Result<Pieces, UnusableEdits> {
    match content {
        Content::Unchanged => Ok(Pieces::One(original.clone())),
        Content::Replaced(body) => Ok(Pieces::One(body.into())),
        Content::Edited(edits) => edited(original, edits).ok_or(UnusableEdits),
    }
}

/// Applies edits. Long ranges are shared with the original; short ones are copied together, since a few hundred bytes cost
/// less to copy than to hand to the kernel by themselves.
fn edited(original: &Bytes, edits: Edits) -> Option<Pieces> {
    let pieces = edits.pieces(original.len())?;
    let lengths = pieces.iter().map(|piece| match piece {
        Piece::Original(range) | Piece::Inserted(range) => range.len(),
    });
    let copied = lengths.filter(|length| *length < SHARED).sum();
    let mut gathering = Gathering { copied: BytesMut::with_capacity(copied), done: Vec::new() };
    let inserted = Bytes::from(edits.inserted);
    for piece in pieces {
        let (source, range) = match piece {
            Piece::Original(range) => (original, range),
            Piece::Inserted(range) => (&inserted, range),
        };
        if range.len() < SHARED {
            gathering.copied.extend_from_slice(source.get(range)?);
        } else {
            gathering.flush();
            gathering.done.push(source.slice(range));
        }
    }
    gathering.flush();
    Some(gathering.finish())
}

struct Gathering {
    copied: BytesMut,
    done: Vec<Bytes>,
}

impl Gathering {
    fn push(&mut self, piece: &Bytes) {
        if piece.len() < SHARED {
            self.copied.extend_from_slice(piece);
        } else {
            self.flush();
            self.done.push(piece.clone());
        }
    }

    fn flush(&mut self) {
        if !self.copied.is_empty() {
            self.done.push(self.copied.split().freeze());
        }
    }

    fn finish(mut self) -> Pieces {
        if self.done.len() > 1 {
            Pieces::Many(self.done.into())
        } else {
            Pieces::One(self.done.pop().unwrap_or_default())
        }
    }
}

/// Bytes from which on a range is shared rather than copied.
const SHARED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use podstamp_core::interface::Edit;

    fn naive(original: &[u8], edits: &Edits) -> Vec<u8> {
        let mut out = original.to_vec();
        let mut end = edits.inserted.len();
        for edit in edits.edits.iter().rev() {
            let begin = end - edit.insert as usize;
            let at = edit.offset as usize;
            out.splice(at..at + edit.remove as usize, edits.inserted[begin..end].iter().copied());
            end = begin;
        }
        out
    }

    fn random_edits(random: &mut fastrand::Rng, length: usize) -> Edits {
        let mut edits = Edits::default();
        let mut at = 0;
        while edits.edits.len() < 100 && random.u8(..) > 10 {
            at += random.usize(0..1 + length / 8);
            let remove = random.usize(0..40);
            if at + remove > length {
                break;
            }
            let insert = if random.u8(..) < 8 { random.usize(0..10_000) } else { random.usize(0..40) };
            edits.inserted.extend((0..insert).map(|_| random.u8(..)));
            edits.edits.push(Edit { offset: at as u32, remove: remove as u32, insert: insert as u32 });
            at += remove;
        }
        edits
    }

    #[test]
    fn gathering_equals_naive_application_of_the_edits() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let length = random.usize(0..100_000);
            let original: Bytes = (0..length).map(|index| index as u8).collect();
            let edits = random_edits(&mut random, length);
            let expected = naive(&original, &edits);
            let pieces = gather(&original, Content::Edited(edits)).unwrap();
            assert_eq!(pieces.len(), expected.len() as u64);
            assert_eq!(pieces.joined(), expected);
        }
    }

    #[test]
    fn long_ranges_are_shared_and_short_ones_copied_together() {
        let original = Bytes::from(vec![7; 100_000]);
        let edits = Edits {
            edits: vec![Edit { offset: 1, remove: 1, insert: 2 }, Edit { offset: 3, remove: 0, insert: 3 }],
            inserted: vec![1; 5],
        };
        let Pieces::Many(pieces) = gather(&original, Content::Edited(edits)).unwrap() else {
            panic!("one piece");
        };
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [7, 99_997]);
        assert_eq!(pieces[1].as_ptr(), original[3..].as_ptr());
    }

    #[test]
    fn a_slice_has_what_lies_between() {
        let all: Vec<u8> = (0..30_000).map(|index| index as u8).collect();
        let pieces = [Bytes::copy_from_slice(&all[..5]), Bytes::copy_from_slice(&all[5..9_000])];
        let many = concatenated([&pieces[0], &pieces[1], &Bytes::copy_from_slice(&all[9_000..])].into_iter());
        for (begin, end) in [(0, 30_000), (0, 5), (3, 8_999), (9_000, 9_001), (4_000, 20_000), (7, 7)] {
            assert_eq!(many.slice(begin, end).joined(), all[begin as usize..end as usize]);
        }
    }

    #[test]
    fn edits_that_make_no_sense_are_refused() {
        let original = Bytes::from_static(b"0123456789");
        let refused = |edits: &[(u32, u32, u32)], inserted: usize| {
            let edits =
                edits.iter().map(|&(offset, remove, insert)| Edit { offset, remove, insert }).collect();
            gather(&original, Content::Edited(Edits { edits, inserted: vec![0; inserted] })).is_err()
        };
        assert!(!refused(&[(0, 4, 1), (4, 6, 1)], 2));
        assert!(refused(&[(0, 4, 0), (3, 1, 0)], 0), "overlap");
        assert!(refused(&[(5, 0, 1), (4, 0, 1)], 2), "out of order");
        assert!(refused(&[(9, 2, 0)], 0), "past the end");
        assert!(refused(&[(11, 0, 1)], 1), "begins past the end");
        assert!(refused(&[(0, 0, 2)], 1), "too little inserted");
        assert!(refused(&[(0, 0, 1)], 2), "too much inserted");
        assert!(refused(&[(u32::MAX, u32::MAX, u32::MAX)], 0), "absurd");
    }

    #[test]
    fn an_emptied_body_has_no_pieces() {
        let edits = Edits { edits: vec![Edit { offset: 0, remove: 3, insert: 0 }], inserted: Vec::new() };
        let pieces = gather(&Bytes::from_static(b"abc"), Content::Edited(edits)).unwrap();
        assert_eq!((pieces.len(), pieces.get(0)), (0, None));
    }
}
