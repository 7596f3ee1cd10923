use flate2::Status;
use podstamp_core::interface::Edit;

use super::*;
use crate::member::TRAILER;
use crate::opened;
use crate::stream::ROOM;
use crate::testing::{inflated, libdeflate, zlib};

/// What makes a stream of a body.
type Deflate = fn(&[u8]) -> Vec<u8>;

/// As Python, Go and Java do, zlib's fastest, whole blocks of literals, fixed codes alone, with flushes, and libdeflate.
const DEFLATE: [Deflate; 7] = [
    |body| zlib(body, 6, usize::MAX),
    |body| zlib(body, 1, usize::MAX),
    |body| zlib(body, 0, usize::MAX),
    |body| zlib(body, 9, 777),
    |body| zlib(body, 6, 20_000),
    |body| libdeflate(body, 1),
    |body| libdeflate(body, 9),
];

fn splice(stream: &[u8], original: &[u8], edits: &Edits) -> Option<Vec<u8>> {
    // What is around the stream does not matter.
    let member = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], stream, &[0xa5; TRAILER]].concat();
    spliced(&member, original, edits)
}

/// A body with repetitions of all lengths, near and far.
fn body(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    let variety = [0, 2, 20, 100, 256][random.usize(..5)];
    let byte = |random: &mut fastrand::Rng| match variety {
        // Each eight half as often as those before, so that there are codes of all lengths.
        0 => (8 * random.u32(..).trailing_zeros() + random.u32(..8)) as u8,
        _ => random.u32(..variety) as u8,
    };
    let mut body = Vec::with_capacity(length);
    while body.len() < length {
        if body.is_empty() || random.u8(..) < 60 {
            let count = random.usize(1..12);
            body.extend(std::iter::repeat_with(|| byte(random)).take(count));
        } else {
            let from = body.len() - random.usize(1..=body.len().min(40_000));
            let repeated = random.usize(3..=60).min(length);
            (from..from + repeated).for_each(|at| body.push(body[at]));
        }
    }
    body.truncate(length);
    body
}

/// Edits within `range`, which insert what stands in the body or not.
fn edits(random: &mut fastrand::Rng, body: &[u8], range: Range<usize>) -> Edits {
    let mut edits = Edits::default();
    let mut at = range.start;
    for _ in 0..random.usize(1..6) {
        at += random.usize(0..=(range.end - at) / 2);
        let remove = random.usize(0..=20.min(range.end - at));
        let insert = random.usize(0..60);
        let noise = random.bool();
        let byte = |random: &mut fastrand::Rng| match body.len() {
            0 => b'x',
            length if !noise => body[random.usize(..length)],
            _ => random.u8(..),
        };
        edits.inserted.extend((0..insert).map(|_| byte(random)));
        edits.edits.push(Edit { offset: at as u32, remove: remove as u32, insert: insert as u32 });
        at += remove;
    }
    edits
}

fn assert_is(stream: &[u8], expected: &[u8], case: &str) {
    let (plain, status) = inflated(stream, expected.len());
    assert_eq!(status, Status::StreamEnd, "{case}");
    assert!(plain == expected, "{case}: another body");
}

#[test]
fn a_spliced_stream_is_that_of_the_edited_body() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut done = [0; DEFLATE.len()];
    for case in 0..500 {
        let length = if case % 10 == 0 { random.usize(0..300_000) } else { random.usize(0..30_000) };
        let body = body(&mut random, length);
        let range = match case % 4 {
            0 => 0..length.min(600),
            1 => length - length.min(600)..length,
            _ => 0..length,
        };
        let edits = edits(&mut random, &body, range);
        let expected = edits.apply(&body).unwrap();
        for (number, deflate) in DEFLATE.iter().enumerate() {
            let stream = deflate(&body);
            let Some(spliced) = splice(&stream, &body, &edits) else { continue };
            assert_is(&spliced, &expected, &format!("{case} by {number}: {edits:?}"));
            let most = stream.len() + stream.len() / SPARE + edits.inserted.len() * 9 / 8 + 600;
            assert!(spliced.len() <= most, "{case} by {number}: {} of {}", spliced.len(), stream.len());
            done[number] += 1;
        }
    }
    // Where it is stored without being compressed there is nothing to splice.
    assert!(done.iter().enumerate().all(|(number, done)| *done > 100 || number == 2), "{done:?}");
}

#[test]
fn what_is_stamped_as_it_is_usually_takes_hardly_more_than_what_came() {
    for spans in [130, 1_000, 10_000] {
        let body = spans_of(spans);
        let attribute = b"\x0a\x1e\x0a\x0bapp.host.ip\x12\x0f\x0a\x0d10.244.131.17";
        // The lengths of ResourceSpans and Resource, and the attribute.
        let edit = |offset, remove, insert| Edit { offset, remove, insert };
        let edits = Edits {
            edits: vec![edit(1, 3, 3), edit(5, 2, 2), edit(400, 0, attribute.len() as u32)],
            inserted: [&b"\xb1\xf2\x03\xc3\x07"[..], attribute].concat(),
        };
        let expected = edits.apply(&body).unwrap();
        for (number, deflate) in DEFLATE.iter().enumerate().filter(|(number, _)| ![2, 3].contains(number)) {
            let stream = deflate(&body);
            let spliced = splice(&stream, &body, &edits).unwrap();
            assert_is(&spliced, &expected, &format!("{spans} by {number}"));
            let more = spliced.len().saturating_sub(stream.len());
            assert!(
                more < 260 && more * 40 < stream.len(),
                "{spans} by {number}: {more} of {}",
                stream.len()
            );
        }
    }
}

/// Text as spans have it: the same names again and again, and ids between them.
fn spans_of(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut body = b"\x0a\x80\x80\x04\x0a\x80\x03".to_vec();
    body.extend(
        (0..60).flat_map(|number| format!("\x0a\x18\x0a\x06key.{number}\x12\x08value {number}").into_bytes()),
    );
    for number in 0..count {
        body.extend([0x12, 0x90, 0x03, 0x0a, 0x10]);
        body.extend((0..24).map(|_| random.u8(..)));
        body.extend(
            format!("GET /orders/{number} http.request.method GET http.response.status_code 200")
                .into_bytes(),
        );
        body.extend(b"url.path /orders server.address shop.default.svc network.protocol.version 1.1");
        body.extend(random.u64(..).to_le_bytes());
    }
    body
}

#[test]
fn blocks_with_nothing_in_them_change_nothing() {
    let body = spans_of(200);
    let stream = zlib(&body, 6, usize::MAX);
    let edits = Edits { edits: vec![Edit { offset: 9, remove: 1, insert: 4 }], inserted: b"more".to_vec() };
    let expected = edits.apply(&body).unwrap();
    let fixed = |out: &mut Writer| out.put(EMPTY.0, EMPTY.1);
    let stored = |out: &mut Writer| out.store(&[]);
    for empty in [&fixed as &dyn Fn(&mut Writer), &stored] {
        // So many that the stream begins at a whole byte.
        for count in [4, 400] {
            let mut out = Writer::default();
            (0..count).for_each(|_| empty(&mut out));
            let whole = [&*stream, &[0; ROOM]].concat();
            out.copy(Bits::new(&whole), 0..8 * stream.len());
            let with_empty = out.finish();
            assert!(inflated(&opened(&with_empty).unwrap(), body.len()) == (body.clone(), Status::Ok));
            assert_is(&splice(&with_empty, &body, &edits).unwrap(), &expected, &count.to_string());
        }
    }
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let body = spans_of(100);
    let stream = zlib(&body, 6, usize::MAX);
    let end = body.len() as u32;
    for (edits, inserted) in [
        (vec![(10, 5, 0), (12, 1, 0)], 0),
        (vec![(50, 0, 1), (10, 0, 1)], 2),
        (vec![(0, 0, 3)], 2),
        (vec![(end - 2, 3, 0)], 0),
        (vec![(end + 1, 0, 1)], 1),
        (vec![(u32::MAX, u32::MAX, 0)], 0),
    ] {
        let edits =
            edits.into_iter().map(|(offset, remove, insert)| Edit { offset, remove, insert }).collect();
        let edits = Edits { edits, inserted: vec![b'x'; inserted] };
        assert!(splice(&stream, &body, &edits).is_none(), "{edits:?}");
    }
}

#[test]
fn what_is_no_stream_of_the_body_is_refused_and_noise_ends() {
    let body = spans_of(60);
    let edits = Edits { edits: vec![Edit { offset: 9, remove: 1, insert: 4 }], inserted: b"more".to_vec() };
    let stream = zlib(&body, 6, usize::MAX);
    assert!(splice(&stream, &body, &edits).is_some());
    for length in 0..stream.len() {
        assert!(splice(&stream[..length], &body, &edits).is_none(), "{length}");
    }
    assert!(splice(&[&*stream, &[0]].concat(), &body, &edits).is_none());
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..5_000 {
        let mut noise: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
        drop(splice(&noise, &body, &edits));
        // Codes and symbols of a stream, and then something else.
        noise = [&stream[..random.usize(0..stream.len())], &noise].concat();
        drop(splice(&noise, &body, &edits));
    }
}
