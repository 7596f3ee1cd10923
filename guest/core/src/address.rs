//! Addresses: reading them from what clients and proxies write, and telling which one a pod can have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::interface::Request;

/// The address that DeepFlow's server reads as "unknown".
pub const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Reads an address and brings it to its canonical form: IPv4-mapped IPv6 becomes IPv4, a zone is dropped. A text with a port,
/// brackets, a CIDR length or blanks is not an address, as for Go's `net.ParseIP`.
pub fn parse(text: &str) -> Option<IpAddr> {
    if let Some(v4) = parse_v4(text) {
        return Some(IpAddr::V4(v4));
    }
    let bare = match text.split_once('%') {
        Some((bare, zone)) if bare.contains(':') && !zone.is_empty() => bare,
        Some(_) => return None,
        None => text,
    };
    bare.parse().ok().map(canonical)
}

/// Reads an IPv4 address as the standard library does, by hand for the same reason as in [`push`]: four numbers up to 255 without
/// leading zeros.
pub(crate) fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = text.as_bytes();
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let mut value = 0_u32;
        let mut digits = 0;
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            value = value * 10 + u32::from(digit - b'0');
            digits += 1;
            rest = after;
            if digits > 3 {
                return None;
            }
        }
        let is_padded = digits > 1 && value < if digits == 2 { 10 } else { 100 };
        if digits == 0 || is_padded {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    rest.is_empty().then(|| octets.into())
}

/// Appends an address in canonical text. IPv4 is written by hand, since formatting takes several times as long, and each resource
/// gets an address.
pub fn push(out: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        out.push_str(&address.to_string());
        return;
    };
    out.reserve(15);
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        if octet >= 100 {
            out.push(char::from(b'0' + octet / 100));
        }
        if octet >= 10 {
            out.push(char::from(b'0' + octet / 10 % 10));
        }
        out.push(char::from(b'0' + octet % 10));
    }
}

/// An address in canonical text.
pub fn text(address: IpAddr) -> String {
    let mut text = String::new();
    push(&mut text, address);
    text
}

/// IPv4-mapped IPv6 as IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The 64 highest and the 64 lowest bits of an address; IPv4 is the IPv6 that it is mapped to.
pub fn halves(address: IpAddr) -> (u64, u64) {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bits = address.to_bits();
    ((bits >> 64) as u64, bits as u64)
}

/// The address of which these are the [`halves`].
pub fn of_halves(high: u64, low: u64) -> IpAddr {
    canonical(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into())
}

/// Whether a pod can have that address at all; false for loopback, unspecified, multicast, link-local and broadcast ones.
pub fn is_candidate(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(special || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// The first address of a list that a pod can have. The Downward API writes `status.podIPs` with commas, and a client that
/// puts an IPv6 address into a URL as well writes it in brackets.
pub fn first_candidate(list: &str) -> Option<IpAddr> {
    let bare = |entry: &'_ str| -> Option<IpAddr> {
        let entry = entry.trim();
        let inner = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        parse(inner.unwrap_or(entry))
    };
    list.split(',').filter_map(bare).find(|address| is_candidate(*address))
}

/// The client's address: that of the TCP peer or, where the peer is a trusted proxy, the right-most address of X-Forwarded-For,
/// or of Forwarded (RFC 7239), that is not a trusted proxy's.
///
/// Where all entries are trusted, it is the left-most, where the request began. `None` where an entry is not an address, since
/// somebody unknown wrote what stands to its left; and where both headers are there and differ, since a proxy that writes one of
/// them may hand on what its client wrote into the other.
pub fn connection(request: &Request<'_>, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = canonical(request.peer?);
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    let mut far_ends = [
        far_end(request, "x-forwarded-for", |entry| Some(entry), trusted),
        far_end(request, "forwarded", forwarded_for, trusted),
    ]
    .into_iter()
    .flatten();
    match (far_ends.next(), far_ends.next()) {
        (None, _) => Some(peer),
        (Some(far_end), None) => far_end.address(),
        (Some(one), Some(other)) => one.address().filter(|_| one == other),
    }
}

/// The client's end of a request's way, as a header has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FarEnd {
    Address(IpAddr),
    /// The header has something else where the address belongs.
    Unreadable,
}

impl FarEnd {
    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unreadable => None,
        }
    }
}

/// Reads the far end from a header. `None`: the request has no such header.
fn far_end<'a>(
    request: &Request<'a>,
    name: &'static str,
    address_of: fn(&str) -> Option<&str>,
    trusted: &[IpNet],
) -> Option<FarEnd> {
    let mut last = None;
    for value in request.header(name).rev() {
        for entry in value.rsplit(|byte| *byte == b',') {
            let address =
                std::str::from_utf8(entry).ok().and_then(address_of).map(str::trim).and_then(parse_with_port);
            match address {
                None => return Some(FarEnd::Unreadable),
                Some(address) if !is_trusted(address, trusted) => return Some(FarEnd::Address(address)),
                Some(address) => last = Some(FarEnd::Address(address)),
            }
        }
    }
    last
}

/// The `for` of an element of Forwarded: `for=10.1.2.3;proto=http` or `For="[2001:db8::1]:4711"`.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes =
        pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, node)| node.trim());
    let node = nodes.next()?;
    // An element with two of them could be read either way.
    if nodes.next().is_some() {
        return None;
    }
    match node.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(node),
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// Reads an address as [`parse`] does, and as proxies also write it: `1.2.3.4:5678`, `[2001:db8::1]` and `[2001:db8::1]:5678`. A
/// text whose port is not one is not an address.
pub fn parse_with_port(entry: &str) -> Option<IpAddr> {
    if let Some(rest) = entry.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        let whole = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return parse(inner).filter(|_| whole);
    }
    match entry.split_once(':') {
        Some((v4, port)) if !port.contains(':') => parse(v4).filter(|_| is_port(port)),
        _ => parse(entry),
    }
}

/// Whether a text is a `node-port` of RFC 7239, section 6: at most 65,535, or a name with `_` behind which the proxy hides it.
fn is_port(text: &str) -> bool {
    let hidden = |name: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !name.is_empty() && name.bytes().all(legal)
    };
    let decimal = || text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    text.strip_prefix('_').map_or_else(decimal, hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{Header, Signal};

    #[test]
    fn halves_are_those_of_the_address() {
        for text in ["10.1.2.3", "0.0.0.0", "2001:db8::7", "::", "ffff:ffff::1"] {
            let address: IpAddr = text.parse().unwrap();
            let (high, low) = halves(address);
            assert_eq!(of_halves(high, low), address);
        }
        assert_eq!(halves([10, 1, 2, 3].into()), (0, 0xffff_0a01_0203));
    }

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let headers: Vec<_> = forwarded.iter().map(|value| Header::new("x-forwarded-for", value)).collect();
        by_headers(peer, &headers, trusted)
    }

    fn by_headers(peer: &str, headers: &[Header], trusted: &[&str]) -> Option<String> {
        let trusted: Vec<_> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let request = Request {
            signal: Signal::Traces,
            path: "/v1/traces",
            peer: peer.parse().ok(),
            headers,
            body: b"",
            now: None,
        };
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
    fn forwarded_is_read_as_x_forwarded_for_is() {
        let from = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| Header::new("forwarded", value)).collect();
            by_headers("10.2.0.1", &headers, &["10.2.0.0/16"])
        };
        assert_eq!(
            from(&["for=6.6.6.6, for=10.1.2.3;proto=http;by=x, For=10.2.0.9"]).as_deref(),
            Some("10.1.2.3")
        );
        assert_eq!(
            from(&["for=6.6.6.6", r#"proto=https; for="10.1.2.3:4711""#]).as_deref(),
            Some("10.1.2.3")
        );
        assert_eq!(from(&[r#"for="[2001:db8::7]:4711""#]).as_deref(), Some("2001:db8::7"));
        assert_eq!(from(&[r#"for="[2001:db8::7]""#]).as_deref(), Some("2001:db8::7"));
        assert_eq!(from(&["for=10.2.0.7"]).as_deref(), Some("10.2.0.7"));
        for unreadable in [
            "",
            "for=unknown",
            "for=_hidden",
            "proto=http",
            r#"for="10.1.2.3"#,
            "for=10.1.2.3;for=10.1.2.4",
            "10.1.2.3",
        ] {
            assert_eq!(from(&[unreadable]), None, "{unreadable}");
            assert_eq!(from(&["for=10.1.2.3", unreadable]), None, "{unreadable}");
        }
        let headers = [Header::new("forwarded", "for=10.9.9.9")];
        assert_eq!(by_headers("10.1.2.3", &headers, &[]).as_deref(), Some("10.1.2.3"), "nobody is trusted");
    }

    #[test]
    fn two_headers_that_differ_are_not_believed() {
        let both = |forwarded_for: &str, forwarded: &str| {
            let headers =
                [Header::new("x-forwarded-for", forwarded_for), Header::new("forwarded", forwarded)];
            by_headers("10.2.0.1", &headers, &["10.2.0.0/16"])
        };
        assert_eq!(both("10.1.2.3", "for=10.1.2.3").as_deref(), Some("10.1.2.3"));
        assert_eq!(both("10.1.2.3", "for=10.1.2.4"), None);
        assert_eq!(both("10.1.2.3", "for=unknown"), None);
        assert_eq!(both("unknown", "for=unknown"), None);
    }

    #[test]
    fn what_stands_for_a_port_and_is_none_makes_it_no_address() {
        for good in
            ["10.1.2.3:0", "10.1.2.3:65535", "10.1.2.3:_x-1", "[2001:db8::7]:65535", "[2001:db8::7]:_x"]
        {
            assert!(parse_with_port(good).is_some(), "{good}");
        }
        for bad in [
            "10.1.2.3:65536",
            "10.1.2.3:99999999999",
            "10.1.2.3:",
            "10.1.2.3:-1",
            "10.1.2.3:+80",
            "10.1.2.3:http",
            "10.1.2.3:8 0",
            "10.1.2.3:_",
            "10.1.2.3:_a b",
            "[2001:db8::7]:",
            "[2001:db8::7]:65536",
            "[2001:db8::7]:8x",
            "[2001:db8::7]x",
            "[2001:db8::7",
        ] {
            assert_eq!(parse_with_port(bad), None, "{bad}");
        }
        assert_eq!(from("10.2.0.1", &["10.1.2.3:70000"], &["10.2.0.0/16"]), None);
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        let v4 = (0..=255_u8).map(|octet| IpAddr::from([octet, 255 - octet, octet / 3, octet / 30]));
        for address in v4.chain(["::", "fd00::1", "::ffff:1.2.3.4"].map(|text| text.parse().unwrap())) {
            assert_eq!(text(address), address.to_string());
        }
    }

    #[test]
    fn ipv4_is_read_as_the_standard_library_reads_it() {
        let parts = [
            "", "0", "00", "01", "7", "99", "100", "099", "255", "256", "0255", "1000", "-1", "+1", "x",
            "1 ", "٣",
        ];
        for part in parts {
            for place in 0..4 {
                let mut octets = ["10", "1", "2", "3"];
                octets[place] = part;
                for text in
                    [octets.join("."), octets[..3].join("."), octets.join(".") + ".", octets.join(",")]
                {
                    assert_eq!(parse_v4(&text), text.parse().ok(), "{text}");
                }
            }
        }
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
    fn of_a_list_the_first_address_that_a_pod_can_have_counts() {
        for (list, expected) in [
            ("10.1.2.3", Some("10.1.2.3")),
            ("10.1.2.3,fd00::3", Some("10.1.2.3")),
            ("fd00:0::0003, 10.1.2.3", Some("fd00::3")),
            ("127.0.0.1,,junk,10.1.2.3", Some("10.1.2.3")),
            ("[fd00::3]", Some("fd00::3")),
            ("$(POD_IP)", None),
            ("10.1.2.3:80", None),
            ("[fd00::3", None),
            ("", None),
        ] {
            assert_eq!(first_candidate(list), expected.map(|text| text.parse().unwrap()), "{list}");
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
