//! Opens the end of a DEFLATE stream (RFC 1951), so that another one may follow.
//!
//! What compresses whole bodies marks its last block as the last of all. To put several bodies into one gzip member, that mark
//! has to go, and the stream has to end at a whole byte. Where the last block begins and ends is written nowhere, so that its
//! symbols are read, which takes a fraction of the time that finding them took.

use crate::stream::{Bits, FIXED, Head, Kind, ROOM};

/// The same blocks with none of them marked as the last, and an empty one behind them that ends at a whole byte, as zlib's
/// Z_SYNC_FLUSH leaves them. `None`: it is no DEFLATE stream that ends with its last block.
pub fn opened(stream: &[u8]) -> Option<Vec<u8>> {
    let mut open = Vec::with_capacity(stream.len() + ROOM);
    open.extend_from_slice(stream);
    // Bits are read some bytes at a time, also from the end.
    open.extend_from_slice(&[0; ROOM]);
    let mut bits = Bits::new(&open);
    let last = loop {
        let begin = bits.at;
        let Head { is_last, kind } = bits.read_head()?;
        match kind {
            Kind::Stored => bits.skip_stored(),
            Kind::Fixed => bits.skip_symbols(&FIXED),
            Kind::Own(lengths) => bits.skip_symbols(&lengths.codes()),
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

/// The rest of an empty stored block: its length, and that once more with each bit turned.
const EMPTY: [u8; 4] = [0, 0, 0xff, 0xff];

#[cfg(test)]
mod tests {
    use flate2::Status;

    use super::*;
    use crate::testing::{inflated, libdeflate, zlib};

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
            let [by_one, by_other] =
                [libdeflate(&body, 1 + case as i32 % 12), zlib(&body, case as u32 % 10, usize::MAX)];
            for stream in [by_one, by_other] {
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
        let stream = libdeflate(&b"spans and spans and spans of which each has a name".repeat(9), 6);
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
