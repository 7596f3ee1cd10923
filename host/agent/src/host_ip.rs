//! `app.host.ip`: what deepflow-agent adds, and what DeepFlow's server makes of the result.

use std::net::{IpAddr, Ipv4Addr};

use crate::message::{AnyValue, KeyValue, Resource, any_value};
use crate::value::{Attribute, Value};

/// The resource attribute that DeepFlow joins application spans by.
pub(crate) const HOST_IP: &str = "app.host.ip";

/// What deepflow-agent adds to the resources of one request.
///
/// Its flag is never reset: after the first resource that has the key, whatever the value, no other gets the fallback.
pub(crate) struct Fallback {
    peer: IpAddr,
    key_seen: bool,
}

impl Fallback {
    /// For a request from `peer`.
    ///
    /// The agent uses `Ipv6Addr::to_ipv4`, which unlike `to_ipv4_mapped` makes `0.0.0.1` of `::1`.
    pub(crate) fn new(peer: IpAddr) -> Self {
        let peer = match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(v6) => v6.to_ipv4().map_or(peer, IpAddr::V4),
        };
        Self { peer, key_seen: false }
    }

    /// Does to one resource what the agent does to it; resources come in the order of the request.
    pub(crate) fn apply(&mut self, resource: &mut Resource) {
        self.key_seen |= resource.attributes.iter().any(|attribute| attribute.key == HOST_IP);
        if !self.key_seen {
            let value = any_value::Value::String(self.peer.to_string());
            resource
                .attributes
                .push(KeyValue { key: HOST_IP.into(), value: Some(AnyValue { value: Some(value) }) });
        }
    }
}

/// The address that DeepFlow's server reads from a resource: the last one that is a string and that Go's `net.ParseIP`
/// takes, or `0.0.0.0`.
pub(crate) fn server_address(attributes: &[Attribute]) -> IpAddr {
    attributes
        .iter()
        .rev()
        .filter(|attribute| attribute.key == HOST_IP)
        .filter_map(|attribute| parse_as_go(attribute.value.as_str()?))
        .next()
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// What was in the request, before the agent added anything.
pub(crate) fn on_the_wire(resource: &Resource) -> Option<Value> {
    let found = resource.attributes.iter().find(|attribute| attribute.key == HOST_IP)?;
    Some(Attribute::from(found.clone()).value)
}

/// Rust's parser takes what `net.ParseIP` takes: no port, no brackets, no zone, no leading zeros in IPv4.
fn parse_as_go(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_ip(value: Value) -> Attribute {
        Attribute { key: HOST_IP.into(), value }
    }

    fn text(value: &str) -> Attribute {
        host_ip(Value::String(value.into()))
    }

    #[test]
    fn the_fallback_is_the_peer_as_rust_maps_it_to_ipv4() {
        for (peer, added) in [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::1", "0.0.0.1"),
            ("::", "0.0.0.0"),
            ("2001:db8::7", "2001:db8::7"),
        ] {
            let mut resource = Resource::default();
            Fallback::new(peer.parse().unwrap()).apply(&mut resource);
            let attributes: Vec<_> = resource.attributes.into_iter().map(Attribute::from).collect();
            assert_eq!(attributes, [text(added)], "{peer}");
        }
    }

    #[test]
    fn the_server_takes_the_last_usable_string() {
        let address = |attributes: &[Attribute]| server_address(attributes).to_string();
        assert_eq!(address(&[]), "0.0.0.0");
        assert_eq!(address(&[text("10.0.0.1"), text("10.0.0.2"), text("nonsense")]), "10.0.0.2");
        assert_eq!(address(&[text("10.0.0.1"), host_ip(Value::Bytes(b"10.0.0.2".to_vec()))]), "10.0.0.1");
        assert_eq!(address(&[host_ip(Value::Int(7))]), "0.0.0.0");
        assert_eq!(address(&[text("::ffff:10.0.0.1")]), "10.0.0.1");
        assert_eq!(address(&[text("2001:DB8::0:7")]), "2001:db8::7");
    }

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
