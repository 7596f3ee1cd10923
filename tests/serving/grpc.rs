//! OTLP/gRPC, and both protocols on one address.

mod health;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use podstamp::sandbox::Failure;
use podstamp::settings::{Grpc, Http, Listener};
use podstamp_core::answer::{Code, Failure as Failed};
use podstamp_core::interface::{Answer, Encoding, Header, Verdict};
use podstamp_test_support::client::{Client, Http2, framed, framed_compressed, post};
use podstamp_test_support::codings::gzip;
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Fake, Setup, answer};

/// Takes everything that begins with `x` and is told to be gRPC, as the filter would.
fn accepting() -> Fake {
    Fake::answering(|incoming| {
        let grpc = incoming.headers.iter().any(|header| header.value.starts_with(b"application/grpc"));
        assert!(grpc && incoming.body.iter().all(|byte| *byte == b'x'), "{incoming:?}");
        Ok(Verdict::Answer(accepted()))
    })
}

fn accepted() -> Answer {
    let headers = vec![Header::new("content-type", "application/grpc"), Header::new("grpc-status", "0")];
    Answer { status: 200, headers, body: b"taken".to_vec(), notice: None }
}

#[tokio::test]
async fn g1_an_export_gets_a_message_and_trailers() {
    let setup = Setup::new(accepting()).await;
    let client = setup.grpc().await;
    let answered = client.export(framed(b"xxx")).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.headers["content-type"], "application/grpc");
    assert_eq!(answered.body, framed(b"taken"));
    assert_eq!(answered.trailers["grpc-status"], "0");
    assert!(!answered.headers.contains_key("grpc-status"));
    setup.shows(r#"podstamp_requests_total{outcome="accepted",code="200"} 1"#).await;
    setup.shows("podstamp_received_bytes_total 8").await;
    setup.shows("podstamp_decoded_bytes_total 3").await;
}

#[tokio::test]
async fn g1_a_message_over_the_limit_is_refused_for_good() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.body = 2_000;
        let grpc = Grpc { message: Some(1_000), ..Grpc::default() };
        settings.listeners[1].grpc = Some(grpc);
    })
    .await;
    let client = setup.grpc().await;
    assert_eq!(client.export(framed(&[b'x'; 1_000])).await.code(), "0");
    for too_much in [framed(&[b'x'; 1_001]), framed(&[b'x'; 100_000])] {
        let answered = client.export(too_much).await;
        assert_eq!((answered.status, answered.code()), (200, "8"));
        assert_eq!(answered.grpc("grpc-status-details-bin"), "", "no RetryInfo: clients do not try again");
        assert!(answered.message().contains("1005 bytes"), "{}", answered.message());
    }
    let bomb = framed_compressed(&gzip(&[b'x'; 500_000]));
    let answered = client.export_with(bomb, &[("grpc-encoding", "gzip")]).await;
    assert_eq!(answered.code(), "8");
    // Over HTTP, the limit is its own.
    let mut http = setup.client().await;
    let grpc = "content-type: application/json\r\n";
    assert_eq!(http.ask(post("/v1/traces", grpc, &[b'x'; 2_001])).await.status, 413);
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn g1_requests_of_one_connection_go_on_at_the_same_time() {
    let together = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&together);
    let upstream = Upstream::new(move |_, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        Reaction::Silence
    })
    .await;
    let fake = Fake::forwarding(format!("http://{}/", upstream.address));
    // An upstream other than deepflow-agent.
    let setup = Setup::with(fake, |settings| settings.upstream.connections = None).await;
    let client = setup.grpc().await;
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.export(framed(b"x")).await })
        })
        .collect();
    while together.load(Ordering::SeqCst) < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    requests.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn g3_a_full_server_says_when_to_come_again() {
    let setup = Setup::with(accepting(), |settings| settings.limits.in_flight = 0).await;
    let answered = setup.grpc().await.export(framed(b"x")).await;
    assert_eq!((answered.status, answered.code()), (200, "14"));
    assert!(answered.grpc("grpc-status-details-bin").len() > 20, "RetryInfo");
    assert_eq!(answered.body.len(), 0);
}

#[tokio::test]
async fn g3_failures_of_the_filter_have_their_codes() {
    for (failure, code) in [
        (Failure::Trap("unreachable".to_owned()), "13"),
        (Failure::Timeout(2), "13"),
        (Failure::MemoryLimit(3), "13"),
        (Failure::Busy, "14"),
    ] {
        let setup = Setup::new(Fake::answering(move |_| Err(failure.clone()))).await;
        assert_eq!(setup.grpc().await.export(framed(b"x")).await.code(), code);
    }
    let refusing = Fake::answering(|_| {
        let failed = Failed::new(400, Code::InvalidArgument, "bad");
        Ok(Verdict::Answer(failed.answer(Encoding::Grpc)))
    });
    let setup = Setup::new(refusing).await;
    let answered = setup.grpc().await.export(framed(b"x")).await;
    assert_eq!((answered.status, answered.code(), answered.message()), (200, "3", "bad"));
    assert!(answered.trailers.is_empty(), "all in the headers, as gRPC has it where there is no message");
    setup.shows(r#"podstamp_requests_total{outcome="refused",code="400"} 1"#).await;
}

#[tokio::test]
async fn g4_messages_come_compressed_or_not() {
    let setup = Setup::new(accepting()).await;
    let client = setup.grpc().await;
    let xs = [b'x'; 100_000];
    assert_eq!(client.export_with(framed(&xs), &[("grpc-encoding", "identity")]).await.code(), "0");
    assert_eq!(client.export_with(framed(&xs), &[("grpc-encoding", "gzip")]).await.code(), "0");
    let compressed = framed_compressed(&gzip(&xs));
    assert_eq!(client.export_with(compressed.clone(), &[("grpc-encoding", "gzip")]).await.code(), "0");
    let unknown = client.export_with(compressed.clone(), &[("grpc-encoding", "br")]).await;
    assert_eq!(unknown.code(), "12");
    assert!(unknown.grpc("grpc-accept-encoding").contains("gzip"));
    let damaged = framed_compressed(b"no gzip at all");
    assert_eq!(client.export_with(damaged, &[("grpc-encoding", "gzip")]).await.code(), "3");
    assert_eq!(client.export(compressed).await.code(), "13", "no grpc-encoding");
}

#[tokio::test]
async fn a_broken_frame_is_the_clients_fault_and_disturbs_nobody() {
    let setup = Setup::new(accepting()).await;
    let client = setup.grpc().await;
    let two = [framed(b"x"), framed(b"x")].concat();
    for broken in
        [b"".to_vec(), b"\0\0".to_vec(), b"\0\0\0\0\x05xx".to_vec(), b"\x07\0\0\0\x01x".to_vec(), two]
    {
        let answered = client.export(broken).await;
        assert_eq!((answered.status, answered.code()), (200, "13"));
        assert!(answered.message().starts_with("the gRPC frame is broken"), "{}", answered.message());
        assert_eq!(client.export(framed(b"x")).await.code(), "0");
    }
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented_and_says_what_is() {
    let setup = Setup::new(accepting()).await;
    let client = setup.grpc().await;
    let grpc = [("content-type", "application/grpc")];
    for path in
        ["/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", "/", "/v1/traces"]
    {
        let answered = client.post(path, framed(b"x"), &grpc).await;
        assert_eq!((answered.status, answered.code()), (200, "12"), "{path}");
        assert!(answered.message().contains("TraceService/Export"), "{}", answered.message());
    }
    for (signal, variable) in [("metrics", "OTEL_METRICS_EXPORTER"), ("logs", "OTEL_LOGS_EXPORTER")] {
        let service = format!("{}Service", signal[..1].to_uppercase() + &signal[1..]);
        let path = format!("/opentelemetry.proto.collector.{signal}.v1.{service}/Export");
        let answered = client.post(&path, framed(b"x"), &grpc).await;
        assert_eq!((answered.status, answered.code()), (200, "12"), "{path}");
        assert_eq!(answered.message(), format!("podstamp carries traces only: set {variable}=none"));
    }
    setup.shows("podstamp_refused_requests_total{reason=\"path\"} 3").await;
    setup.shows("podstamp_refused_requests_total{reason=\"signal\"} 2").await;
}

#[tokio::test]
async fn with_strict_ports_each_address_says_which_protocol_it_takes() {
    let setup = Setup::with(accepting(), |settings| {
        settings.listeners.iter_mut().for_each(|listener| listener.strict = true);
    })
    .await;
    let to_http = Http2::connect(setup.address()).await.export(framed(b"x")).await;
    assert_eq!((to_http.status, to_http.code()), (200, "12"));
    assert!(to_http.message().contains("takes no OTLP/gRPC"), "{}", to_http.message());

    let mut to_grpc = Client::connect(setup.server.grpc_address().unwrap()).await;
    let json = "content-type: application/json\r\n";
    let response = to_grpc.ask(post("/v1/traces", json, b"{}")).await;
    assert_eq!(response.status, 404);
    assert!(response.text().contains("takes no OTLP/HTTP"), "{}", response.text());
    let old = "content-type: application/grpc\r\n";
    assert_eq!(to_grpc.ask(post("/v1/traces", old, b"x")).await.status, 505);
    setup.shows("podstamp_refused_requests_total{reason=\"protocol\"} 3").await;
}

#[tokio::test]
async fn each_address_takes_the_other_protocol_too_and_keeps_its_own_limit() {
    let setup = Setup::with(either(), |settings| {
        settings.listeners[0].http = Some(Http { body: Some(10), ..Http::default() });
        settings.listeners[1].grpc = Some(Grpc { message: Some(20), ..Grpc::default() });
    })
    .await;
    assert_ne!(setup.server.http_address(), setup.server.grpc_address());
    let to_http = Http2::connect(setup.address()).await;
    assert_eq!(to_http.export(framed(&[0; 10])).await.code(), "0");
    assert_eq!(to_http.export(framed(&[0; 11])).await.code(), "8");
    let mut to_grpc = Client::connect(setup.server.grpc_address().unwrap()).await;
    for path in ["/v1/traces", "/api/v1/otel/trace", "/api/v1/otel/trace/v1/traces"] {
        assert_eq!(to_grpc.ask(post(path, "", &[0; 20])).await.text(), "http", "{path}");
    }
    assert_eq!(to_grpc.ask(post("/v1/traces", "", &[0; 21])).await.status, 413);
    setup.shows("podstamp_refused_requests_total{reason=\"too_large\"} 2").await;
}

/// Answers in the client's protocol.
fn either() -> Fake {
    Fake::answering(|incoming| {
        let grpc = incoming.headers.iter().any(|header| header.value == b"application/grpc");
        Ok(Verdict::Answer(if grpc { accepted() } else { answer(200, "http") }))
    })
}

#[tokio::test]
async fn s1_one_address_takes_both_protocols_over_both_versions_of_http() {
    let setup = Setup::with(either(), |settings| {
        let listener = Listener { http: Some(Http::default()), ..Listener::grpc("127.0.0.1:0") };
        settings.listeners = vec![listener];
    })
    .await;
    assert_eq!(setup.server.http_address(), setup.server.grpc_address());
    let client = setup.grpc().await;
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
    let protobuf = [("content-type", "application/x-protobuf")];
    let answered = client.post("/v1/traces", "x", &protobuf).await;
    assert_eq!((answered.status, &answered.body[..]), (200, &b"http"[..]));
    let mut http = setup.client().await;
    assert_eq!(http.ask(post("/v1/traces", "", b"x")).await.text(), "http");
    assert_eq!(client.post("/nothing", "x", &protobuf).await.status, 404);
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
}

#[tokio::test]
async fn an_old_connection_is_ended_and_its_request_finished() {
    let upstream = Upstream::new(|_, _| {
        Reaction::Later(Duration::from_millis(2500), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec())
    })
    .await;
    let setup = Setup::with(Fake::forwarding(format!("http://{}/", upstream.address)), |settings| {
        let age = Some(Duration::from_secs(1));
        settings.listeners[1].grpc = Some(Grpc { age, ..Grpc::default() });
    })
    .await;
    let (client, connection) = Http2::connect_watched(setup.server.grpc_address().unwrap()).await;
    let answered = client.export(framed(b"x")).await;
    assert_eq!(answered.status, 200, "what was begun is finished");
    drop(client);
    connection.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_ended_though_it_is_alive() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.header_timeout = Duration::from_millis(50);
        settings.listeners[1].grpc = Some(Grpc { idle: Some(Duration::from_secs(2)), ..Grpc::default() });
    })
    .await;
    let (client, connection) = Http2::connect_watched(setup.server.grpc_address().unwrap()).await;
    // Longer than a head may take: a client that has said nothing yet is not slow with its head.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
    connection.await.unwrap();
}

const V1: &[u8] = b"PROXY TCP4 10.1.2.3 10.0.0.1 4711 4317\r\n";

#[tokio::test]
async fn behind_a_trusted_proxy_its_header_says_who_is_there() {
    let peers = Fake::answering(|incoming| {
        let peer = incoming.peer.map(|peer| peer.to_string());
        Ok(Verdict::Answer(answer(200, &peer.unwrap_or_default())))
    });
    let setup = Setup::with(peers, |settings| {
        settings.listeners[0].proxies = vec!["127.0.0.0/8".parse().unwrap()];
        settings.listeners[1].proxies = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut client = setup.client().await;
    client.send(V1).await;
    assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.text(), "10.1.2.3");
    assert_eq!(client.ask(post("/v1/traces", "", b"x")).await.text(), "10.1.2.3", "the whole connection");

    let mut stream = TcpStream::connect(setup.address()).await.unwrap();
    stream.write_all(V1).await.unwrap();
    let (client, _) = Http2::over(stream).await.unwrap();
    let answered = client.post("/v1/traces", "x", &[("content-type", "application/x-protobuf")]).await;
    assert_eq!(answered.body, "10.1.2.3");

    let mut local = setup.client().await;
    local.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await;
    assert_eq!(local.ask(post("/v1/traces", "", b"x")).await.text(), "127.0.0.1", "it speaks for itself");

    let mut silent = setup.client().await;
    silent.send(post("/v1/traces", "", b"x")).await;
    assert!(silent.is_closed().await, "a trusted proxy without a header");

    // The PROXY header of an untrusted peer is not read as one, and it is not HTTP.
    let mut liar = Client::connect(setup.server.grpc_address().unwrap()).await;
    liar.send(V1).await;
    assert_eq!(liar.response().await.status, 400);
}

#[tokio::test]
async fn a_slow_message_is_given_up_and_others_go_on_meanwhile() {
    let setup = Setup::with(accepting(), |settings| {
        settings.limits.read_timeout = Duration::from_secs(1);
    })
    .await;
    let stream = TcpStream::connect(setup.server.grpc_address().unwrap()).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = || {
        http::Request::post(format!("http://podstamp{}", podstamp_core::config::GRPC_PATH))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap()
    };
    let (slow, mut body) = sender.send_request(request(), false).unwrap();
    body.send_data(bytes::Bytes::from_static(b"\0\0\0\0\x05x"), false).unwrap();
    let (quick, mut whole) = sender.send_request(request(), false).unwrap();
    whole.send_data(framed(b"x").into(), true).unwrap();
    let mut answered = quick.await.unwrap();
    assert_eq!(answered.body_mut().data().await.unwrap().unwrap(), framed(b"taken"));
    assert_eq!(slow.await.unwrap().headers()["grpc-status"], "4");
}

#[tokio::test]
async fn a_connection_has_no_more_requests_at_a_time_than_it_may() {
    let setup = Setup::with(accepting(), |settings| {
        settings.listeners[1].grpc = Some(Grpc { concurrent_streams: 3, ..Grpc::default() });
    })
    .await;
    let stream = TcpStream::connect(setup.server.grpc_address().unwrap()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    // The client knows once the server's settings have come.
    while sender.current_max_send_streams() != 3 {
        tokio::task::yield_now().await;
    }
}
