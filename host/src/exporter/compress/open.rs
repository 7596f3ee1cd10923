//! Opens the end of a DEFLATE stream (RFC 1951), so that another one may follow.
//!
//! What compresses whole bodies marks its last block as the last of all. To put several bodies into one gzip member, that mark
//! has to go, and the stream has to end at a whole byte. Where the last block begins and ends is written nowhere, so that its
//! symbols are read, which takes a fraction of the time that finding them took.

mod huffman;

use huffman::Code;

/// The same blocks with none of them marked as the last, and an empty one behind them that ends at a whole byte, as zlib's
/// Z_SYNC_FLUSH leaves them. `None`: it is no DEFLATE stream that ends with its last block.
pub(super) fn opened(stream: &[u8]) -> Option<Vec<u8>> {
    let mut open = Vec::with_capacity(stream.len() + ROOM);
    open.extend_from_slice(stream);
    // Bits are read some bytes at a time, also from the end.
    open.extend_from_slice(&[0; ROOM]);
    let mut bits = Bits { bytes: &open, at: 0 };
    let last = loop {
        let begin = bits.at;
        let is_last = bits.take(1) == 1;
        match bits.take(2) {
            0 => bits.skip_stored(),
            1 => bits.skip_symbols(&Code::fixed_lengths(), &Code::fixed_distances()),
            2 => {
                let (lengths, distances) = bits.read_codes()?;
                bits.skip_symbols(&lengths, &distances)
            }
            _ => None,
        }?;
        if bits.at > 8 * stream.len() {
            return None;
        }
        if is_last {
            break begin;
        }
    };
    let end = bits.at;
    if end.div_ceil(8) != stream.len() {
        return None;
    }
    *open.get_mut(last / 8)? &= !(1 << (last % 8));
    // The empty block's header, three bits that are 0, begins where the last block ends.
    open.truncate((end + 3).div_ceil(8));
    if let Some(byte) = open.get_mut(end / 8) {
        *byte &= !(0xff << (end % 8));
    }
    open.extend_from_slice(&EMPTY);
    Some(open)
}

/// Bits of a stream, read from the lowest bit of each byte on.
struct Bits<'a> {
    /// The stream, with [`ROOM`] bytes behind it.
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits, the first one lowest: 56 of them at least, or zeros behind the end.
    fn peek(&self) -> u64 {
        let word = self.bytes.get(self.at / 8..).and_then(|rest| rest.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word)) >> (self.at % 8)
    }

    /// Takes so many bits, 32 at most.
    fn take(&mut self, count: usize) -> usize {
        let bits = self.peek() & ((1 << count) - 1);
        self.at += count;
        bits as usize
    }

    fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let (length, check) = (self.take(16), self.take(16));
        self.at += 8 * length;
        (length ^ check == 0xffff).then_some(())
    }

    /// Reads up to the end of a block.
    fn skip_symbols(&mut self, lengths: &Code, distances: &Code) -> Option<()> {
        // Behind the end there are only zeros, which need not say that a block ends.
        while self.at / 8 < self.bytes.len() {
            // What is read at once holds three codes.
            let mut bits = self.peek();
            let mut step = lengths.step(bits);
            for _ in 0..2 {
                if !step.is_plain() || step.bits() == 0 {
                    break;
                }
                self.at += step.bits();
                bits >>= step.bits();
                step = lengths.step(bits);
            }
            if step.bits() == 0 {
                return None;
            }
            if step.is_plain() {
                self.at += step.bits();
            } else if step.is_end() {
                self.at += step.bits();
                return Some(());
            } else {
                self.at += step.bits();
                let distance = distances.step(self.peek()).bits();
                if distance == 0 {
                    return None;
                }
                self.at += distance;
            }
        }
        None
    }

    /// Reads the codes of a block that has its own.
    fn read_codes(&mut self) -> Option<(Code, Code)> {
        let (lengths, distances, own) = (257 + self.take(5), 1 + self.take(5), 4 + self.take(4));
        let mut of_lengths = [0_u8; 19];
        for symbol in ORDER.iter().take(own) {
            *of_lengths.get_mut(*symbol)? = self.take(3) as u8;
        }
        let code = Code::of_symbols(&of_lengths);
        let mut all: Vec<u8> = Vec::with_capacity(lengths + distances);
        while all.len() < lengths + distances {
            let step = code.step(self.peek());
            if step.bits() == 0 {
                return None;
            }
            self.at += step.bits();
            let (length, count) = match step.symbol() {
                16 => (*all.last()?, 3 + self.take(2)),
                17 => (0, 3 + self.take(3)),
                18 => (0, 11 + self.take(7)),
                length => (length as u8, 1),
            };
            all.resize(all.len() + count, length);
        }
        let (of_lengths, rest) = all.split_at_checked(lengths)?;
        Some((Code::of_lengths(of_lengths), Code::of_distances(rest.get(..distances)?)))
    }
}

/// The order in which the lengths of the codes for lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The rest of an empty stored block: its length, and that once more with each bit turned.
const EMPTY: [u8; 4] = [0, 0, 0xff, 0xff];

/// Bytes that may be looked at behind a stream.
const ROOM: usize = 8;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, Decompress, FlushDecompress, Status};
    use libdeflater::{CompressionLvl, Compressor};

    use super::*;

    fn deflated(body: &[u8], level: i32) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut stream = vec![0; compressor.deflate_compress_bound(body.len())];
        let length = compressor.deflate_compress(body, &mut stream).unwrap();
        stream.truncate(length);
        stream
    }

    fn inflated(stream: &[u8], length: usize) -> (Vec<u8>, Status) {
        let mut plain = Vec::with_capacity(length + 1);
        let mut inflate = Decompress::new(false);
        let status = inflate.decompress_vec(stream, &mut plain, FlushDecompress::None).unwrap();
        assert_eq!(inflate.total_in(), stream.len() as u64);
        (plain, status)
    }

    #[test]
    fn an_opened_stream_has_the_same_content_and_goes_on() {
        let mut random = fastrand::Rng::with_seed(7);
        for case in 0..400 {
            let size = if case % 10 == 0 { random.usize(0..300_000) } else { random.usize(0..3_000) };
            let variety = [1, 2, 8, 64, 256][case % 5];
            let mut body: Vec<u8> = (0..size).map(|_| random.u32(..variety) as u8).collect();
            if case % 3 == 0 {
                let again = body.clone();
                body.extend_from_slice(&again);
            }
            let of_zlib = |level| {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            };
            for stream in [deflated(&body, 1 + case as i32 % 12), of_zlib(case as u32 % 10)] {
                let open = opened(&stream).unwrap();
                assert!(open.ends_with(&EMPTY));
                assert_eq!(inflated(&open, body.len()), (body.clone(), Status::Ok), "{case}");
                let whole = [&*open, &stream].concat();
                let twice = [&*body, &body].concat();
                assert_eq!(inflated(&whole, twice.len()), (twice, Status::StreamEnd), "{case}");
            }
        }
    }

    #[test]
    fn what_does_not_end_with_its_last_block_is_not_opened() {
        let stream = deflated(&b"spans and spans and spans of which each has a name".repeat(9), 6);
        for length in 0..stream.len() {
            assert!(opened(&stream[..length]).is_none(), "{length}");
        }
        assert!(opened(&[&*stream, &[0]].concat()).is_none());
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
            // It ends, and does not panic.
            drop(opened(&noise));
        }
    }
}
