//! Addresses of two families in one span.

use super::*;

fn peer(host: Option<&str>, peer: &str) -> Vec<u8> {
    post(&[], &body([span_with(host, &[("net.peer.ip", peer)])]))
}

#[tokio::test]
async fn a_peer_of_another_family_than_the_span_ends_the_agent() {
    let agent = start().await;
    for (count, (host, other)) in (1..).zip([
        (Some("10.1.2.3"), "2001:db8::7"),
        (Some("10.1.2.3"), "fe80::1"),
        (Some("2001:db8::7"), "10.9.9.9"),
        (Some("2001:db8::7"), "::ffff:10.9.9.9"),
        (Some("2001:db8::7"), "::1"),
        // Mapped, it counts as IPv6 in the host's place and as IPv4 in the peer's.
        (Some("::ffff:10.1.2.3"), "10.9.9.9"),
        (Some("0.0.0.0"), "2001:db8::7"),
        // What the agent takes in its place: the TCP peer.
        (None, "2001:db8::7"),
        (Some("nonsense"), "2001:db8::7"),
    ]) {
        let reason = aborts(&agent, &peer(host, other)).await;
        assert!(reason.ends_with(": addresses of two families"), "{reason}");
        assert_eq!((agent.totals().aborts, agent.totals().spans), (count, 0), "{host:?} {other}");
    }
}

#[tokio::test]
async fn what_the_agent_takes_for_the_same_family_is_fine() {
    let agent = start().await;
    for (host, other) in [
        ("10.1.2.3", "10.9.9.9"),
        ("10.1.2.3", "::1"),
        ("10.1.2.3", "::ffff:10.9.9.9"),
        ("10.1.2.3", "fe80::1%eth0"),
        ("10.1.2.3", "db-demo"),
        ("2001:db8::7", "2001:db8::8"),
        ("::", "2001:db8::7"),
        ("::ffff:10.1.2.3", "2001:db8::7"),
    ] {
        assert_eq!(exchange(&agent, &peer(Some(host), other)).await, Some(ok()), "{host} {other}");
    }
    for key in ["net_peer_ip", "network.peer.address", "net.sock.peer.addr"] {
        let span = span_with(Some("10.1.2.3"), &[(key, "2001:db8::7")]);
        assert_eq!(exchange(&agent, &post(&[], &body([span]))).await, Some(ok()), "{key}");
    }
}

#[tokio::test]
async fn the_last_usable_peer_decides() {
    let agent = start().await;
    let span = |values: [&str; 3]| {
        let attributes = values.map(|value| ("net.peer.ip", value));
        post(&[], &body([span_with(Some("10.1.2.3"), &attributes)]))
    };
    assert_eq!(exchange(&agent, &span(["2001:db8::7", "10.9.9.9", "db-demo"])).await, Some(ok()));
    aborts(&agent, &span(["10.9.9.9", "2001:db8::7", "db-demo"])).await;
}

#[tokio::test]
async fn a_resource_without_a_usable_address_has_that_of_the_one_before() {
    let agent = start().await;
    let first = span_with(Some("2001:db8::7"), &[]);
    let second = |peer| span_with(Some("nonsense"), &[("net.peer.ip", peer)]);
    let request = |peer| post(&[], &body([first.clone(), second(peer)]));
    assert_eq!(exchange(&agent, &request("2001:db8::8")).await, Some(ok()));
    let addresses: Vec<_> = last(&agent).spans().map(|span| span.metrics_address.to_string()).collect();
    assert_eq!(addresses, ["2001:db8::7", "2001:db8::7"]);
    aborts(&agent, &request("10.9.9.9")).await;
}

#[tokio::test]
async fn an_ipv6_peer_takes_the_pod_off_an_ipv4_span() {
    let agent = start().await;
    for (host, key, peer, row) in [
        ("10.1.2.3", "network.peer.address", "2001:db8::7", "::"),
        ("10.1.2.3", "network.peer.address", "::1", "::"),
        ("10.1.2.3", "net.peer.ip", "::1", "::"),
        ("10.1.2.3", "network.peer.address", "::ffff:10.9.9.9", "10.1.2.3"),
        ("10.1.2.3", "network.peer.address", "fe80::1%eth0", "10.1.2.3"),
        ("10.1.2.3", "net.sock.peer.addr", "2001:db8::7", "::"),
        ("10.1.2.3", "net_sock_peer_addr", "2001:db8::7", "10.1.2.3"),
        ("10.1.2.3", "network_peer_address", "2001:db8::7", "10.1.2.3"),
        ("2001:db8::7", "network.peer.address", "10.9.9.9", "2001:db8::7"),
    ] {
        let span = span_with(Some(host), &[(key, peer)]);
        assert_eq!(exchange(&agent, &post(&[], &body([span]))).await, Some(ok()));
        let record = last(&agent);
        assert_eq!(record.resources[0].server_address.to_string(), host);
        let rows: Vec<_> = record.spans().map(|span| span.row_address.to_string()).collect();
        assert_eq!(rows, [row], "{host} {key} {peer}");
    }
}
