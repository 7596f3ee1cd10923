//! The content coding of bodies that go upstream.

use std::io::{self, Read, Write};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::Compression as Level;
use flate2::bufread::GzDecoder;
use flate2::write::DeflateEncoder;
use podstamp_core::config::Compression;

use super::gather::{self, Pieces};
use crate::offload::Threads;
use crate::queue::Coding;

/// Compresses as the configuration says.
#[derive(Debug)]
pub(super) struct Compressor {
    compression: Compression,
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

/// DEFLATE blocks of one body, none of them marked as the last, and the checksum and length for a gzip member's trailer.
#[derive(Debug)]
pub(super) struct Deflated {
    blocks: Bytes,
    /// CRC-32 of what was compressed.
    sum: u32,
    /// Bytes of what was compressed.
    length: u64,
}

impl Compressor {
    /// `threads` compresses large bodies.
    pub(super) fn new(compression: Compression, threads: Threads) -> Self {
        Self { compression, threads }
    }

    /// The body to send. `gzip` is a member that has it already.
    pub(super) async fn code(&self, pieces: Pieces, gzip: Option<Bytes>) -> Coded {
        let Compression::Gzip { level } = self.compression else {
            return Coded::Plain(pieces);
        };
        if let Some(gzip) = gzip {
            return Coded::Member(gzip);
        }
        let deflated =
            if pieces.len() <= INLINE { deflate(&pieces, level) } else { self.offload(&pieces, level).await };
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
        if matches!(self.compression, Compression::Gzip { .. }) {
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
    async fn offload(&self, pieces: &Pieces, level: u32) -> io::Result<Deflated> {
        let pieces = pieces.clone();
        let deflated = self.threads.run((), move || deflate(&pieces, level)).await;
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
            Self::Deflated(deflated) => (Coding::Blocks, member(&[&**deflated]).joined()),
        }
    }

    /// Several bodies as one request's: compressed ones as one gzip member. All of them are compressed, or none.
    pub(super) fn joined<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Pieces {
        let mut plain = Vec::new();
        let mut deflated = Vec::new();
        for coded in all {
            match coded {
                Self::Plain(pieces) => plain.push(pieces),
                Self::Member(member) => return Pieces::One(member.clone()),
                Self::Deflated(one) => deflated.push(&**one),
            }
        }
        match (plain.as_slice(), deflated.is_empty()) {
            ([one], _) => (*one).clone(),
            (_, true) => gather::concatenated(plain.into_iter().flat_map(Pieces::iter)),
            (_, false) => member(&deflated),
        }
    }
}

impl Deflated {
    /// Takes apart what [`member`] made of one body.
    fn of_member(member: &Bytes) -> Option<Self> {
        let rest = member.strip_prefix(HEADER)?;
        let (rest, trailer) = rest.split_last_chunk::<8>()?;
        let blocks = rest.strip_suffix(&LAST_BLOCK)?;
        let [sum, length] =
            [&trailer[..4], &trailer[4..]].map(|word| word.try_into().map(u32::from_le_bytes));
        Some(Self { blocks: member.slice_ref(blocks), sum: sum.ok()?, length: length.ok()?.into() })
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

/// Compresses to blocks that end at a whole byte (Z_SYNC_FLUSH) and refer to nothing ahead of them.
fn deflate(pieces: &Pieces, level: u32) -> io::Result<Deflated> {
    let room = Vec::with_capacity(pieces.len() as usize / USUAL);
    let mut encoder = DeflateEncoder::new(room, Level::new(level));
    let mut sum = Hasher::new();
    for piece in pieces.iter() {
        encoder.write_all(piece)?;
        sum.update(piece);
    }
    encoder.flush()?;
    let blocks = mem::take(encoder.get_mut()).into();
    Ok(Deflated { blocks, sum: sum.finalize(), length: pieces.len() })
}

/// One gzip member (RFC 1952) that holds all bodies.
fn member(all: &[&Deflated]) -> Pieces {
    let mut sum = Hasher::new();
    all.iter().for_each(|one| sum.combine(&Hasher::new_with_initial_len(one.sum, one.length)));
    let length = all.iter().fold(0_u64, |length, one| length.wrapping_add(one.length));
    let trailer = [&LAST_BLOCK[..], &sum.finalize().to_le_bytes(), &(length as u32).to_le_bytes()].concat();
    let ends = (Bytes::from_static(HEADER), Bytes::from(trailer));
    let blocks = all.iter().map(|one| &one.blocks);
    gather::concatenated([&ends.0].into_iter().chain(blocks).chain([&ends.1]))
}

/// A member's header: magic number, deflate, no flags, no time, no extra flags, no system.
const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block that is marked as the last (RFC 1951, section 3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Bytes up to which compressing takes well under a millisecond, at the usual levels.
const INLINE: u64 = 64 << 10;

/// How many times smaller a body of spans becomes at least, usually.
const USUAL: usize = 4;

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
        for count in [1, 2, 7] {
            let bodies: Vec<Bytes> = (0..count)
                .map(|_| (0..random.usize(0..90_000)).map(|_| random.u8(..8)).collect::<Vec<_>>().into())
                .collect();
            let coded: Vec<_> = bodies
                .iter()
                .map(|body| deflate(&Pieces::One(body.clone()), 1).unwrap())
                .map(|deflated| Coded::Deflated(Arc::new(deflated)))
                .collect();
            assert!(inflated(&Coded::joined(coded.iter())) == bodies.concat());
            let restored: Vec<_> = coded
                .iter()
                .map(|one| Deflated::of_member(&one.stored().1).unwrap())
                .map(|deflated| Coded::Deflated(Arc::new(deflated)))
                .collect();
            assert!(inflated(&Coded::joined(restored.iter())) == bodies.concat(), "out of a queue");
        }
    }

    #[test]
    fn what_is_no_member_of_podstamps_own_is_not_taken_apart() {
        let whole = deflate(&Pieces::One(Bytes::from_static(b"spans")), 1).unwrap();
        let (_, stored) = Coded::Deflated(Arc::new(whole)).stored();
        for length in 0..stored.len() {
            assert!(Deflated::of_member(&stored.slice(..length)).is_none(), "{length}");
        }
    }
}
