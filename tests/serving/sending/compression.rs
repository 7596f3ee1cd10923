//! Compressed requests to the upstream.

use podstamp::sandbox::Ended;
use podstamp::settings::Settings;
use podstamp_core::config::Compression;
use podstamp_core::interface::{Content, Next};
use podstamp_core::interface::{Edit, Edits};
use podstamp_test_support::client::post;
use podstamp_test_support::codings::{gunzipped, gzip, zlib};
use podstamp_test_support::upstream::{Reaction, Upstream};

use crate::support::{Fake, Setup, answer, forward};

fn compressing(level: u32) -> impl FnOnce(&mut Settings) {
    move |settings| settings.upstream.compression = Compression::Gzip { level }
}

#[tokio::test]
async fn c6_gzip_leaves_as_one_member_with_the_header_that_the_agent_reads() {
    let upstream = Upstream::accepting().await;
    let url = upstream.url();
    let edits = || Edits {
        edits: vec![Edit { offset: 1, remove: 1, insert: 3 }, Edit { offset: 70_000, remove: 0, insert: 2 }],
        inserted: b"abcde".to_vec(),
    };
    let small = b"a body as it is".to_vec();
    let large: Vec<u8> = (0..900_000).map(|index| (index % 253) as u8).collect();
    let edited = edits().apply(&large).unwrap();
    let fake = Fake::answering(move |incoming| {
        let content = match incoming.body.len() {
            900_000 => Content::Edited(edits()),
            1 => Content::Replaced(b"in its place".to_vec()),
            _ => Content::Unchanged,
        };
        Ok(forward(&url, content))
    });
    let setup = Setup::with(fake, compressing(1)).await;
    let mut client = setup.client().await;
    let mut sent = 0;
    for (body, expected) in [(&small, &small), (&large, &edited), (&vec![0], &b"in its place".to_vec())] {
        assert_eq!(client.ask(post("/v1/traces", "", body)).await.status, 200);
        let request = upstream.requests().pop().unwrap();
        assert!(request.head.contains("content-encoding: gzip\r\n"), "{}", request.head);
        assert!(request.head.contains(&format!("content-length: {}\r\n", request.body.len())));
        assert!(gunzipped(&request.body) == *expected);
        sent += request.body.len();
    }
    setup.shows(&format!("podstamp_sent_bytes_total {sent}")).await;
}

#[tokio::test]
async fn the_level_decides_between_speed_and_size() {
    let upstream = Upstream::accepting().await;
    let mut random = fastrand::Rng::with_seed(9);
    let words: Vec<String> = (0..50).map(|_| format!("word{}", random.u32(..))).collect();
    let text: String = (0..5000).map(|_| words[random.usize(..words.len())].as_str()).collect();
    for level in [1, 9] {
        let setup = Setup::with(Fake::forwarding(upstream.url()), compressing(level)).await;
        assert_eq!(setup.client().await.ask(post("/v1/traces", "", text.as_bytes())).await.status, 200);
    }
    let lengths: Vec<_> = upstream.requests().iter().map(|request| request.body.len()).collect();
    assert!(lengths[1] < lengths[0] && lengths[0] < text.len(), "{lengths:?}");
}

#[tokio::test]
async fn what_came_as_one_gzip_member_and_is_unchanged_goes_on_as_it_came() {
    let upstream = Upstream::accepting().await;
    let url = upstream.url();
    let fake = Fake::answering(move |incoming| {
        let edits = Edits { edits: vec![Edit { offset: 0, remove: 1, insert: 0 }], inserted: Vec::new() };
        let content =
            if incoming.body.starts_with(b"edit") { Content::Edited(edits) } else { Content::Unchanged };
        Ok(forward(&url, content))
    });
    let setup = Setup::with(fake, compressing(1)).await;
    let mut client = setup.client().await;
    let header = "content-encoding: gzip\r\n";
    let noise: Vec<u8> = (0..600_000).map(|_| fastrand::u8(..)).collect();
    for body in [&b"small"[..], &noise] {
        let coded = gzip(body);
        assert_eq!(client.ask(post("/v1/traces", header, &coded)).await.status, 200);
        assert!(upstream.requests().pop().unwrap().body == coded, "the same bytes");
    }
    let two = [gzip(b"one"), gzip(b"two")].concat();
    for (header, coded, expected) in [
        (header, &two, &b"onetwo"[..]),
        (header, &gzip(b"edit this"), b"dit this"),
        ("content-encoding: zlib\r\n", &zlib(b"other"), b"other"),
        ("", &b"plain".to_vec(), b"plain"),
    ] {
        assert_eq!(client.ask(post("/v1/traces", header, coded)).await.status, 200);
        let request = upstream.requests().pop().unwrap();
        assert!(request.head.contains("content-encoding: gzip\r\n"));
        assert_eq!(gunzipped(&request.body), expected);
    }
    setup.shows("podstamp_in_flight_bytes 0").await;

    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", header, &gzip(b"small"))).await.status, 200);
    let request = upstream.requests().pop().unwrap();
    assert_eq!(request.body, b"small");
    assert!(!request.head.contains("content-encoding"), "{}", request.head);
}

#[tokio::test]
async fn what_came_as_one_gzip_member_leaves_with_its_edits_and_hardly_another_size() {
    let upstream = Upstream::accepting().await;
    let url = upstream.url();
    let edits = || Edits {
        edits: vec![Edit { offset: 1, remove: 3, insert: 4 }, Edit { offset: 400, remove: 0, insert: 8 }],
        inserted: b"1234app.host".to_vec(),
    };
    let fake = Fake::answering(move |_| Ok(forward(&url, Content::Edited(edits()))));
    let setup = Setup::with(fake, compressing(1)).await;
    let mut client = setup.client().await;
    let mut random = fastrand::Rng::with_seed(9);
    let words: Vec<String> = (0..500).map(|_| format!("word{:x}", random.u64(..))).collect();
    // The last one is compressed away from the connections' threads.
    for count in [3_000, 20_000, 50_000] {
        let body: String = (0..count).map(|_| words[random.usize(..words.len())].as_str()).collect();
        let coded = gzip(body.as_bytes());
        let header = "content-encoding: gzip\r\n";
        assert_eq!(client.ask(post("/v1/traces", header, &coded)).await.status, 200);
        let sent = upstream.requests().pop().unwrap().body;
        assert!(gunzipped(&sent) == edits().apply(body.as_bytes()).unwrap());
        // What the level makes of it is larger by more.
        assert!(sent.len() < coded.len() + coded.len() / 50, "{} of {}", sent.len(), coded.len());
        // What lies far behind them is there bit for bit, if not at the same bit of a byte.
        let behind = &coded[coded.len() * 7 / 8..][..200];
        assert!((0..8).any(|shift| contains(&sent, &shifted(behind, shift))), "{count}");
    }
}

/// The bytes from a bit on, but for the last one.
fn shifted(bytes: &[u8], shift: u32) -> Vec<u8> {
    let next = bytes.iter().skip(1);
    bytes.iter().zip(next).map(|(low, high)| (u16::from_le_bytes([*low, *high]) >> shift) as u8).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn every_attempt_sends_the_same_gzip_and_a_fault_is_judged_on_what_came() {
    let upstream = Upstream::new(|number, _| match number {
        0 => Reaction::answer(503, ""),
        _ => Reaction::Close,
    })
    .await;
    let fake = Fake::forwarding(upstream.url()).concluding(|_, ended| match ended {
        Ended::Response { status: 503, .. } => Ok(Next::Retry(1)),
        Ended::Closed(body) => Ok(Next::Answer(answer(400, &format!("{} bytes", body.len())))),
        other => panic!("{other:?}"),
    });
    let setup = Setup::with(fake, compressing(6)).await;
    let response = setup.client().await.ask(post("/v1/traces", "", &[7; 1000])).await;
    assert_eq!((response.status, response.text()), (400, "1000 bytes"));
    let requests = upstream.requests();
    // The last one because the connection, used before, may have been closed for being idle.
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert_eq!(gunzipped(&requests[0].body), [7; 1000]);
    setup.shows(&format!("podstamp_sent_bytes_total {}", 3 * requests[0].body.len())).await;
}
