//! `app.host.ip`: the one that deepflow-agent adds, and the one that DeepFlow's server reads from the result.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::{parse_as_go, to_ipv4};
use crate::message::{AnyValue, KeyValue, Resource, any_value};
use crate::value::{Attribute, Value};

/// The resource attribute that DeepFlow joins application spans by.
pub(crate) const HOST_IP: &str = "app.host.ip";

/// The state that deepflow-agent carries from one resource of a request to the next.
pub(crate) struct Carried {
    peer: IpAddr,
    key_seen: bool,
    /// The address of the resource that was taken last: the agent's metrics count its spans under it, and the policy lookup
    /// holds it against their peers. Until a resource has a usable address it is the peer's; where later ones have none, it stays.
    pub(crate) address: IpAddr,
}

impl Carried {
    /// The state at the beginning of a request from `peer`.
    pub(crate) fn new(peer: IpAddr) -> Self {
        let peer = to_ipv4(peer);
        Self { peer, key_seen: false, address: peer }
    }

    /// Does to one resource what the agent does to it.
    ///
    /// The flag is never reset: after the first resource that has the key, whatever the value, no other gets the peer.
    pub(crate) fn take(&mut self, resource: &mut Resource) {
        for attribute in resource.attributes.iter().filter(|attribute| attribute.key == HOST_IP) {
            self.key_seen = true;
            // Not mapped to IPv4, in contrast to peers: the agent takes a mapped address for IPv6 here.
            if let Some(any_value::Value::String(text)) =
                attribute.value.as_ref().and_then(|any| any.value.as_ref())
                && let Ok(address) = text.parse()
            {
                self.address = address;
            }
        }
        if !self.key_seen {
            let value = any_value::Value::String(self.peer.to_string());
            resource
                .attributes
                .push(KeyValue { key: HOST_IP.into(), value: Some(AnyValue { value: Some(value) }) });
        }
    }
}

/// The addresses that DeepFlow's server reads from a resource: of each family the last string that Go's `net.ParseIP` takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServerAddresses {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl ServerAddresses {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.key == HOST_IP) {
            match attribute.value.as_str().and_then(parse_as_go) {
                Some(IpAddr::V4(v4)) => found.v4 = Some(v4),
                Some(IpAddr::V6(v6)) => found.v6 = Some(v6),
                None => {}
            }
        }
        found
    }

    /// The address in the row of a span: any IPv6 address, the peer's too, makes it a row of IPv6 addresses, in which an
    /// IPv4 one has no place.
    pub(crate) fn in_row(self, ipv6_peer: bool) -> IpAddr {
        match self.v6 {
            Some(v6) => v6.into(),
            None if ipv6_peer => Ipv6Addr::UNSPECIFIED.into(),
            None => self.v4.unwrap_or(Ipv4Addr::UNSPECIFIED).into(),
        }
    }
}

/// The first `app.host.ip` in the request, before the agent adds one.
pub(crate) fn on_the_wire(resource: &Resource) -> Option<Value> {
    let found = resource.attributes.iter().find(|attribute| attribute.key == HOST_IP)?;
    Some(Attribute::from(found.clone()).value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::attribute;

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
            Carried::new(peer.parse().unwrap()).take(&mut resource);
            let attributes: Vec<_> = resource.attributes.into_iter().map(Attribute::from).collect();
            assert_eq!(attributes, [text(added)], "{peer}");
        }
    }

    #[test]
    fn the_server_takes_the_last_usable_string_of_a_family_and_ipv6_rather_than_ipv4() {
        let address = |attributes: &[Attribute]| ServerAddresses::of(attributes).in_row(false).to_string();
        assert_eq!(address(&[]), "0.0.0.0");
        assert_eq!(address(&[text("10.0.0.1"), text("10.0.0.2"), text("nonsense")]), "10.0.0.2");
        assert_eq!(address(&[text("10.0.0.1"), host_ip(Value::Bytes(b"10.0.0.2".to_vec()))]), "10.0.0.1");
        assert_eq!(address(&[host_ip(Value::Int(7))]), "0.0.0.0");
        assert_eq!(address(&[text("::ffff:10.0.0.1")]), "10.0.0.1");
        assert_eq!(address(&[text("2001:DB8::0:7")]), "2001:db8::7");
        assert_eq!(address(&[text("2001:db8::7"), text("2001:db8::8"), text("10.0.0.1")]), "2001:db8::8");
        assert_eq!(address(&[text("10.0.0.1"), text("2001:db8::7")]), "2001:db8::7");
    }

    #[test]
    fn an_ipv6_peer_leaves_no_place_for_an_ipv4_address() {
        let address = |attributes: &[Attribute]| ServerAddresses::of(attributes).in_row(true).to_string();
        assert_eq!(address(&[text("10.0.0.1")]), "::");
        assert_eq!(address(&[]), "::");
        assert_eq!(address(&[text("2001:db8::7")]), "2001:db8::7");
    }

    #[test]
    fn the_agent_carries_the_last_usable_address_on() {
        let mut carried = Carried::new("::ffff:10.9.9.9".parse().unwrap());
        let mut after = |values: &[&str]| {
            let attributes = values.iter().map(|value| attribute(HOST_IP, value)).collect();
            carried.take(&mut Resource { attributes, ..Resource::default() });
            carried.address.to_string()
        };
        assert_eq!(after(&[]), "10.9.9.9");
        assert_eq!(after(&["10.0.0.1", "2001:db8::7", "nonsense"]), "2001:db8::7");
        assert_eq!(after(&["nonsense"]), "2001:db8::7");
        assert_eq!(after(&["::ffff:10.0.0.2"]), "::ffff:10.0.0.2");
    }
}
