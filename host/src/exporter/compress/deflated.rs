//! Bodies that are compressed here, and gzip members (RFC 1952) made of them.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use crc32fast::Hasher;
use libdeflater::{CompressionLvl, Compressor};
use podstamp_deflate::opened;

use super::super::gather::{self, Pieces};
use crate::queue::Coding;

/// A body as DEFLATE blocks, with the checksum and the length for a gzip member's trailer.
#[derive(Debug)]
pub(in crate::exporter) struct Deflated {
    blocks: Blocks,
    /// CRC-32 of what was compressed.
    sum: u32,
    /// Bytes of what was compressed.
    pub(super) length: u64,
}

#[derive(Clone, Debug)]
enum Blocks {
    /// The last of them is marked as such.
    Closed(Bytes),
    /// None of them is, so that others may follow.
    Open(Bytes),
}

/// Compresses whole bodies, each by itself.
#[derive(Debug)]
pub(super) struct Deflater {
    level: CompressionLvl,
    /// What compressing takes some hundred KiB of, for the next bodies.
    spare: Mutex<Vec<Spare>>,
}

struct Spare(Compressor);

impl std::fmt::Debug for Spare {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Compressor")
    }
}

impl Deflater {
    /// `level`: 1 for speed to 9 for size.
    pub(super) fn new(level: u32) -> Self {
        let level = i32::try_from(level).ok().and_then(|level| CompressionLvl::new(level).ok());
        Self { level: level.unwrap_or_default(), spare: Mutex::default() }
    }

    pub(super) fn deflate(&self, pieces: &Pieces) -> io::Result<Deflated> {
        let body = pieces.joined();
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut spare = spare.unwrap_or_else(|| Spare(Compressor::new(self.level)));
        let mut stream = vec![0; spare.0.deflate_compress_bound(body.len())];
        let length = spare.0.deflate_compress(&body, &mut stream).map_err(io::Error::other)?;
        let mut spares = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < SPARES {
            spares.push(spare);
        }
        drop(spares);
        stream.truncate(length);
        // The room was for a body that cannot be compressed.
        stream.shrink_to_fit();
        Ok(Deflated::of_stream(stream, pieces))
    }
}

impl Deflated {
    /// What is a whole stream already. `body`: what it is of.
    pub(super) fn of_stream(stream: Vec<u8>, body: &Pieces) -> Self {
        let mut sum = Hasher::new();
        body.iter().for_each(|piece| sum.update(piece));
        Self { blocks: Blocks::Closed(stream.into()), sum: sum.finalize(), length: body.len() }
    }

    /// Takes apart a member whose blocks are open: what [`Self::stored`] gives.
    pub(super) fn of_member(member: &Bytes) -> Option<Self> {
        let rest = member.strip_prefix(HEADER)?;
        let (rest, trailer) = rest.split_last_chunk::<8>()?;
        let blocks = rest.strip_suffix(&LAST_BLOCK)?;
        let [sum, length] =
            [&trailer[..4], &trailer[4..]].map(|word| word.try_into().map(u32::from_le_bytes));
        let blocks = Blocks::Open(member.slice_ref(blocks));
        Some(Self { blocks, sum: sum.ok()?, length: length.ok()?.into() })
    }

    /// The blocks with none of them marked as the last.
    fn open(&self) -> Option<Bytes> {
        match &self.blocks {
            Blocks::Open(blocks) => Some(blocks.clone()),
            Blocks::Closed(stream) => opened(stream).map(Bytes::from),
        }
    }

    /// The body as a queue keeps it: open if it can be, so that it may be put together with others later.
    pub(super) fn stored(&self) -> (Coding, Pieces) {
        match (&self.blocks, self.open()) {
            (Blocks::Closed(stream), None) => (Coding::Gzip, self.whole(stream)),
            (_, open) => (Coding::Blocks, joined(&[self], open.as_slice())),
        }
    }

    /// A member that holds this body only.
    fn whole(&self, stream: &Bytes) -> Pieces {
        let trailer = [self.sum.to_le_bytes(), (self.length as u32).to_le_bytes()].concat();
        gather::concatenated([&Bytes::from_static(HEADER), stream, &trailer.into()].into_iter())
    }
}

/// One gzip member that holds all bodies; `None`: they have to go each by itself.
pub(super) fn member(all: &[&Deflated]) -> Option<Pieces> {
    if let [one] = all
        && let Blocks::Closed(stream) = &one.blocks
    {
        return Some(one.whole(stream));
    }
    let open: Option<Vec<_>> = all.iter().map(|one| one.open()).collect();
    Some(joined(all, &open?))
}

fn joined(all: &[&Deflated], open: &[Bytes]) -> Pieces {
    let mut sum = Hasher::new();
    all.iter().for_each(|one| sum.combine(&Hasher::new_with_initial_len(one.sum, one.length)));
    let length = all.iter().fold(0_u64, |length, one| length.wrapping_add(one.length));
    let trailer = [&LAST_BLOCK[..], &sum.finalize().to_le_bytes(), &(length as u32).to_le_bytes()].concat();
    let ends = (Bytes::from_static(HEADER), Bytes::from(trailer));
    gather::concatenated([&ends.0].into_iter().chain(open).chain([&ends.1]))
}

/// A member's header: magic number, deflate, no flags, no time, no extra flags, no system.
const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty block that is marked as the last (RFC 1951, section 3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Compressors that are kept: as many as work at the same time, usually.
const SPARES: usize = 4;
