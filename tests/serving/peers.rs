//! Shares: no peer takes more than its own of connections, places and bytes.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use bytes::Bytes;
use http::{Request, Version};
use podstamp::settings::{Limits, Settings};
use podstamp_core::config::GRPC_PATH;
use podstamp_core::interface::Verdict;
use podstamp_fake_agent::Latch;
use podstamp_test_support::client::{Client, framed, post};
use podstamp_test_support::upstream::Upstream;
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Fake, Setup, answer};

fn accepting() -> Fake {
    Fake::answering(|_| Ok(Verdict::Answer(answer(200, ""))))
}

/// Settings where clients come through a balancer on this host, which says whose requests it forwards.
fn behind_a_balancer(settings: &mut Settings) {
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let Limits { in_flight, per_peer, connections, .. } = &mut settings.limits;
    (*in_flight, *per_peer, *connections) = (4, 500, Some(4));
}

fn post_for(peer: &str) -> Vec<u8> {
    post("/v1/traces", &format!("x-forwarded-for: {peer}\r\n"), b"body")
}

#[tokio::test]
async fn connections_whose_bodies_do_not_come_take_no_place_of_a_request() {
    let setup = Setup::with(accepting(), |settings| settings.limits.in_flight = 2).await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut client = setup.client().await;
        client.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await;
        idle.push(client);
    }
    setup.shows("podstamp_bodies_on_their_way 8").await;
    assert_eq!(setup.client().await.ask(post("/v1/traces", "", b"body")).await.status, 200);
    for client in &mut idle {
        assert_eq!(client.ask(b"body body").await.status, 200);
    }
    setup.shows("podstamp_bodies_on_their_way 0").await;
}

#[tokio::test]
async fn streams_whose_bodies_do_not_come_take_no_place_of_a_request() {
    let setup = Setup::with(
        Fake::answering(|_| {
            let mut answer = answer(200, "");
            answer.headers = vec![podstamp_core::interface::Header::new("grpc-status", "0")];
            Ok(Verdict::Answer(answer))
        }),
        |settings| settings.limits.in_flight = 2,
    )
    .await;
    let stream = TcpStream::connect(setup.server.grpc_address().unwrap()).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let mut streams = Vec::new();
    for _ in 0..32 {
        let request = Request::post(format!("http://podstamp{GRPC_PATH}")).version(Version::HTTP_2);
        let request = request.header("content-type", "application/grpc").body(()).unwrap();
        sender = sender.ready().await.unwrap();
        streams.push(sender.send_request(request, false).unwrap());
    }
    setup.shows("podstamp_bodies_on_their_way 32").await;
    assert_eq!(setup.grpc().await.export(framed(b"x")).await.code(), "0");
    let (response, mut body) = streams.pop().unwrap();
    body.send_data(Bytes::from(framed(b"x")), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
}

#[tokio::test]
async fn one_peer_gets_its_share_of_requests_and_a_proxy_counts_by_whom_it_speaks_for() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        behind_a_balancer(settings);
        // No client has to wait for a place.
        settings.limits.connections = Some(8);
    })
    .await;
    let mut held = Vec::new();
    for (number, peer) in ["10.1.0.1", "10.1.0.1", "10.1.0.2"].into_iter().enumerate() {
        let mut client = setup.client().await;
        client.send(post_for(peer)).await;
        setup.shows(&format!("podstamp_requests_in_flight {}", number + 1)).await;
        held.push(client);
    }
    let mut client = setup.client().await;
    let refused = client.ask(post_for("10.1.0.1")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(text.contains("too many requests of one client at a time"), "{text}");
    setup.shows(r#"podstamp_limited_total{limit="per_peer"} 1"#).await;
    client.send(post_for("10.1.0.2")).await;
    setup.shows("podstamp_requests_in_flight 4").await;
    held.push(client);
    // That took the last place.
    assert_eq!(setup.client().await.ask(post_for("10.1.0.3")).await.status, 503);
    setup.shows(r#"podstamp_limited_total{limit="in_flight"} 1"#).await;
    latch.open();
    for client in &mut held {
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn the_filters_time_is_shared_among_those_whom_a_proxy_speaks_for() {
    let ((begun, mut order), (release, go)) = (unbounded_channel(), channel());
    let go = Mutex::new(go);
    let filter = Fake::answering(move |incoming| {
        let speaks_for = incoming.headers.iter().find(|header| header.name == "x-forwarded-for").unwrap();
        begun.send(String::from_utf8(speaks_for.value.clone()).unwrap()).unwrap();
        go.lock().unwrap().recv().unwrap();
        Ok(Verdict::Answer(answer(200, "")))
    });
    // Each of them may have one costly call at a time.
    let setup = Setup::with(filter, |settings| {
        behind_a_balancer(settings);
        settings.limits.large_calls = 2;
        settings.limits.body = 4 << 20;
    })
    .await;
    let mut held = Vec::new();
    for (number, peer) in ["10.1.0.1", "10.1.0.1", "10.1.0.2"].into_iter().enumerate() {
        let mut client = setup.client().await;
        client.send(post("/v1/traces", &format!("x-forwarded-for: {peer}\r\n"), &[0; 2 << 20])).await;
        setup.shows(&format!("podstamp_requests_in_flight {}", number + 1)).await;
        held.push(client);
    }
    assert_eq!([order.recv().await.unwrap(), order.recv().await.unwrap()], ["10.1.0.1", "10.1.0.2"]);
    (0..3).for_each(|_| release.send(()).unwrap());
    for client in &mut held {
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn one_peer_gets_its_share_of_bodies_on_their_way_and_of_bytes() {
    let setup = Setup::with(accepting(), |settings| {
        behind_a_balancer(settings);
        settings.limits.body = 1000;
        settings.limits.in_flight_bytes = 4000;
    })
    .await;
    let begin = |peer: &str, length: usize| {
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {peer}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut client = setup.client().await;
        client.send([begin("10.1.0.1", 1000).as_bytes(), &[0; 999]].concat()).await;
        greedy.push(client);
    }
    setup.shows("podstamp_in_flight_bytes 1998").await;
    let mut third = setup.client().await;
    assert_eq!(third.ask(begin("10.1.0.1", 1)).await.status, 503, "another body of that peer");
    setup.shows(r#"podstamp_limited_total{limit="per_peer"} 1"#).await;
    let mut other = setup.client().await;
    other.send([begin("10.1.0.2", 1000).as_bytes(), &[0; 999]].concat()).await;
    setup.shows("podstamp_in_flight_bytes 2997").await;
    for client in greedy.iter_mut().chain([&mut other]) {
        assert_eq!(client.ask([0]).await.status, 200);
    }
    setup.shows("podstamp_in_flight_bytes 0").await;
}

#[tokio::test]
async fn one_peer_gets_its_share_of_connections_by_whom_the_proxy_header_names() {
    let setup = Setup::with(accepting(), |settings| {
        behind_a_balancer(settings);
        settings.listeners[0].proxies = settings.trusted_proxies.clone();
    })
    .await;
    let connect = async |peer: &str| {
        let mut client = setup.client().await;
        client.send(format!("PROXY TCP4 {peer} 10.0.0.1 4711 4318\r\n")).await;
        client.send_what_can_be(post("/v1/traces", "", b"")).await;
        client
    };
    let mut kept: Vec<Client> = Vec::new();
    for _ in 0..2 {
        let mut client = connect("10.1.0.1").await;
        assert_eq!(client.response().await.status, 200);
        kept.push(client);
    }
    assert!(connect("10.1.0.1").await.is_closed().await);
    setup.shows(r#"podstamp_limited_total{limit="per_peer"} 1"#).await;
    assert_eq!(connect("10.1.0.2").await.response().await.status, 200);
    assert_eq!(kept[0].ask(post("/v1/traces", "", b"")).await.status, 200);
    drop(kept.pop());
    setup.shows("podstamp_connections 1").await;
    assert_eq!(connect("10.1.0.1").await.response().await.status, 200);
}
