//! gzip, and deflate with zlib's header or without any.

use flate2::{Decompress, FlushDecompress, Status};

use super::output::{Error, Output, believed, usual};

/// Inflates all members of a gzip body, and counts them.
pub(super) fn gzip(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    output.grow(gzip_length(body))?;
    let mut rest = body;
    loop {
        rest = inflate(Decompress::new_gzip(WINDOW_BITS), rest, output)?;
        output.members += 1;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Inflates a body with zlib's header.
pub(super) fn zlib(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    alone(Decompress::new(true), body, output)
}

/// Inflates deflate as RFC 9110 defines it, with zlib's header, and as some clients send it, without any.
pub(super) fn deflate(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    alone(Decompress::new(has_zlib_header(body)), body, output)
}

fn alone(inflater: Decompress, body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    output.grow(usual(body.len()))?;
    match inflate(inflater, body, output)? {
        [] => Ok(()),
        rest => Err(Error::Corrupt(format!("{} bytes follow its end", rest.len()))),
    }
}

/// Inflates one stream, and gives the bytes that follow it.
fn inflate<'b>(mut inflater: Decompress, body: &'b [u8], output: &mut Output<'_>) -> Result<&'b [u8], Error> {
    let mut rest = body;
    loop {
        let before = (inflater.total_in(), output.bytes.len());
        let inflated = inflater.decompress_vec(rest, &mut output.bytes, FlushDecompress::None);
        let status = inflated.map_err(|error| Error::Corrupt(error.to_string()))?;
        let consumed = (inflater.total_in() - before.0) as usize;
        rest = rest.get(consumed..).unwrap_or_default();
        let length = output.bytes.len();
        if output.is_over(length) {
            return Err(Error::TooLarge);
        }
        match status {
            Status::StreamEnd => return Ok(rest),
            _ if length == output.bytes.capacity() => output.double()?,
            _ if consumed == 0 && length == before.1 => return Err(Error::cut_short()),
            _ => (),
        }
    }
}

/// The decoded length by gzip's last bytes, which give it modulo 2^32, and one byte more, so that the end is seen without
/// growing.
fn gzip_length(body: &[u8]) -> usize {
    match body.last_chunk() {
        Some(length) => believed(u32::from_le_bytes(*length) as usize, body.len()) + 1,
        None => usual(body.len()),
    }
}

/// Whether a body has zlib's header. By RFC 1950, 2.2, the method is 8, the window at most 32 KiB, and both bytes together a
/// multiple of 31. Without a header these bits would begin a stored block with padding that is not zero, which no encoder writes.
fn has_zlib_header(body: &[u8]) -> bool {
    body.first_chunk().is_some_and(|&[method, flags]| {
        method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]) % 31 == 0
    })
}

/// The largest window; gzip does not say how small a one would do.
const WINDOW_BITS: u8 = 15;
