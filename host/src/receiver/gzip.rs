//! Inflates gzip within a limit.

use flate2::{Decompress, FlushDecompress, Status};

/// Why a body cannot be inflated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// It comes out over the limit; inflating stopped there.
    TooLarge,
    /// There is no room in the process for what comes out.
    NoRoom,
    /// It is not gzip, damaged, cut short or followed by something else.
    Corrupt(String),
}

/// Inflates all members of `body` to at most `limit` bytes. `hold` is asked before each allocation.
pub(crate) fn inflate(
    body: &[u8],
    limit: usize,
    mut hold: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut rest = body;
    grow(&mut out, estimate(body), limit, &mut hold)?;
    loop {
        let mut inflater = Decompress::new_gzip(WINDOW_BITS);
        loop {
            let before = (inflater.total_in(), out.len());
            let inflated = inflater.decompress_vec(rest, &mut out, FlushDecompress::None);
            let status = inflated.map_err(|error| Error::Corrupt(error.to_string()))?;
            let consumed = (inflater.total_in() - before.0) as usize;
            rest = rest.get(consumed..).unwrap_or_default();
            if out.len() > limit {
                return Err(Error::TooLarge);
            }
            match status {
                Status::StreamEnd => break,
                _ if out.len() == out.capacity() => {
                    let wanted = out.capacity();
                    grow(&mut out, wanted, limit, &mut hold)?;
                }
                _ if consumed == 0 && out.len() == before.1 => {
                    return Err(Error::Corrupt("it ends early".to_owned()));
                }
                _ => (),
            }
        }
        if rest.is_empty() {
            return Ok(out);
        }
    }
}

/// Makes room for `wanted` bytes more, though never for more than shows that the limit is passed.
fn grow(
    out: &mut Vec<u8>,
    wanted: usize,
    limit: usize,
    hold: &mut impl FnMut(usize) -> bool,
) -> Result<(), Error> {
    let more = wanted.max(SMALLEST).min((limit + 1).saturating_sub(out.len())).max(1);
    if !hold(more) {
        return Err(Error::NoRoom);
    }
    out.reserve_exact(more);
    Ok(())
}

/// What will come out, and one byte, so that the end is seen without growing. gzip ends with its length modulo 2^32,
/// which is believed as far as spans compress.
fn estimate(body: &[u8]) -> usize {
    let usual = body.len().saturating_mul(4);
    match body.last_chunk() {
        Some(length) => (u32::from_le_bytes(*length) as usize).min(usual.saturating_mul(4)) + 1,
        None => usual,
    }
}

/// Room below which growing step by step costs more than the memory.
const SMALLEST: usize = 512;

/// The largest window; gzip does not say how small a one would do.
const WINDOW_BITS: u8 = 15;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(3);
        (0..length).map(|_| random.u8(b'a'..b'k')).collect()
    }

    fn corrupt(body: &[u8]) -> bool {
        matches!(inflate(body, 1 << 20, |_| true), Err(Error::Corrupt(_)))
    }

    #[test]
    fn all_members_are_inflated_whatever_their_length() {
        for length in [0, 1, 511, 512, 513, 5000, 300_000] {
            let bytes = noise(length);
            assert_eq!(inflate(&gzip(&bytes), 1 << 20, |_| true).unwrap(), bytes);
            let two = [gzip(&bytes), gzip(b"more")].concat();
            assert_eq!(inflate(&two, 1 << 20, |_| true).unwrap(), [&bytes[..], b"more"].concat());
        }
    }

    #[test]
    fn damaged_and_trailing_bytes_are_faults() {
        let good = gzip(&noise(10_000));
        assert!(corrupt(b""));
        assert!(corrupt(b"no gzip at all"));
        assert!(corrupt(&[&good[..], b"x"].concat()), "one byte too many");
        assert!(corrupt(&[&good[..], b"trailing garbage"].concat()));
        for cut in [1, 8, 9, 100] {
            assert!(corrupt(&good[..good.len() - cut]), "{cut} bytes short");
        }
        let mut damaged = good.clone();
        let checksum = good.len() - 6;
        damaged[checksum] ^= 1;
        assert!(corrupt(&damaged), "checksum");
        assert!(inflate(&good, 1 << 20, |_| true).is_ok(), "a fault does not stay behind");
    }

    #[test]
    fn the_limit_is_exact() {
        let body = gzip(&noise(10_000));
        assert_eq!(inflate(&body, 10_000, |_| true).map(|bytes| bytes.len()), Ok(10_000));
        assert_eq!(inflate(&body, 9_999, |_| true), Err(Error::TooLarge));
        assert_eq!(inflate(&body, 0, |_| true), Err(Error::TooLarge));
    }

    #[test]
    fn a_bomb_stops_at_the_limit_without_taking_more_room() {
        let bomb = gzip(&vec![0; 100 << 20]);
        let mut held = 0;
        let result = inflate(&bomb, 1 << 20, |more| {
            held += more;
            true
        });
        assert_eq!(result, Err(Error::TooLarge));
        assert!(held <= (1 << 20) + 1, "{held}");
    }

    #[test]
    fn inflating_stops_where_there_is_no_room() {
        let body = gzip(&noise(100_000));
        let mut calls = 0;
        let result = inflate(&body, 1 << 20, |_| {
            calls += 1;
            false
        });
        assert_eq!((result, calls), (Err(Error::NoRoom), 1));
    }
}
