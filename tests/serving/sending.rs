//! Requests to the upstream, and what the client is told of how they end.

mod compression;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use podstamp::sandbox::Ended;
use podstamp_core::interface::{Content, Mended, Next};
use podstamp_core::interface::{Edit, Edits};
use podstamp_test_support::client::post;
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{Fake, Setup, answer, forward};

#[tokio::test]
async fn requests_share_one_connection_and_have_a_length() {
    let upstream = Upstream::accepting().await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let mut client = setup.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!((request.connection, &request.body[..]), (0, &b"body"[..]));
        assert!(request.head.starts_with("POST /api/v1/otel/trace HTTP/1.1\r\n"));
        assert!(request.head.contains(&format!("host: {}\r\n", upstream.address)));
        assert!(request.head.contains("content-type: application/x-protobuf\r\n"));
        assert!(request.head.contains("content-length: 4\r\n"));
        assert!(!request.head.contains("transfer-encoding"));
    }
    setup.shows("podstamp_sent_bytes_total 12").await;
    setup.shows("podstamp_upstream_attempts_total{outcome=\"2xx\"} 3").await;
}

#[tokio::test]
async fn an_edited_body_arrives_as_if_it_had_been_copied_together() {
    let upstream = Upstream::accepting().await;
    let url = upstream.url();
    let body: Vec<u8> = (0..900_000).map(|index| (index % 253) as u8).collect();
    let edits = Edits {
        edits: (0..300)
            .map(|index| Edit { offset: index * 3000 + index * index / 200, remove: 2, insert: 3 })
            .collect(),
        inserted: (0..900).map(|index| index as u8).collect(),
    };
    let expected = edits.apply(&body).unwrap();
    let fake = Fake::answering(move |_| Ok(forward(&url, Content::Edited(edits.clone()))));
    let setup = Setup::new(fake).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", &body)).await.status, 200);
    let request = upstream.requests().pop().unwrap();
    assert!(request.head.contains(&format!("content-length: {}\r\n", expected.len())));
    assert!(request.body == expected);
}

#[tokio::test]
async fn edits_and_urls_that_make_no_sense_are_the_filters_fault() {
    let fake = Fake::answering(|incoming| {
        let edits = Edits { edits: vec![Edit { offset: 9, remove: 9, insert: 0 }], inserted: vec![] };
        match &incoming.body[..] {
            b"edits" => Ok(forward("http://127.0.0.1:9/", Content::Edited(edits))),
            _ => Ok(forward("http://[", Content::Unchanged)),
        }
    });
    let setup = Setup::new(fake).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"edits")).await.status, 500);
    assert_eq!(client.ask(post("/v1/traces", "", b"url")).await.status, 500);
    setup.shows("podstamp_filter_failures_total{kind=\"invalid_answer\"} 2").await;
    setup.shows("podstamp_spans_total{outcome=\"failed\"} 6").await;
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_while_idle_is_not_used_again() {
    for pause in [0, 20] {
        let upstream = Upstream::new(|_, _| {
            Reaction::WriteAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec())
        })
        .await;
        let setup = Setup::new(Fake::forwarding(upstream.url())).await;
        let mut client = setup.client().await;
        for number in 0..20 {
            let response = client.ask(post("/v1/traces", "", b"body")).await;
            assert_eq!((response.status, response.text()), (200, ""), "request {number} after {pause} ms");
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

#[tokio::test]
async fn a_closed_connection_is_told_with_the_body_as_it_came() {
    let upstream = Upstream::new(|_, _| Reaction::Close).await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let mut client = setup.client().await;
    for _ in 0..2 {
        let response = client.ask(post("/v1/traces", "", &[1; 50_000])).await;
        assert_eq!((response.status, response.text()), (400, "closed on 50000 bytes"));
    }
    assert_eq!(upstream.requests().len(), 2, "nothing is sent twice behind the filter's back");
    setup.shows("podstamp_upstream_attempts_total{outcome=\"closed\"} 2").await;
}

#[tokio::test]
async fn a_response_that_breaks_off_or_is_none_counts_as_closed() {
    for bytes in [&b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"[..], b"\x15\x03\x01\x00\x02\x02\x16"]
    {
        let upstream = Upstream::new(|_, _| Reaction::WriteAndClose(bytes.to_vec())).await;
        let setup = Setup::new(Fake::forwarding(upstream.url())).await;
        let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
        assert_eq!((response.status, response.text()), (400, "closed on 4 bytes"));
    }
}

#[tokio::test]
async fn nobody_listening_means_not_connected() {
    // Held, so that no other test's listener gets the port.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/", bound.local_addr().unwrap());
    let fake = Fake::forwarding(url).concluding(|_, ended| match ended {
        Ended::NotConnected(reason) => Ok(Next::Answer(answer(503, reason))),
        other => panic!("{other:?}"),
    });
    let setup = Setup::new(fake).await;
    let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
    assert_eq!(response.status, 503);
    assert!(response.text().contains("refused"), "{}", response.text());
}

#[tokio::test]
async fn the_filter_asks_for_further_attempts_and_learns_their_number_and_time() {
    let upstream = Upstream::new(|number, _| Reaction::answer(if number < 2 { 503 } else { 200 }, "")).await;
    let fake = Fake::forwarding(upstream.url()).concluding(|attempt, ended| match ended {
        Ended::Response { status: 200, .. } => {
            Ok(Next::Answer(answer(200, &format!("{} {}", attempt.number, attempt.elapsed >= 60))))
        }
        _ => Ok(Next::Retry(30)),
    });
    let setup = Setup::new(fake).await;
    let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
    assert_eq!((response.status, response.text()), (200, "3 true"));
    assert_eq!(upstream.requests().len(), 3);
    setup.shows("podstamp_upstream_retries_total 2").await;
}

#[tokio::test]
async fn a_silent_upstream_times_out_and_a_filter_that_never_gives_up_is_stopped() {
    let upstream = Upstream::new(|_, _| Reaction::Silence).await;
    let fake = || Fake::forwarding_within(300, upstream.url());
    let setup = Setup::new(fake()).await;
    let begun = Instant::now();
    let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
    assert_eq!((response.status, response.text()), (504, "timed out"));
    assert!(begun.elapsed() >= Duration::from_millis(300));

    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let fake = fake().concluding(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Next::Retry(1))
    });
    let setup = Setup::new(fake).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"body")).await.status, 500);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_response_over_4_mib_is_not_read() {
    let declared =
        Upstream::new(|_, _| Reaction::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 4194305\r\n\r\n".to_vec()))
            .await;
    let chunked = Upstream::new(|_, _| {
        let mut response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..5 {
            response.extend_from_slice(b"100000\r\n");
            response.extend_from_slice(&[0; 1 << 20]);
            response.extend_from_slice(b"\r\n");
        }
        Reaction::WriteAndClose(response)
    })
    .await;
    let fits = Upstream::new(|_, _| Reaction::answer(200, &"x".repeat(4 << 20))).await;
    for (upstream, status) in [(declared, 500), (chunked, 500), (fits, 200)] {
        let setup = Setup::new(Fake::forwarding(upstream.url())).await;
        assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"body")).await.status, status);
    }
}

#[tokio::test]
async fn a_response_with_too_many_or_too_long_headers_is_told_as_too_large() {
    for headers in ["x: y\r\n".repeat(101), format!("x: {}\r\n", "y".repeat(1_000_000))] {
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{headers}\r\n");
        let upstream =
            Upstream::new(move |_, _| Reaction::WriteAndClose(response.clone().into_bytes())).await;
        let setup = Setup::new(Fake::forwarding(upstream.url())).await;
        let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
        assert_eq!((response.status, response.text()), (500, "oversized"), "{} bytes", headers.len());
        setup.shows("podstamp_upstream_attempts_total{outcome=\"oversized\"} 1").await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_read_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let setup = Setup::with(Fake::forwarding(url), |settings| settings.limits.body = 16 << 20).await;
    let response = setup.client().await.ask(post("/v1/traces", "", &vec![0; 16 << 20])).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let upstream = Upstream::new(|_, _| Reaction::Silence).await;
    let setup = Setup::new(Fake::forwarding(upstream.url())).await;
    let mut client = setup.client().await;
    client.send(post("/v1/traces", "", b"body")).await;
    setup.shows("podstamp_requests_in_flight 1").await;
    drop(client);
    setup.shows("podstamp_requests_in_flight 0").await;
    setup.shows("podstamp_requests_total{outcome=\"cancelled\",code=\"\"} 1").await;
    setup.shows("podstamp_spans_total{outcome=\"cancelled\"} 3").await;
}

#[tokio::test]
async fn what_is_mended_is_sent_in_place_of_what_the_upstream_closed_on() {
    let upstream = Upstream::new(|number, _| match number {
        0 => Reaction::Close,
        _ => Reaction::answer(200, "taken"),
    })
    .await;
    let fake = Fake::forwarding(upstream.url()).concluding(|_, ended| match ended {
        Ended::Closed(body) => Ok(Next::Mend(Mended { body: vec![b'?'; body.len()], texts: 4 })),
        Ended::Response { status, .. } => Ok(Next::Answer(answer(*status, ""))),
        other => panic!("{other:?}"),
    });
    let setup = Setup::new(fake).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"\xff\xff\xff\xff")).await.status, 200);
    let sent: Vec<_> = upstream.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(sent, [b"\xff\xff\xff\xff".to_vec(), b"????".to_vec()]);
    setup.shows("podstamp_guard_repairs_total{rule=\"text_mended\"} 4").await;
    setup.shows("podstamp_spans_total{outcome=\"accepted\"} 3").await;
}

#[tokio::test]
async fn a_guest_that_mends_without_end_is_stopped() {
    let upstream = Upstream::new(|_, _| Reaction::Close).await;
    let fake = Fake::forwarding(upstream.url()).concluding(|_, ended| match ended {
        Ended::Closed(body) => Ok(Next::Mend(Mended { body: body.to_vec(), texts: 1 })),
        other => panic!("{other:?}"),
    });
    let setup = Setup::new(fake).await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"x")).await.status, 500);
    assert_eq!(upstream.requests().len(), 2);
}
