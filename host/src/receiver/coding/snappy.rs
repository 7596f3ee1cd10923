//! Snappy, in frames or as one block.

use std::io::{self, Read};

use snap::raw::{self, Decoder};
use snap::read::FrameDecoder;

use super::output::{Error, Output, usual};

/// Decompresses both forms that Collectors have sent under the name `snappy`: frames in the past, one block now.
pub(super) fn snappy(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    if body.starts_with(STREAM_IDENTIFIER) { framed(body, output) } else { block(body, output) }
}

/// Decompresses the framing format, which has no end mark: a body that is cut between two frames cannot be recognised as such.
pub(super) fn framed(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    if body.is_empty() {
        return Err(Error::cut_short());
    }
    let mut decoder = FrameDecoder::new(body);
    let mut length = 0;
    output.grow(usual(body.len()))?;
    loop {
        if length == output.bytes.len() {
            if length == output.bytes.capacity() {
                output.double()?;
            }
            output.bytes.resize(output.bytes.capacity(), 0);
        }
        let room = output.bytes.get_mut(length..).unwrap_or_default();
        match decoder.read(room) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Error::cut_short()),
            Err(error) => return Err(Error::Corrupt(error.to_string())),
        }
        if output.is_over(length) {
            return Err(Error::TooLarge);
        }
    }
    output.bytes.truncate(length);
    Ok(())
}

fn block(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    let corrupt = |error: snap::Error| Error::Corrupt(error.to_string());
    let length = raw::decompress_len(body).map_err(corrupt)?;
    if output.is_over(length) {
        return Err(Error::TooLarge);
    }
    if length > body.len().saturating_mul(DENSEST) {
        return Err(Error::Corrupt(format!("{} bytes cannot become {length}", body.len())));
    }
    output.grow(length)?;
    output.bytes.resize(length, 0);
    Decoder::new().decompress(body, &mut output.bytes).map_err(corrupt)?;
    Ok(())
}

/// The bytes with which the framing format begins.
const STREAM_IDENTIFIER: &[u8] = b"\xff\x06\0\0sNaPpY";

/// Decoded bytes for each coded one at most: the densest copy gives 64 bytes for three.
const DENSEST: usize = 22;
