//! An upstream of several addresses: who gets what, and what becomes of those that fail, hang, come and go.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use podstamp::network::Nodes;
use podstamp::sandbox::Ended;
use podstamp_core::interface::{Content, Next, Outbound, Verdict};
use podstamp_fake_agent::Latch;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, post};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::upstream::{Reaction, Upstream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{Fake, Here, Names, Setup, answer, forward, free_addresses, outbound, upstreams};

/// A URL by name; the port is that of the addresses.
fn url(address: SocketAddr) -> String {
    format!("http://agents.test:{}/api/v1/otel/trace", address.port())
}

fn addresses(upstreams: &[Upstream]) -> Vec<SocketAddr> {
    upstreams.iter().map(|upstream| upstream.address).collect()
}

async fn sent(setup: &Setup, body: &[u8]) -> Client {
    let mut client = setup.client().await;
    client.send(post("/v1/traces", "", body)).await;
    client
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn counts(upstreams: &[Upstream]) -> Vec<usize> {
    upstreams.iter().map(|upstream| upstream.requests().len()).collect()
}

fn total(upstreams: &[Upstream]) -> usize {
    counts(upstreams).into_iter().sum()
}

#[tokio::test]
async fn requests_are_spread_over_the_addresses_with_one_at_a_time_to_each() {
    let latch = Latch::default();
    let held = latch.clone();
    let agents = upstreams(3, move |_, _, _| Reaction::behind(&held, "")).await;
    let names = Names::leading_to(addresses(&agents));
    let fake = Fake::forwarding(url(agents[0].address));
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let mut clients = Vec::new();
    for count in 1..=3 {
        clients.push(sent(&setup, b"body;").await);
        until("the next one gets it", || total(&agents) == count).await;
    }
    assert_eq!(counts(&agents), [1, 1, 1]);
    for waiting in 1..=3 {
        clients.push(sent(&setup, b"more;").await);
        setup.shows(&format!("podstamp_upstream_waiting {waiting}")).await;
    }
    latch.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
    let requests: Vec<_> = agents.iter().flat_map(Upstream::requests).collect();
    assert!(requests.iter().all(|request| request.connection == 0), "one connection to each");
    // What waited went to whoever was free first, together as far as it could.
    let bodies: Vec<_> = requests.iter().map(|request| request.body.len()).collect();
    assert_eq!(bodies.iter().sum::<usize>(), 6 * 5, "{bodies:?}");
    setup.shows("podstamp_upstream_addresses 3").await;
    setup.shows("podstamp_upstream_addresses_away 0").await;
}

#[tokio::test]
async fn one_client_that_waits_for_each_answer_reaches_all_addresses_in_turn() {
    let agents = upstreams(3, |_, _, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to(addresses(&agents));
    let fake = Fake::forwarding(url(agents[0].address));
    let setup = Setup::within(&names.lasting(), fake, |_| ()).await;
    let mut client = setup.client().await;
    for _ in 0..9 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    assert_eq!(counts(&agents), [3, 3, 3]);
    assert!(agents.iter().flat_map(Upstream::requests).all(|request| request.connection == 0));
}

#[tokio::test]
async fn more_connections_go_to_each_address_where_the_exporter_says_so() {
    let latch = Latch::default();
    let held = latch.clone();
    let backends = upstreams(2, move |_, _, _| Reaction::behind(&held, "")).await;
    let names = Names::leading_to(addresses(&backends));
    let fake = Fake::forwarding(url(backends[0].address));
    let setup =
        Setup::within(&names.network(), fake, |settings| settings.upstream.connections = Some(2)).await;
    let mut clients = Vec::new();
    for count in 1..=4 {
        clients.push(sent(&setup, b"body").await);
        until("it is on its way", || total(&backends) == count).await;
    }
    clients.push(sent(&setup, b"body").await);
    setup.shows("podstamp_upstream_waiting 1").await;
    assert_eq!(counts(&backends), [2, 2]);
    latch.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn an_agent_that_does_not_answer_holds_nobody_but_its_own_request() {
    let latch = Latch::default();
    let held = latch.clone();
    let agents = upstreams(2, move |_, _, request| match &request.body[..] {
        b"held" => Reaction::behind(&held, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    let names = Names::leading_to(addresses(&agents));
    let fake = Fake::forwarding(url(agents[0].address));
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let mut first = sent(&setup, b"held").await;
    until("one has it", || total(&agents) == 1).await;
    let mut client = setup.client().await;
    for _ in 0..10 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    let mut shares = counts(&agents);
    shares.sort_unstable();
    assert_eq!(shares, [1, 10]);
    latch.open();
    assert_eq!(first.response().await.status, 200);
}

#[tokio::test]
async fn an_address_that_takes_no_connection_costs_no_request() {
    let free = free_addresses(3).await;
    let agent = Upstream::at(free[2], |_, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to(free.clone());
    let fake = Fake::forwarding(url(free[0]));
    let setup = Setup::within(&names.lasting(), fake, |_| ()).await;
    let mut client = setup.client().await;
    for _ in 0..20 {
        // The filter of this test asks for no second attempt.
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    assert_eq!(agent.requests().len(), 20);
    setup.shows("podstamp_upstream_addresses_away 2").await;
    // Once somebody listens there, the address has its share again.
    let back = Upstream::at(free[0], |_, _| Reaction::answer(200, "")).await;
    let deadline = Instant::now() + PATIENCE;
    while back.requests().is_empty() {
        assert!(Instant::now() < deadline, "it gets nothing");
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.shows("podstamp_upstream_addresses_away 1").await;
}

#[tokio::test]
async fn an_address_that_drops_what_comes_delays_a_request_and_loses_none() {
    let free = free_addresses(2).await;
    let full = TcpSocket::new_v4().unwrap();
    full.bind(free[0]).unwrap();
    let _full = full.listen(1).unwrap();
    // Beyond what the backlog holds, attempts to connect get no answer.
    let mut fillers = Vec::new();
    loop {
        let connecting = TcpStream::connect(free[0]);
        match tokio::time::timeout(Duration::from_millis(300), connecting).await {
            Ok(stream) => fillers.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    let agent = Upstream::at(free[1], |_, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to(free.clone());
    // Less than what a connection may take: the client would be told to come again.
    let setup = Setup::within(&names.lasting(), Fake::forwarding(url(free[0])), |settings| {
        settings.upstream.patience = Duration::from_secs(4);
    })
    .await;
    for _ in 0..3 {
        let mut client = setup.client().await;
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    assert_eq!(agent.requests().len(), 3);
}

#[tokio::test]
async fn where_no_address_takes_a_connection_the_filter_is_told_once() {
    let free = free_addresses(3).await;
    let names = Names::leading_to(free.clone());
    let fake = Fake::forwarding(url(free[0])).concluding(|attempt, ended| match ended {
        Ended::NotConnected(reason) => Ok(Next::Answer(answer(503, &format!("{} {reason}", attempt.number)))),
        other => panic!("{other:?}"),
    });
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let response = setup.client().await.ask(post("/v1/traces", "", b"body")).await;
    assert!(response.text().starts_with("1 none of 3 addresses takes connections"), "{}", response.text());
    assert!(response.text().contains("refused"), "{}", response.text());
    setup.shows("podstamp_upstream_attempts_total{outcome=\"not_connected\"} 3").await;
}

#[tokio::test]
async fn an_upstream_is_away_when_all_of_its_addresses_are() {
    let free = free_addresses(2).await;
    let names = Names::leading_to(free.clone());
    let fake = Fake::forwarding(url(free[0]));
    let setup = Setup::within(&names.network(), fake, |settings| {
        settings.upstream.patience = Duration::from_millis(50);
    })
    .await;
    let mut client = setup.client().await;
    let deadline = Instant::now() + PATIENCE;
    while client.ask(post("/v1/traces", "", b"body")).await.text() != "away" {
        assert!(Instant::now() < deadline, "it is not away");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    setup.shows("podstamp_upstream_away 1").await;
    let _agent = Upstream::at(free[1], |_, _| Reaction::answer(200, "")).await;
    while client.ask(post("/v1/traces", "", b"body")).await.status != 200 {
        assert!(Instant::now() < deadline, "it is not back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    setup.shows("podstamp_upstream_away 0").await;
}

#[tokio::test]
async fn an_agent_that_hangs_is_left_alone_while_another_one_works() {
    let agents = upstreams(2, |address, _, _| match address.ip().to_string().as_str() {
        "127.0.0.1" => Reaction::Silence,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let names = Names::leading_to(addresses(&agents));
    let fake = Fake::forwarding_within(1_000, url(agents[0].address));
    let setup = Setup::within(&names.lasting(), fake, |_| ()).await;
    let mut client = setup.client().await;
    let answers = [
        client.ask(post("/v1/traces", "", b"one")).await.status,
        client.ask(post("/v1/traces", "", b"two")).await.status,
    ];
    assert!(answers.contains(&504) && answers.contains(&200), "{answers:?}");
    // It is waited for until it ends the connection, and left alone meanwhile.
    for _ in 0..50 {
        assert_eq!(client.ask(post("/v1/traces", "", b"more")).await.status, 200);
    }
    assert_eq!(counts(&agents), [1, 51]);
    setup.shows("podstamp_upstream_addresses_away 1").await;
    setup.shows("podstamp_upstream_away 0").await;
}

#[tokio::test]
async fn an_agent_that_closes_on_everything_is_tried_now_and_then() {
    let agents = upstreams(2, |address, _, _| match address.ip().to_string().as_str() {
        "127.0.0.1" => Reaction::Close,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let names = Names::leading_to(addresses(&agents));
    let setup = Setup::within(&names.lasting(), Fake::forwarding(url(agents[0].address)), |_| ()).await;
    let mut client = setup.client().await;
    let begun = Instant::now();
    let mut closed = 0;
    for _ in 0..100 {
        closed += usize::from(client.ask(post("/v1/traces", "", b"body")).await.status == 400);
    }
    // After three failures it is left alone for three quarters of a second at least, and then for longer.
    let tries = 3 + begun.elapsed().as_millis() as usize / 750;
    assert!((3..=tries).contains(&closed), "{closed} of at most {tries}");
    assert_eq!(counts(&agents), [closed, 100 - closed]);
}

#[tokio::test]
async fn who_has_gone_gets_no_more_requests_and_who_is_new_gets_them_at_once() {
    let latch = Latch::default();
    let held = latch.clone();
    let agents = upstreams(2, move |address, number, _| match address.ip().to_string().as_str() {
        "127.0.0.1" if number == 1 => Reaction::behind(&held, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    let names = Names::leading_to([agents[0].address]);
    let fake = Fake::forwarding(url(agents[0].address));
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"first")).await.status, 200);
    let mut on_its_way = sent(&setup, b"held").await;
    until("it is on its way", || agents[0].requests().len() == 2).await;
    let mut waiting = sent(&setup, b"waiting").await;
    setup.shows("podstamp_upstream_waiting 1").await;
    names.move_to([agents[1].address]);
    assert_eq!(waiting.response().await.status, 200, "the new address gets what waits");
    assert_eq!(client.ask(post("/v1/traces", "", b"next")).await.status, 200);
    setup.shows("podstamp_upstream_addresses 1").await;
    latch.open();
    assert_eq!(on_its_way.response().await.status, 200, "what was on its way is finished");
    until("its connection is closed", || agents[0].open() == 0).await;
    assert_eq!(counts(&agents), [2, 2]);
    // A connection that is idle ends as well, and an address that comes back is used as before.
    names.move_to([agents[0].address]);
    until("the idle connection is closed", || agents[1].open() == 0).await;
    assert_eq!(client.ask(post("/v1/traces", "", b"back")).await.status, 200);
    assert_eq!(counts(&agents), [3, 2]);
}

#[tokio::test]
async fn a_name_is_resolved_again_as_soon_as_a_connection_fails() {
    let free = free_addresses(2).await;
    let names = Names::leading_to([free[0]]);
    let fake = Fake::forwarding(url(free[0]));
    let setup = Setup::within(&names.lasting(), fake, |_| ()).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"first")).await.text(), "not connected");
    names.move_to([free[1]]);
    let agent = Upstream::at(free[1], |_, _| Reaction::answer(200, "")).await;
    let deadline = Instant::now() + PATIENCE;
    while client.ask(post("/v1/traces", "", b"next")).await.status != 200 {
        assert!(Instant::now() < deadline, "nobody asked again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(agent.requests().len(), 1);
}

#[tokio::test]
async fn a_resolver_that_fails_leaves_the_addresses_as_they_were() {
    let names = Names::default();
    let free = free_addresses(1).await;
    let agent = Upstream::at(free[0], |_, _| Reaction::answer(200, "")).await;
    let fake = Fake::forwarding(url(free[0])).concluding(|_, ended| {
        Ok(Next::Answer(match ended {
            Ended::NotConnected(reason) => answer(503, reason),
            Ended::Response { status, .. } => answer(*status, ""),
            other => panic!("{other:?}"),
        }))
    });
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.text(), "no such name");
    setup.shows("podstamp_upstream_attempts_total{outcome=\"not_connected\"} 1").await;
    names.move_to(free);
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    names.move_to([]);
    let before = names.questions();
    until("it is asked for again and again", || names.questions() > before + 3).await;
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    assert_eq!(agent.requests().len(), 2);
}

#[tokio::test]
async fn two_names_of_one_agent_give_it_one_connection() {
    let latch = Latch::default();
    let held = latch.clone();
    let agents = upstreams(1, move |_, _, _| Reaction::behind(&held, "")).await;
    let names = Names::leading_to(addresses(&agents));
    let port = agents[0].address.port();
    let fake = Fake::answering(move |request| {
        let host = String::from_utf8(request.body.to_vec()).unwrap();
        Ok(forward(&format!("http://{host}:{port}/"), Content::Unchanged))
    });
    let setup = Setup::within(&names.network(), fake, |_| ()).await;
    let mut clients = vec![sent(&setup, b"one.test").await];
    until("it is on its way", || total(&agents) == 1).await;
    for (waiting, host) in (1..).zip(["two.test", "127.0.0.1"]) {
        clients.push(sent(&setup, host.as_bytes()).await);
        setup.shows(&format!("podstamp_upstream_waiting {waiting}")).await;
    }
    setup.shows("podstamp_upstream_addresses 1").await;
    latch.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
    assert!(agents[0].requests().iter().all(|request| request.connection == 0));
    assert_eq!(total(&agents), 3);
}

/// The same port at both loopback addresses; `None` where this machine has no IPv6.
async fn both_families() -> Option<(SocketAddr, SocketAddr)> {
    loop {
        let v4 = closed_port();
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
        match TcpListener::bind(v6).await {
            Ok(_) => return Some((v6, v4)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => (),
            Err(_) => return None,
        }
    }
}

#[tokio::test]
async fn of_two_address_families_one_is_used_at_a_time() {
    let Some((v6, v4)) = both_families().await else { return };
    let latch = Latch::default();
    let (held, also) = (latch.clone(), latch.clone());
    let by_ipv6 = Upstream::at(v6, move |_, _| Reaction::behind(&held, "")).await;
    let by_ipv4 = Upstream::at(v4, move |_, _| Reaction::behind(&also, "")).await;
    let names = Names::leading_to([v6, v4]);
    let setup = Setup::within(&names.network(), Fake::forwarding(url(v6)), |_| ()).await;
    let mut clients = vec![sent(&setup, b"one").await];
    until("it is on its way", || by_ipv6.requests().len() == 1).await;
    clients.push(sent(&setup, b"two").await);
    setup.shows("podstamp_upstream_waiting 1").await;
    latch.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!((by_ipv6.requests().len(), by_ipv4.requests().len()), (2, 0));
}

#[tokio::test]
async fn where_nobody_listens_by_one_address_family_the_other_is_used_within_the_attempt() {
    let Some((v6, v4)) = both_families().await else { return };
    let agent = Upstream::at(v4, |_, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to([v6, v4]);
    let setup = Setup::within(&names.network(), Fake::forwarding(url(v6)), |_| ()).await;
    let mut client = setup.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    assert_eq!(agent.requests().len(), 3);
    setup.shows("podstamp_upstream_attempts_total{outcome=\"not_connected\"} 1").await;
}

#[tokio::test]
async fn an_old_connection_is_replaced_between_two_requests() {
    let agents = upstreams(2, |_, _, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to([agents[0].address]);
    let setup = Setup::within(&names.lasting(), Fake::forwarding(url(agents[0].address)), |settings| {
        settings.upstream.max_connection_age = Some(Duration::from_millis(5));
    })
    .await;
    let mut client = setup.client().await;
    for _ in 0..5 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
        until("it is closed while nothing is sent", || agents[0].open() == 0).await;
    }
    let connections: Vec<_> = agents[0].requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1, 2, 3, 4]);
    setup.shows("podstamp_upstream_connections_total 5").await;
    setup.shows("podstamp_upstream_connections_aged_total 5").await;
    // An old connection has its name resolved again.
    names.move_to([agents[1].address]);
    let deadline = Instant::now() + PATIENCE;
    while agents[1].requests().is_empty() {
        assert!(Instant::now() < deadline, "it was not resolved again");
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
}

#[tokio::test]
async fn an_old_connection_is_not_broken_off_with_a_request_on_its_way() {
    let latch = Latch::default();
    let upstream = Upstream::behind(&latch).await;
    let setup = Setup::with(Fake::forwarding(upstream.url()), |settings| {
        settings.upstream.max_connection_age = Some(Duration::from_millis(1));
    })
    .await;
    let mut first = sent(&setup, b"one").await;
    until("it is on its way", || upstream.requests().len() == 1).await;
    let mut second = sent(&setup, b"two").await;
    setup.shows("podstamp_upstream_waiting 1").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    latch.open();
    assert_eq!(first.response().await.status, 200);
    assert_eq!(second.response().await.status, 200);
    let connections: Vec<_> = upstream.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn the_agent_on_this_node_is_used_first_and_others_while_it_does_not_work() {
    let latch = Latch::default();
    let held = latch.clone();
    let free = free_addresses(3).await;
    let mut others = Vec::new();
    for address in [free[0], free[2]] {
        others.push(Upstream::at(address, |_, _| Reaction::answer(200, "")).await);
    }
    let here = Here::default();
    let names = Names::leading_to(free.clone());
    let mut network = names.network();
    network.nodes = Some(Arc::new(here.clone()));
    let setup = Setup::within(&network, Fake::forwarding(url(free[0])), |settings| {
        settings.upstream.prefer_local_node = true;
        settings.upstream.patience = Duration::from_millis(500);
    })
    .await;
    let mut client = setup.client().await;
    // As long as nobody knows which one it is, all are used; how evenly depends on when the name is resolved again.
    for _ in 0..8 {
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    }
    assert_eq!(total(&others), 8);
    assert!(counts(&others).iter().all(|count| *count > 0), "{:?}", counts(&others));
    let local = Upstream::at(free[1], move |_, request| match &request.body[..] {
        b"held" => Reaction::behind(&held, ""),
        _ => Reaction::answer(200, ""),
    })
    .await;
    here.are([free[1]]);
    let deadline = Instant::now() + PATIENCE;
    while local.requests().is_empty() {
        assert!(Instant::now() < deadline, "it is not preferred");
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = counts(&others);
    for _ in 0..20 {
        assert_eq!(client.ask(post("/v1/traces", "", b"here")).await.status, 200);
    }
    assert_eq!(counts(&others), before);
    // While it is busy, requests wait for it; once it does not answer, the others get them.
    let mut slow = sent(&setup, b"held").await;
    until("it has it", || local.requests().last().is_some_and(|request| request.body == b"held")).await;
    let mut waiting = sent(&setup, b"waiting").await;
    setup.shows("podstamp_upstream_waiting 1").await;
    assert_eq!(slow.response().await.status, 504, "after the client's patience");
    // Its own patience ends hardly later.
    let went = usize::from(waiting.response().await.status == 200);
    assert_eq!(client.ask(post("/v1/traces", "", b"elsewhere")).await.status, 200);
    assert_eq!(total(&others), before.iter().sum::<usize>() + went + 1);
    // When it answers again, it is used first as before.
    latch.open();
    setup.shows("podstamp_upstream_addresses_away 0").await;
    let before = counts(&others);
    for _ in 0..5 {
        assert_eq!(client.ask(post("/v1/traces", "", b"here")).await.status, 200);
    }
    assert_eq!(counts(&others), before);
    drop(local);
}

#[tokio::test]
async fn what_waits_for_the_agent_on_this_node_goes_elsewhere_once_that_has_failed() {
    let agents = upstreams(2, |address, _, _| match address.ip().to_string().as_str() {
        "127.0.0.1" => Reaction::Silence,
        _ => Reaction::answer(200, ""),
    })
    .await;
    let here = Here::default();
    here.are([agents[0].address]);
    let names = Names::leading_to(addresses(&agents));
    let mut network = names.lasting();
    network.nodes = Some(Arc::new(here));
    let url = url(agents[0].address);
    let fake = Fake::answering(move |incoming| {
        let timeout = if &incoming.body[..] == b"short" { 300 } else { 60_000 };
        Ok(Verdict::Forward(Outbound { timeout, ..outbound(&url, Content::Unchanged) }))
    });
    let setup = Setup::within(&network, fake, |settings| settings.upstream.prefer_local_node = true).await;
    let mut short = sent(&setup, b"short").await;
    until("it is on its way", || counts(&agents) == [1, 0]).await;
    let mut waiting = sent(&setup, b"waiting").await;
    assert_eq!(short.response().await.status, 504);
    assert_eq!(waiting.response().await.status, 200);
    assert_eq!(counts(&agents), [1, 1]);
}

#[tokio::test]
async fn where_no_agent_is_on_this_node_all_are_used() {
    let agents = upstreams(2, |_, _, _| Reaction::answer(200, "")).await;
    let names = Names::leading_to(addresses(&agents));
    for nodes in [None, Some(Here::default())] {
        let mut network = names.lasting();
        network.nodes = nodes.map(|here| {
            here.are([]);
            Arc::new(here) as Arc<dyn Nodes>
        });
        let setup = Setup::within(&network, Fake::forwarding(url(agents[0].address)), |settings| {
            settings.upstream.prefer_local_node = true;
        })
        .await;
        let before = counts(&agents);
        let mut client = setup.client().await;
        for _ in 0..4 {
            assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
        }
        assert_eq!(counts(&agents), [before[0] + 2, before[1] + 2]);
    }
}

#[tokio::test]
async fn addresses_that_come_and_go_leave_no_task_and_no_connection() {
    let agents = upstreams(4, |_, _, _| Reaction::answer(200, "")).await;
    let all = addresses(&agents);
    let names = Names::leading_to(all.clone());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut network = names.network();
    network.interval = Duration::from_millis(1);
    network.pause = Duration::ZERO;
    let setup = Setup::within(&network, Fake::forwarding(url(all[0])), |_| ()).await;
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    for round in 0..1000_usize {
        names.move_to(all.iter().copied().skip(round % 3).take(1 + round % 2));
        let asked = names.questions();
        assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
        until("it is resolved again", || names.questions() > asked + 1).await;
    }
    names.move_to([all[3]]);
    until("connections to others are closed", || agents[..3].iter().all(|agent| agent.open() == 0)).await;
    setup.shows("podstamp_upstream_addresses 1").await;
    assert_eq!(client.ask(post("/v1/traces", "", b"body")).await.status, 200);
    assert_eq!(agents[3].open(), 1);
    assert!(tasks() < 40, "{} tasks", tasks());
    drop(client);
    assert!(setup.server.shutdown().await);
    until("all connections are closed", || agents.iter().all(|agent| agent.open() == 0)).await;
    // What is left are the upstreams' own.
    until("all tasks have ended", || tasks() <= agents.len()).await;
}
