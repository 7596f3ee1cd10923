//! Requests as they come in, and as the filter gets to see them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use podstamp::sandbox::{Failure, ReceivedRequest};
use podstamp_core::interface::{Header, Verdict};
use podstamp_test_support::client::post;
use podstamp_test_support::codings::{gzip, raw_deflate, snappy_frames, zlib};
use podstamp_test_support::upstream::Upstream;

use crate::support::{Fake, Setup, answer};

/// A server whose filter keeps what it sees and answers 200.
async fn watching() -> (Setup, Arc<Mutex<Vec<ReceivedRequest>>>) {
    let seen = Arc::<Mutex<Vec<ReceivedRequest>>>::default();
    let keep = Arc::clone(&seen);
    let setup = Setup::new(Fake::answering(move |incoming| {
        keep.lock().unwrap().push(incoming.clone());
        Ok(Verdict::Answer(answer(200, "fine")))
    }))
    .await;
    (setup, seen)
}

#[tokio::test]
async fn both_paths_take_traces_over_one_connection() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    for path in ["/v1/traces", "/api/v1/otel/trace", "/v1/traces?x=1"] {
        let response = client.ask(post(path, "", b"body")).await;
        assert_eq!((response.status, response.text()), (200, "fine"));
    }
    let paths: Vec<_> = seen.lock().unwrap().iter().map(|incoming| incoming.path.clone()).collect();
    assert_eq!(paths, ["/v1/traces", "/api/v1/otel/trace", "/v1/traces"]);
    setup.shows("podstamp_requests_total{outcome=\"accepted\",code=\"200\"} 3").await;
    setup.shows("podstamp_spans_total{outcome=\"accepted\"} 9").await;
    setup.shows("podstamp_received_bytes_total 12").await;
    setup.shows("podstamp_requests_in_flight 0").await;
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn the_filter_sees_the_peer_and_only_the_headers_that_it_reads() {
    let (setup, seen) = watching().await;
    let headers =
        "X-Forwarded-For: 10.0.0.1\r\ncookie: secret\r\nx-forwarded-for: \u{ff}\r\nContent-Type: a/b\r\n";
    setup.client().await.ask(post("/v1/traces", headers, b"")).await;
    let incoming = seen.lock().unwrap().pop().unwrap();
    assert_eq!(incoming.peer, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(
        incoming.headers,
        [
            Header::new("content-type", "a/b"),
            Header::new("x-forwarded-for", "10.0.0.1"),
            Header { name: "x-forwarded-for".to_owned(), value: "\u{ff}".as_bytes().to_vec() },
        ]
    );
}

#[tokio::test]
async fn bodies_of_every_size_and_framing_arrive_whole() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    for length in [0, 1, 8 << 10, 100_000, 1 << 20] {
        let body: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        assert_eq!(client.ask(post("/v1/traces", "", &body)).await.status, 200);
        assert_eq!(seen.lock().unwrap().pop().unwrap().body, body);

        let mut chunked =
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(50_000) {
            chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(client.ask(chunked).await.status, 200);
        assert_eq!(seen.lock().unwrap().pop().unwrap().body, body);
    }
}

#[tokio::test]
async fn gzip_is_undone_over_all_members_large_bodies_too() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    let mut random = fastrand::Rng::with_seed(5);
    let noise: Vec<u8> = (0..900_000).map(|_| random.u8(..)).collect();
    for body in [&noise[..100], &noise[..]] {
        let coded = [gzip(body), gzip(b"more")].concat();
        assert_eq!(client.ask(post("/v1/traces", "content-encoding: gzip\r\n", &coded)).await.status, 200);
        assert_eq!(seen.lock().unwrap().pop().unwrap().body, [body, b"more"].concat());
    }
}

#[tokio::test]
async fn s2_every_coding_of_the_collector_is_undone_but_lz4() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    let body: Vec<u8> = (0..500_000).map(|index| (index % 251 * index % 13) as u8).collect();
    for (name, coded) in [
        ("identity", body.clone()),
        ("gzip", gzip(&body)),
        ("x-gzip", gzip(&body)),
        ("deflate", zlib(&body)),
        ("deflate", raw_deflate(&body)),
        ("zlib", zlib(&body)),
        ("zstd", zstd::bulk::compress(&body, 3).unwrap()),
        ("zstd", zstd::stream::encode_all(&body[..], 19).unwrap()),
        ("snappy", snap::raw::Encoder::new().compress_vec(&body).unwrap()),
        ("snappy", snappy_frames(&body)),
        ("x-snappy-framed", snappy_frames(&body)),
    ] {
        let header = format!("content-encoding: {name}\r\n");
        assert_eq!(client.ask(post("/v1/traces", &header, &coded)).await.status, 200, "{name}");
        assert!(seen.lock().unwrap().pop().unwrap().body == body, "{name}");

        let cut = &coded[..coded.len() - 3];
        let expected = if name == "identity" { 200 } else { 400 };
        assert_eq!(client.ask(post("/v1/traces", &header, cut)).await.status, expected, "{name} cut short");
        seen.lock().unwrap().clear();

        let over = client.ask(post("/v1/traces", &header, &coded.repeat(3))).await;
        // Three after another are over the limit where they are read at all.
        assert!([400, 413].contains(&over.status), "{name} {}", over.status);
    }
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn a_small_body_that_is_large_inside_is_undone_too() {
    let fake = Fake::answering(|incoming| Ok(Verdict::Answer(answer(200, &incoming.body.len().to_string()))));
    let setup = Setup::with(fake, |settings| settings.limits.body = 10 << 20).await;
    let mut client = setup.client().await;
    for (length, status) in [(4 << 20, 200), ((4 << 20) + 1, 200), (10 << 20, 200), ((10 << 20) + 1, 413)] {
        let coded = gzip(&vec![0; length]);
        assert!(coded.len() < 100_000);
        let response = client.ask(post("/v1/traces", "content-encoding: gzip\r\n", &coded)).await;
        assert_eq!(response.status, status, "{length}");
        assert!(status == 413 || response.text() == length.to_string());
    }
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn more_than_one_host_is_refused() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    let response = client.ask(post("/v1/traces", "host: y\r\n", b"body")).await;
    assert_eq!(response.status, 400);
    assert!(response.text().ends_with("the request has more than one Host"), "{}", response.text());
    assert!(seen.lock().unwrap().is_empty());
    setup.shows("podstamp_refused_requests_total{reason=\"protocol\"} 1").await;
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
}

/// RFC 9112, section 6.1: with both, Transfer-Encoding counts and the connection ends, so that no proxy on the way that
/// went by the other can be made to hand on a request that it has not seen.
#[tokio::test]
async fn nothing_hides_behind_a_length_beside_chunks() {
    for [first, second] in [
        ["content-length: 4", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 4"],
    ] {
        let (setup, seen) = watching().await;
        let mut client = setup.client().await;
        let hidden = post("/v1/traces", "", b"hidden");
        let both = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\n{first}\r\n{second}\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        );
        let response = client.ask([both.as_bytes(), &hidden].concat()).await;
        assert_eq!((response.status, response.header("connection")), (200, Some("close")), "{first}");
        assert!(client.is_closed().await, "{first}");
        let bodies: Vec<_> = seen.lock().unwrap().iter().map(|incoming| incoming.body.clone()).collect();
        assert_eq!(bodies, [&b"body"[..]], "{first}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_get_a_status_in_the_clients_encoding() {
    let (setup, _) = watching().await;
    let mut client = setup.client().await;
    let response = client.ask(post("/v1/metrics", "content-type: application/x-protobuf\r\n", b"body")).await;
    assert_eq!(response.status, 404);
    assert_eq!(response.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(response.body[..4], [0x08, 12, 0x12, response.body.len() as u8 - 4]);
    assert!(response.text().ends_with("podstamp carries traces only: set OTEL_METRICS_EXPORTER=none"));

    let response = client.ask(post("/", "content-type: application/json; charset=utf-8\r\n", b"{}")).await;
    assert_eq!((response.status, response.header("content-type")), (404, Some("application/json")));
    assert_eq!(response.text(), r#"{"code":12,"message":"nothing is here; traces go to /v1/traces"}"#);

    let response = client.ask("GET /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
    setup.shows("podstamp_requests_total{outcome=\"refused\",code=\"404\"} 2").await;
    for reason in ["signal", "path", "method"] {
        setup.shows(&format!("podstamp_refused_requests_total{{reason=\"{reason}\"}} 1")).await;
    }
}

#[tokio::test]
async fn unknown_codings_and_bad_gzip_are_refused_and_the_connection_goes_on() {
    let (setup, seen) = watching().await;
    let mut client = setup.client().await;
    let known = "gzip, deflate, zlib, zstd, snappy, x-snappy-framed, identity";
    for unknown in ["br", "lz4", "gzip, gzip"] {
        let coding = format!("content-encoding: {unknown}\r\n");
        let response = client.ask(post("/v1/traces", &coding, b"body")).await;
        assert_eq!((response.status, response.header("accept-encoding")), (415, Some(known)), "{unknown}");
        assert!(String::from_utf8_lossy(&response.body).contains(known));
    }
    for bad in [&b"no gzip"[..], &gzip(b"cut short")[..20], &[&gzip(b"x")[..], b"garbage"].concat()] {
        let response = client.ask(post("/v1/traces", "content-encoding: gzip\r\n", bad)).await;
        assert_eq!((response.status, response.body[1]), (400, 3));
    }
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
}

#[tokio::test]
async fn each_failure_of_the_filter_has_its_status_and_is_counted_apart() {
    let setup = Setup::new(Fake::answering(|incoming| match &incoming.body[..] {
        b"trap" => Err(Failure::Trap("secret backtrace".to_owned())),
        b"timeout" => Err(Failure::Timeout(100)),
        b"memory" => Err(Failure::MemoryLimit(1)),
        b"nonsense" => Err(Failure::InvalidAnswer("secret".to_owned())),
        b"busy" => Err(Failure::Busy),
        _ => Ok(Verdict::Answer(answer(200, ""))),
    }))
    .await;
    let mut client = setup.client().await;
    for (body, status, kind) in [
        ("trap", 500, "trap"),
        ("timeout", 500, "timeout"),
        ("memory", 500, "memory_limit"),
        ("nonsense", 500, "invalid_answer"),
        ("busy", 503, "busy"),
    ] {
        let response =
            client.ask(post("/v1/traces", "content-type: application/json\r\n", body.as_bytes())).await;
        assert_eq!(response.status, status, "{body}");
        assert_eq!(response.header("retry-after"), (status == 503).then_some("1"), "{body}");
        assert!(!response.text().contains("secret"), "{}", response.text());
        setup.shows(&format!("podstamp_filter_failures_total{{kind=\"{kind}\"}} 1")).await;
    }
    assert_eq!(client.ask(post("/v1/traces", "", b"fine")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_come_again_until_the_pods_are_known_where_they_have_to_wait_for_them() {
    let upstream = Upstream::accepting().await;
    let setup =
        Setup::with(Fake::forwarding(upstream.url()), |settings| settings.waits_for_pods = true).await;
    let mut client = setup.client().await;
    let refused = client.ask(post("/v1/traces", "", b"early")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    setup.shows("podstamp_refused_requests_total{reason=\"pods\"} 1").await;
    assert!(setup.instruments.readiness.missing().is_some());

    setup.instruments.readiness.pods_loaded();
    assert_eq!(client.ask(post("/v1/traces", "", b"again")).await.status, 200);
    assert_eq!(upstream.requests().len(), 1, "the first one went nowhere");
}
