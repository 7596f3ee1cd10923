//! The other end of a span, as the span's own attributes tell it to deepflow-agent and to DeepFlow's server.
//!
//! The two do not read it alike: the agent knows `net.peer.ip` only and turns addresses into IPv4 where it can, the server
//! knows `network.peer.address` and `net.sock.peer.addr` (on its branch v6.6) too and takes them as they are.

use std::net::IpAddr;

use crate::address::{parse_as_go, to_ipv4};
use crate::message::{KeyValue, any_value};

/// The address that the agent looks up opposite the span's own: the last `net.peer.ip` that Rust parses.
///
/// A pair of different families ends the agent's process (`generate_mask_ip` in its `policy/fast_path.rs`).
pub(crate) fn agent_peer(span: &[KeyValue]) -> Option<IpAddr> {
    let of_key = span.iter().rev().filter(|attribute| attribute.key == NET_PEER_IP);
    of_key.filter_map(|attribute| text(attribute)?.parse().ok()).next().map(to_ipv4)
}

/// Whether the span's attributes make the server's row an IPv6 one, whatever the span's own address is.
///
/// The first usable `network.peer.address` is the last attribute that counts (`fillAttributes` in the server's
/// `otel_import.go`).
pub(crate) fn is_ipv6_at_the_server(span: &[KeyValue]) -> bool {
    for attribute in span {
        let newer = attribute.key == NETWORK_PEER_ADDRESS;
        if !newer && attribute.key != NET_PEER_IP && attribute.key != NET_SOCK_PEER_ADDR {
            continue;
        }
        match text(attribute).and_then(parse_as_go) {
            Some(IpAddr::V6(_)) => return true,
            Some(IpAddr::V4(_)) if newer => return false,
            _ => {}
        }
    }
    false
}

fn text(attribute: &KeyValue) -> Option<&str> {
    match &attribute.value.as_ref()?.value {
        Some(any_value::Value::String(text)) => Some(text),
        _ => None,
    }
}

const NET_PEER_IP: &str = "net.peer.ip";
const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
const NET_SOCK_PEER_ADDR: &str = "net.sock.peer.addr";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::attribute;

    #[test]
    fn the_agent_takes_the_last_net_peer_ip_that_it_can_parse() {
        let peer = |values: &[&str]| {
            let span: Vec<_> = values.iter().map(|value| attribute(NET_PEER_IP, value)).collect();
            agent_peer(&span).map(|address| address.to_string())
        };
        assert_eq!(peer(&[]), None);
        assert_eq!(
            peer(&["10.0.0.1", "2001:db8::7", "db-demo", "fe80::1%eth0"]).as_deref(),
            Some("2001:db8::7")
        );
        assert_eq!(peer(&["2001:db8::7", "10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(peer(&["::ffff:10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(peer(&["::1"]).as_deref(), Some("0.0.0.1"));
        assert_eq!(agent_peer(&[attribute(NETWORK_PEER_ADDRESS, "2001:db8::7")]), None);
    }

    #[test]
    fn the_server_takes_addresses_as_they_are_until_a_newer_key_has_one() {
        let ipv6 = |attributes: &[(&str, &str)]| {
            let span: Vec<_> = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
            is_ipv6_at_the_server(&span)
        };
        assert!(!ipv6(&[]));
        assert!(!ipv6(&[(NET_PEER_IP, "10.0.0.1"), (NETWORK_PEER_ADDRESS, "::ffff:10.0.0.1")]));
        assert!(!ipv6(&[(NET_PEER_IP, "fe80::1%eth0"), ("net.sock.host.addr", "::1")]));
        assert!(ipv6(&[(NET_PEER_IP, "10.9.9.9"), (NET_SOCK_PEER_ADDR, "::1")]));
        assert!(ipv6(&[(NET_PEER_IP, "::1")]));
        assert!(ipv6(&[(NETWORK_PEER_ADDRESS, "2001:db8::7")]));
        // An IPv6 address makes the row one for good; after a usable newer key nothing else is read.
        assert!(ipv6(&[(NET_PEER_IP, "::1"), (NET_PEER_IP, "10.0.0.1"), (NETWORK_PEER_ADDRESS, "10.0.0.1")]));
        assert!(!ipv6(&[(NETWORK_PEER_ADDRESS, "10.0.0.1"), (NET_PEER_IP, "::1")]));
        assert!(ipv6(&[(NETWORK_PEER_ADDRESS, "db-demo"), (NET_PEER_IP, "::1")]));
    }
}
