//! Addresses as Rust's agent and Go's server read them.

use std::net::IpAddr;

/// `Ipv6Addr::to_ipv4` unlike `to_ipv4_mapped` makes `0.0.0.1` of `::1`; the agent uses it for all peers.
pub(crate) fn to_ipv4(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4().map_or(address, IpAddr::V4),
    }
}

/// Rust's parser takes what `net.ParseIP` takes: no port, no brackets, no zone, no leading zeros in IPv4.
pub(crate) fn parse_as_go(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_takes_only_what_go_parses() {
        let refused = [
            "",
            " 10.0.0.1",
            "10.0.0.1\n",
            "10.0.0.1:80",
            "[2001:db8::7]",
            "10.0.0.0/8",
            "010.0.0.1",
            "10.0.0",
            "10.0.0.256",
            "fe80::1%eth0",
            "::ffff:10.0.0.01",
            "1:2:3:4:5:6:7:8::",
            "1:2:3:4:5:6:7:00008",
        ];
        for bad in refused {
            assert_eq!(parse_as_go(bad), None, "{bad}");
        }
    }
}
