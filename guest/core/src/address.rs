//! Addresses: reading them from what clients and proxies write, and telling which one a pod can have.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::exchange::Request;

/// What DeepFlow's server reads as "no address known".
pub const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Reads an address and brings it to its canonical form: IPv4-mapped IPv6 becomes IPv4, a zone is dropped.
/// Ports, brackets, CIDR lengths and blanks make it no address, as for Go's `net.ParseIP`.
pub fn parse(text: &str) -> Option<IpAddr> {
    let bare = match text.split_once('%') {
        Some((bare, zone)) if bare.contains(':') && !zone.is_empty() => bare,
        Some(_) => return None,
        None => text,
    };
    bare.parse().ok().map(canonical)
}

/// IPv4-mapped IPv6 as IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether a pod can have that address at all: loopback, unspecified, multicast, link-local and broadcast ones it cannot.
pub fn is_candidate(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(special || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// The address at the far end: the TCP peer or, where that is a trusted proxy, the right-most address of
/// X-Forwarded-For that is not one.
///
/// All entries trusted: the left-most, where the request began. An entry that is no address: none, since what stands to
/// its left was written by somebody unknown.
pub fn connection(request: &Request<'_>, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = canonical(request.peer?);
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    let mut last = peer;
    for value in request.header("x-forwarded-for").rev() {
        for entry in value.rsplit(|byte| *byte == b',') {
            last = parse_forwarded(std::str::from_utf8(entry).ok()?.trim())?;
            if !is_trusted(last, trusted) {
                return Some(last);
            }
        }
    }
    Some(last)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// Proxies also write `1.2.3.4:5678`, `[2001:db8::1]` and `[2001:db8::1]:5678`.
fn parse_forwarded(entry: &str) -> Option<IpAddr> {
    if let Some(rest) = entry.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        return if port.is_empty() || port.starts_with(':') { parse(inner) } else { None };
    }
    match entry.split_once(':') {
        Some((v4, port)) if !port.contains(':') => parse(v4),
        _ => parse(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Header;

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let headers: Vec<_> = forwarded.iter().map(|value| Header::new("x-forwarded-for", value)).collect();
        let trusted: Vec<_> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let request = Request { path: "/v1/traces", peer: peer.parse().ok(), headers: &headers, body: b"" };
        connection(&request, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_connection_whatever_it_claims() {
        assert_eq!(from("10.1.2.3", &["10.9.9.9"], &[]).as_deref(), Some("10.1.2.3"));
        assert_eq!(from("::ffff:10.1.2.3", &["10.9.9.9"], &["10.2.0.0/16"]).as_deref(), Some("10.1.2.3"));
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_untrusted_address_counts() {
        let trusted = ["10.2.0.0/16", "fd00::/8"];
        assert_eq!(from("10.2.0.1", &["6.6.6.6, 10.1.2.3, 10.2.0.9"], &trusted).as_deref(), Some("10.1.2.3"));
        assert_eq!(
            from("10.2.0.1", &["6.6.6.6", "10.1.2.3:4711", "[fd00::1]:1"], &trusted).as_deref(),
            Some("10.1.2.3")
        );
        assert_eq!(from("::ffff:10.2.0.1", &["::ffff:10.1.2.3"], &trusted).as_deref(), Some("10.1.2.3"));
        assert_eq!(from("fd00::2", &["2001:db8::7"], &trusted).as_deref(), Some("2001:db8::7"));
    }

    #[test]
    fn a_trusted_proxy_without_a_usable_header_gives_its_own_address_or_none() {
        let trusted = ["10.2.0.0/16"];
        assert_eq!(from("10.2.0.1", &[], &trusted).as_deref(), Some("10.2.0.1"));
        assert_eq!(from("10.2.0.1", &["10.2.0.7, 10.2.0.8"], &trusted).as_deref(), Some("10.2.0.7"));
        assert_eq!(from("10.2.0.1", &["10.1.2.3, unknown"], &trusted), None);
        assert_eq!(from("10.2.0.1", &[""], &trusted), None);
    }

    #[test]
    fn only_plain_addresses_parse() {
        assert_eq!(parse("::ffff:10.0.0.1"), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(parse("fe80::1%eth0"), Some("fe80::1".parse().unwrap()));
        for bad in
            ["", " 10.0.0.1", "10.0.0.1:80", "10.0.0.0/8", "[::1]", "010.0.0.1", "10.0.0", "1%a", "::1%"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn special_addresses_are_no_candidates() {
        for bad in [
            "127.0.0.6",
            "0.0.0.0",
            "224.0.0.1",
            "169.254.1.1",
            "255.255.255.255",
            "::1",
            "::",
            "ff02::1",
            "fe80::1",
        ] {
            assert!(!is_candidate(bad.parse().unwrap()), "{bad}");
        }
        for good in ["10.0.0.1", "192.168.1.1", "2001:db8::1", "fd00::1"] {
            assert!(is_candidate(good.parse().unwrap()), "{good}");
        }
    }
}
