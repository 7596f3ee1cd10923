use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;

use super::*;
use crate::receiver::admission::{Admission, Full, Resource};
use crate::settings::Limits;

/// A form of a coding that some clients write.
struct Form {
    name: &'static str,
    coding: Coding,
    encode: fn(&[u8]) -> Vec<u8>,
    /// Whether the form says where it ends.
    has_end: bool,
    /// Whether the form has a CRC; zlib's Adler-32 is not enough, since it misses +1, -2, +1.
    has_crc: bool,
}

const FORMS: [Form; 9] = [
    Form { name: "gzip", coding: Coding::Gzip, encode: gzip, has_end: true, has_crc: true },
    Form { name: "deflate", coding: Coding::Deflate, encode: zlib, has_end: true, has_crc: false },
    Form { name: "raw deflate", coding: Coding::Deflate, encode: raw, has_end: true, has_crc: false },
    Form { name: "zlib", coding: Coding::Zlib, encode: zlib, has_end: true, has_crc: false },
    Form { name: "zstd", coding: Coding::Zstd, encode: zstd_whole, has_end: true, has_crc: false },
    Form { name: "zstd stream", coding: Coding::Zstd, encode: zstd_stream, has_end: true, has_crc: true },
    Form { name: "snappy block", coding: Coding::Snappy, encode: block, has_end: true, has_crc: false },
    Form { name: "snappy", coding: Coding::Snappy, encode: framed, has_end: false, has_crc: true },
    Form { name: "framed", coding: Coding::SnappyFramed, encode: framed, has_end: false, has_crc: true },
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zstd frame with the length of its content, without a checksum.
fn zstd_whole(bytes: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(bytes, 3).unwrap()
}

/// A zstd frame without the length of its content, with a checksum.
fn zstd_stream(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn block(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    let body = encoder.into_inner().unwrap();
    // The library leaves the stream's identifier out of an empty stream.
    if body.is_empty() { b"\xff\x06\0\0sNaPpY".to_vec() } else { body }
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    (0..length).map(|_| random.u8(b'a'..b'k')).collect()
}

/// The decoded body, and the number of bytes that room was asked for.
fn decoded(coding: Coding, body: &[u8], limit: usize) -> (Result<Vec<u8>, Error>, usize) {
    let mut held = 0;
    let mut hold = |more| {
        held += more;
        true
    };
    let mut output = Output::new(limit, &mut hold);
    let result = coding.decode_function().unwrap()(body, &mut output).and_then(|()| output.finish());
    (result, held)
}

fn corrupt(form: &Form, body: &[u8]) -> bool {
    matches!(decoded(form.coding, body, 1 << 20).0, Err(Error::Corrupt(_)))
}

#[test]
fn every_coding_is_undone_whatever_the_length() {
    for form in FORMS {
        for length in [0, 1, 511, 512, 513, 5000, 65_536, 300_000] {
            let bytes = noise(length);
            let (result, held) = decoded(form.coding, &(form.encode)(&bytes), 1 << 20);
            assert_eq!(result, Ok(bytes), "{} of {length}", form.name);
            assert!(held <= (1 << 20) + 1, "{} of {length}", form.name);
        }
    }
}

#[test]
fn s10_the_limit_is_exact() {
    for form in FORMS {
        for (length, limit) in [(10_000, 9_999), (10_000, 100), (300_000, 299_999), (1, 0)] {
            let body = (form.encode)(&noise(length));
            assert_eq!(decoded(form.coding, &body, length).0, Ok(noise(length)), "{} of {length}", form.name);
            let (result, held) = decoded(form.coding, &body, limit);
            assert_eq!(result, Err(Error::TooLarge), "{} over {limit}", form.name);
            assert!(held <= limit + 1, "{} held {held}", form.name);
        }
        assert_eq!(decoded(form.coding, &(form.encode)(b""), 0).0, Ok(Vec::new()), "{}", form.name);
    }
}

#[test]
fn s10_a_bomb_stops_at_the_limit_without_taking_more_room() {
    let zeros = vec![0; 101 << 20];
    for form in FORMS {
        let bomb = (form.encode)(&zeros);
        assert!(bomb.len() < 8 << 20, "{}", form.name);
        let (result, held) = decoded(form.coding, &bomb, 1 << 20);
        assert_eq!(result, Err(Error::TooLarge), "{}", form.name);
        assert!(held <= (1 << 20) + 1, "{} held {held}", form.name);
    }
}

#[test]
fn undoing_stops_where_there_is_no_room() {
    for form in FORMS {
        let body = (form.encode)(&noise(100_000));
        let mut calls = 0;
        let mut hold = |_| {
            calls += 1;
            false
        };
        let result = form.coding.decode_function().unwrap()(&body, &mut Output::new(1 << 20, &mut hold));
        assert_eq!((result, calls), (Err(Error::NoRoom), 1), "{}", form.name);
    }
}

#[test]
fn bodies_that_are_cut_short_are_faults() {
    for form in FORMS {
        let body = (form.encode)(&noise(10_000));
        let begin_and_end = (0..40).chain(body.len() - 40..body.len());
        for cut in begin_and_end.chain((40..body.len()).step_by(97)) {
            // A framed body that is cut behind the identifier is a whole one.
            if form.has_end || cut != 10 {
                assert!(corrupt(&form, &body[..cut]), "{} cut to {cut}", form.name);
            }
        }
    }
}

#[test]
fn what_follows_the_end_is_a_fault() {
    for form in FORMS {
        for length in [0, 1, 10_000] {
            let body = (form.encode)(&noise(length));
            for trailing in [&b"x"[..], b"\0", &[0; 100], b"trailing garbage"] {
                assert!(corrupt(&form, &[&body, trailing].concat()), "{} {length} {trailing:?}", form.name);
            }
        }
    }
}

#[test]
fn damage_is_a_fault_where_there_is_a_crc_and_never_a_panic() {
    let bytes = noise(10_000);
    for form in FORMS {
        let good = (form.encode)(&bytes);
        for at in (0..40).chain((40..good.len()).step_by(61)).chain(good.len() - 12..good.len()) {
            for bit in 0..8 {
                let mut body = good.clone();
                body[at] ^= 1 << bit;
                let (result, held) = decoded(form.coding, &body, 1 << 20);
                // The damage that remains is in headers that do not describe the content, or turns a frame into one that is
                // skipped.
                let passed_over = !form.has_end && at == 10;
                let harmless = !form.has_crc || passed_over || result.as_ref().is_ok_and(|out| *out == bytes);
                assert!(result.is_err() || harmless, "{} byte {at} bit {bit}", form.name);
                assert!(held <= (1 << 20) + 1, "{} byte {at} bit {bit} held {held}", form.name);
            }
        }
        assert_eq!(decoded(form.coding, &good, 1 << 20).0, Ok(bytes.clone()), "a fault does not stay behind");
    }
}

#[test]
fn zlibs_checksum_is_looked_at() {
    let mut body = zlib(&noise(10_000));
    let end = body.len();
    body[end - 1] ^= 1;
    for coding in [Coding::Deflate, Coding::Zlib] {
        assert!(matches!(decoded(coding, &body, 1 << 20).0, Err(Error::Corrupt(_))));
    }
}

#[test]
fn noise_is_a_fault_and_never_a_panic() {
    let mut random = fastrand::Rng::with_seed(11);
    for form in FORMS {
        assert!(corrupt(&form, b"no such coding at all"), "{}", form.name);
        for _ in 0..2000 {
            let body: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            let (_, held) = decoded(form.coding, &body, 1 << 20);
            assert!(held <= (1 << 20) + 1, "{}", form.name);
        }
    }
}

#[test]
fn members_and_frames_are_undone_one_after_the_other() {
    for form in
        FORMS.iter().filter(|form| !form.has_end || [Coding::Gzip, Coding::Zstd].contains(&form.coding))
    {
        for length in [0, 10, 10_000] {
            let bytes = noise(length);
            let body = [(form.encode)(&bytes), (form.encode)(&bytes), (form.encode)(b"more")].concat();
            let whole = [&bytes[..], &bytes, b"more"].concat();
            assert_eq!(decoded(form.coding, &body, 1 << 20).0, Ok(whole), "{}", form.name);
        }
    }
}

#[test]
fn a_claimed_length_is_no_reason_to_take_that_much_room() {
    // The lengths are in gzip's last four bytes, in eight bytes of a zstd frame without a window, and in a block's first bytes.
    let mut gzip = gzip(b"small");
    let end = gzip.len();
    gzip[end - 4..].copy_from_slice(&[0xff, 0xff, 0xff, 0x3f]);
    let zstd = [&b"\x28\xb5\x2f\xfd\xe0"[..], &(1_u64 << 29).to_le_bytes(), &[1, 0, 0]].concat();
    let block = [&[0x80, 0x80, 0x80, 0x80, 2][..], b"\x10small"].concat();
    for (coding, body) in [(Coding::Gzip, gzip), (Coding::Zstd, zstd), (Coding::Snappy, block)] {
        let (result, held) = decoded(coding, &body, 1 << 30);
        assert!(matches!(result, Err(Error::Corrupt(_))), "{coding:?} {result:?}");
        assert!(held <= 1024, "{coding:?} held {held}");
    }
}

#[test]
fn a_window_of_a_gibibyte_takes_no_memory() {
    // Both frames hold four uncompressed bytes; one asks for such a window, the other for an impossible one.
    for (window, expected) in [(0xa0, true), (0xff, false)] {
        let body = [&b"\x28\xb5\x2f\xfd\x00"[..], &[window], b"\x21\x00\x00body"].concat();
        let (result, held) = decoded(Coding::Zstd, &body, 1 << 20);
        assert_eq!(result.is_ok_and(|out| out == b"body"), expected);
        assert!(held <= 1024);
    }
}

fn of(values: &[&str]) -> Option<Coding> {
    let headers = values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap()));
    Coding::of(&headers.collect()).ok()
}

#[test]
fn codings_are_told_by_name_in_any_case() {
    assert_eq!(of(&[]), Some(Coding::Identity));
    assert_eq!(of(&[""]), Some(Coding::Identity));
    assert_eq!(of(&["identity"]), Some(Coding::Identity));
    assert_eq!(of(&["GZip"]), Some(Coding::Gzip));
    assert_eq!(of(&["x-gzip, identity"]), Some(Coding::Gzip));
    for name in Coding::NAMES.split(", ") {
        assert_eq!(of(&[name]).map(Coding::name), Some(name));
        assert_eq!(Coding::named(name.to_uppercase().as_bytes()), of(&[name]));
    }
}

#[test]
fn unknown_codings_and_codings_of_codings_are_refused() {
    assert_eq!(of(&["br"]), None);
    assert_eq!(of(&["gzip, gzip"]), None);
    assert_eq!(of(&["gzip", "zstd"]), None);
}

#[tokio::test]
async fn a_gzip_member_is_kept_and_held_where_somebody_can_use_it() {
    let admission = Arc::new(Admission::new(&Limits::default()));
    let one = gzip(&noise(1000));
    let two = [gzip(b"a"), gzip(b"b")].concat();
    let large = gzip(&noise(900_000));
    for (coding, body, keep, kept) in [
        (Coding::Gzip, &one, true, true),
        (Coding::Gzip, &large, true, true),
        (Coding::Gzip, &one, false, false),
        (Coding::Gzip, &two, true, false),
        (Coding::Zlib, &zlib(b"a"), true, false),
        (Coding::Identity, &one, true, false),
    ] {
        let decoder = Decoder::new(Threads::new(1), keep);
        let mut slot = admission.arrive(&admission.peer(None)).unwrap();
        assert!(slot.hold(body.len()));
        let before = Bytes::from(body.clone());
        let (decoded, slot) = coding.decode(before.clone(), 1 << 20, slot, &decoder).await.unwrap();
        assert_eq!(decoded.gzip, kept.then(|| before.clone()), "{coding:?} {keep}");
        assert!(admission.bytes() >= decoded.body.len() + if kept { body.len() } else { 0 });
        drop(slot);
        assert_eq!(admission.bytes(), 0);
    }
}

#[tokio::test]
async fn what_a_fault_had_taken_is_given_back() {
    let limits = Limits { in_flight_bytes: 4 << 20, per_peer: 1000, ..Limits::default() };
    let admission = Arc::new(Admission::new(&limits));
    let full = Full { resource: Resource::Bytes, of_peer: true };
    let bomb = Bytes::from(gzip(&vec![0; 8 << 20]));
    let decoder = Decoder::new(Threads::new(1), true);
    let too_large = Unreadable::DecodedTooLarge(1 << 20).into();
    for (limit, expected) in [(1 << 20, too_large), (64 << 20, Refusal::Full(full))] {
        let slot = admission.arrive(&admission.peer(None)).unwrap();
        let refusal = Coding::Gzip.decode(bomb.clone(), limit, slot, &decoder).await.unwrap_err();
        assert_eq!(refusal, expected);
        assert_eq!(admission.bytes(), 0);
    }
}
