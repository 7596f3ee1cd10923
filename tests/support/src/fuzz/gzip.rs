//! What has to hold for any gzip member and any edits of its body: it is edited as the body would be, or not at all.

use std::io::Write as _;

use flate2::{Compression, Decompress, FlushDecompress, Status, write};
use podstamp_core::interface::{Edit, Edits};
use podstamp_deflate::{opened, spliced};

/// A byte that says what the bytes at the end are: a DEFLATE stream, or a body that is compressed at one of ten levels, in one piece or
/// with flushes. Then how many edits there are, and four bytes of each.
pub fn gzip(data: &[u8]) {
    let Some(([how, count], rest)) = data.split_first_chunk() else { return };
    let Some((places, rest)) = rest.split_at_checked(usize::from(count % 16) * 4) else { return };
    let (stream, body) = match how {
        0..0x80 => (rest.to_vec(), inflated(rest)),
        _ => {
            let how = how & 0x7f;
            let flushed = if how < 50 { usize::MAX } else { 1 + usize::from(how) };
            (zlib(rest, u32::from(how % 10), flushed), Some(rest.to_vec()))
        }
    };
    let member = [&HEADER[..], &stream, &[0xa5; 8]].concat();
    let Some(body) = body else {
        // Neither panics, nor does either take it for a stream that it could be.
        drop(spliced(&member, rest, &edits(places, rest)));
        if let Some(open) = opened(&stream) {
            assert_eq!(inflated(&closed(open)), None);
        }
        return;
    };
    let open = opened(&stream).expect("it ends with its last block");
    assert!(inflated(&closed(open)).is_some_and(|plain| plain == body));
    let edits = edits(places, &body);
    let Some(spliced) = spliced(&member, &body, &edits) else { return };
    let expected = edits.apply(&body).expect("the edits fit the body");
    assert!(inflated(&spliced).is_some_and(|plain| plain == expected), "{edits:?}");
    let most = stream.len() + stream.len() / 50 + edits.inserted.len() * 9 / 8 + 600;
    assert!(spliced.len() <= most, "{} of {}", spliced.len(), stream.len());
    assert!(opened(&spliced).is_some());
}

/// Edits that fit the body: of each how far it is behind the one ahead of it, how much it removes, and how much it inserts, which the
/// body has somewhere or not.
fn edits(places: &[u8], body: &[u8]) -> Edits {
    let mut edits = Edits::default();
    let mut at = 0;
    for [low, high, remove, insert] in places.as_chunks().0 {
        at += usize::from(u16::from_le_bytes([*low, *high])) % (body.len() - at + 1);
        let remove = usize::from(remove % 40).min(body.len() - at);
        let inserted: Vec<u8> = match insert {
            0..0x80 => body[body.len() / 2..].iter().copied().take(usize::from(*insert)).collect(),
            _ => (0..insert & 0x3f).map(|number| number.wrapping_mul(37) ^ high).collect(),
        };
        edits.edits.push(Edit { offset: at as u32, remove: remove as u32, insert: inserted.len() as u32 });
        edits.inserted.extend(inserted);
        at += remove;
    }
    edits
}

/// A stream of zlib, flushed each time that so many bytes have come.
pub fn zlib(body: &[u8], level: u32, flushed: usize) -> Vec<u8> {
    let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::new(level));
    for part in body.chunks(flushed) {
        encoder.write_all(part).unwrap();
        if flushed < usize::MAX {
            encoder.flush().unwrap();
        }
    }
    encoder.finish().unwrap()
}

/// The body of a whole stream, if it is one and not too large to be looked at.
fn inflated(stream: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(LARGEST);
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress_vec(stream, &mut plain, FlushDecompress::None).ok()?;
    (status == Status::StreamEnd && inflate.total_in() == stream.len() as u64).then_some(plain)
}

/// An opened stream with nothing more.
fn closed(mut open: Vec<u8>) -> Vec<u8> {
    open.extend([3, 0]);
    open
}

/// A member's header: magic number, deflate, no flags, no time, no extra flags, no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

const LARGEST: usize = 1 << 20;
