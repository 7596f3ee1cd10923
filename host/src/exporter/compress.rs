//! The content coding of bodies that go upstream.

mod deflated;
mod received;

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use podstamp_core::config::Compression;

use super::gather::{self, Pieces};
use crate::offload::Threads;
use crate::queue::Coding;
use deflated::{Deflated, Deflater, member};
pub(super) use received::Received;

/// Compresses as the configuration says.
#[derive(Debug)]
pub(super) struct Compressor {
    /// `None`: not at all.
    deflater: Option<Arc<Deflater>>,
    /// For large bodies.
    threads: Threads,
}

/// A body as it is sent. Cloning it copies none of it.
#[derive(Clone, Debug)]
pub(super) enum Coded {
    /// Not compressed.
    Plain(Pieces),
    /// A gzip member that goes as it came. It is never merged: deepflow-agent reads the first member only.
    Member(Bytes),
    /// Compressed here, so that other bodies may follow in the same member.
    Deflated(Arc<Deflated>),
}

impl Compressor {
    /// `threads` compresses large bodies.
    pub(super) fn new(compression: Compression, threads: Threads) -> Self {
        let deflater = match compression {
            Compression::None => None,
            Compression::Gzip { level } => Some(Arc::new(Deflater::new(level))),
        };
        Self { deflater, threads }
    }

    /// The body to send, which may have come compressed.
    pub(super) async fn code(&self, pieces: Pieces, mut received: Option<Received>) -> Coded {
        let Some(deflater) = &self.deflater else {
            return Coded::Plain(pieces);
        };
        if let Some(member) = received.as_ref().and_then(Received::unchanged) {
            return Coded::Member(member.clone());
        }
        if let Some(received) = received.take_if(|received| received.is_small())
            && let Some(spliced) = received.spliced(&pieces)
        {
            return Coded::Deflated(Arc::new(spliced));
        }
        let deflated = if pieces.len() <= INLINE {
            deflater.deflate(&pieces)
        } else {
            self.offload(&pieces, Arc::clone(deflater), received).await
        };
        match deflated {
            Ok(deflated) => Coded::Deflated(Arc::new(deflated)),
            Err(error) => {
                tracing::error!(%error, "a body is sent uncompressed");
                Coded::Plain(pieces)
            }
        }
    }

    /// The body to send of one that was stored, and its length before compression; `limit` bounds that.
    pub(super) async fn restore(
        &self,
        coding: Coding,
        stored: Bytes,
        limit: u64,
    ) -> io::Result<(Coded, u64)> {
        if self.deflater.is_some() {
            match coding {
                Coding::Identity => (),
                Coding::Gzip => return Ok((Coded::Member(stored), 0)),
                Coding::Blocks => {
                    let deflated = Deflated::of_member(&stored)
                        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "is no gzip member"))?;
                    let length = deflated.length;
                    return Ok((Coded::Deflated(Arc::new(deflated)), length));
                }
            }
        }
        let plain = inflated(coding, stored, limit)?;
        let length = plain.len() as u64;
        Ok((self.code(Pieces::One(plain), None).await, length))
    }

    /// Off the async workers, which other requests need meanwhile.
    async fn offload(
        &self,
        pieces: &Pieces,
        deflater: Arc<Deflater>,
        received: Option<Received>,
    ) -> io::Result<Deflated> {
        let pieces = pieces.clone();
        let work = move || match received.and_then(|received| received.spliced(&pieces)) {
            Some(spliced) => Ok(spliced),
            None => deflater.deflate(&pieces),
        };
        let deflated = self.threads.run((), work).await;
        deflated.unwrap_or_else(|error| Err(error.into()))
    }
}

impl Coded {
    pub(super) fn is_gzip(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Whether other bodies may follow in the same request.
    pub(super) fn takes_others(&self) -> bool {
        !matches!(self, Self::Member(_))
    }

    /// The body as a queue keeps it.
    pub(super) fn stored(&self) -> (Coding, Bytes) {
        match self {
            Self::Plain(pieces) => (Coding::Identity, pieces.joined()),
            Self::Member(member) => (Coding::Gzip, member.clone()),
            Self::Deflated(deflated) => {
                let (coding, member) = deflated.stored();
                (coding, member.joined())
            }
        }
    }

    /// Several bodies as one request's: compressed ones as one gzip member. All of them are compressed, or none. `None`: they
    /// have to go each by itself, which always can be.
    pub(super) fn joined<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Option<Pieces> {
        let mut plain = Vec::new();
        let mut deflated = Vec::new();
        for coded in all {
            match coded {
                Self::Plain(pieces) => plain.push(pieces),
                Self::Member(member) => return Some(Pieces::One(member.clone())),
                Self::Deflated(one) => deflated.push(&**one),
            }
        }
        match (plain.as_slice(), deflated.is_empty()) {
            ([one], _) => Some((*one).clone()),
            (_, true) => Some(gather::concatenated(plain.into_iter().flat_map(Pieces::iter))),
            (_, false) => member(&deflated),
        }
    }
}

/// What a queue has kept, before compression.
pub(super) fn inflated(coding: Coding, stored: Bytes, limit: u64) -> io::Result<Bytes> {
    if coding == Coding::Identity {
        return Ok(stored);
    }
    let mut plain = Vec::new();
    GzDecoder::new(&*stored).take(limit.saturating_add(1)).read_to_end(&mut plain)?;
    if plain.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is over podstamp.limits.body"));
    }
    Ok(plain.into())
}

/// Bytes up to which compressing takes well under a millisecond, at the usual levels.
const INLINE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(pieces: &Pieces) -> Vec<u8> {
        let wire: Vec<u8> = pieces.iter().flatten().copied().collect();
        let mut decoder = GzDecoder::new(&wire[..]);
        let mut plain = Vec::new();
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty(), "one member");
        plain
    }

    #[test]
    fn bodies_that_were_compressed_apart_are_one_member() {
        let mut random = fastrand::Rng::with_seed(3);
        let deflater = Deflater::new(1);
        for count in [1, 2, 7] {
            let bodies: Vec<Bytes> = (0..count)
                .map(|_| (0..random.usize(0..90_000)).map(|_| random.u8(..8)).collect::<Vec<_>>().into())
                .collect();
            let coded: Vec<_> = bodies
                .iter()
                .map(|body| deflater.deflate(&Pieces::One(body.clone())).unwrap())
                .map(|deflated| Coded::Deflated(Arc::new(deflated)))
                .collect();
            assert!(inflated(&Coded::joined(coded.iter()).unwrap()) == bodies.concat());
            let restored: Vec<_> = coded
                .iter()
                .map(|one| Deflated::of_member(&one.stored().1).unwrap())
                .map(|deflated| Coded::Deflated(Arc::new(deflated)))
                .collect();
            assert!(inflated(&Coded::joined(restored.iter()).unwrap()) == bodies.concat(), "out of a queue");
        }
    }

    #[test]
    fn what_is_no_member_of_podstamps_own_is_not_taken_apart() {
        let whole = Deflater::new(1).deflate(&Pieces::One(Bytes::from_static(b"spans"))).unwrap();
        let (_, stored) = Coded::Deflated(Arc::new(whole)).stored();
        for length in 0..stored.len() {
            assert!(Deflated::of_member(&stored.slice(..length)).is_none(), "{length}");
        }
    }
}
