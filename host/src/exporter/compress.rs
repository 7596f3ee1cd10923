//! The content coding of what goes upstream.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use podstamp_core::config::Compression;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::gather::Pieces;

/// Compresses as the configuration says.
#[derive(Debug)]
pub(super) struct Compressor {
    compression: Compression,
    large: Semaphore,
}

impl Compressor {
    /// `large` is how many bodies may be compressed at a time away from the async workers.
    pub(super) fn new(compression: Compression, large: usize) -> Self {
        Self { compression, large: Semaphore::new(large.max(1)) }
    }

    /// One gzip member, of which deepflow-agent reads no more; none where the body is to be sent as it is. `gzip` is such
    /// a member that is there already.
    pub(super) async fn gzip(&self, pieces: &Pieces, gzip: Option<Bytes>) -> Option<Bytes> {
        let Compression::Gzip { level } = self.compression else {
            return None;
        };
        if gzip.is_some() {
            return gzip;
        }
        let compressed = if pieces.len() <= INLINE {
            compress(pieces, level)
        } else {
            // Off the async workers, which other requests need meanwhile.
            let _permit = self.large.acquire().await.ok()?;
            let pieces = pieces.clone();
            spawn_blocking(move || compress(&pieces, level)).await.unwrap_or_else(|error| Err(error.into()))
        };
        compressed.inspect_err(|error| tracing::error!(%error, "a body is sent uncompressed")).ok()
    }
}

fn compress(pieces: &Pieces, level: u32) -> io::Result<Bytes> {
    let room = Vec::with_capacity(pieces.len() as usize / USUAL);
    let mut encoder = GzEncoder::new(room, Level::new(level));
    for piece in (0..).map_while(|index| pieces.get(index)) {
        encoder.write_all(piece)?;
    }
    Ok(encoder.finish()?.into())
}

/// Bytes up to which compressing takes well under a millisecond, at the usual levels.
const INLINE: u64 = 64 << 10;

/// How many times smaller a body of spans becomes at least, usually.
const USUAL: usize = 4;
