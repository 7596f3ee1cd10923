//! The peer of a request: the address of the pod at the far end of its connection.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::config::Config;

use crate::abi::host;
use crate::abi::map::Pairs;
use crate::notices::Notices;

/// How the peer of a stream is found.
pub(crate) struct Peers {
    /// The path of the property that has the address of the TCP peer: a filter state.
    path: String,
    /// Whether this proxy stands behind others, whose X-Forwarded-For is believed.
    is_behind_proxies: bool,
    /// The address of the pod that this proxy is a sidecar in.
    instance: Option<IpAddr>,
}

impl Peers {
    pub(crate) fn new(config: &Config, variables: &[(String, String)]) -> Self {
        Self {
            path: format!("filter_state\0{}", config.proxy_wasm.peer),
            is_behind_proxies: !config.trusted_proxies.is_empty(),
            instance: instance(variables),
        }
    }

    /// The peer of the current stream, as far as it can be believed.
    ///
    /// 1. The filter state that `set_filter_state` has written: the address of the TCP peer, which nobody can forge.
    /// 2. `source.address`. Envoy may take it from X-Forwarded-For, whoever wrote that, and then says port 0: such a one
    ///    counts only if `podstamp.trusted_proxies` says that this proxy stands behind others.
    ///
    /// In a sidecar the peer may be the pod itself, at a loopback address: the pod's own address takes its place.
    pub(crate) fn current(&self, headers: &Pairs<'_>, notices: &Notices) -> Option<IpAddr> {
        let is_forwarded = headers.value("x-forwarded-for").is_some();
        let seen = self.direct().or_else(|| self.source(is_forwarded, notices));
        match (seen, self.instance) {
            (Some(peer), Some(instance)) if peer.is_loopback() => Some(instance),
            (None, Some(instance)) if !is_forwarded => Some(instance),
            _ => seen,
        }
    }

    fn direct(&self) -> Option<IpAddr> {
        host::property_text(&self.path).as_deref().and_then(parse_address)
    }

    fn source(&self, is_forwarded: bool, notices: &Notices) -> Option<IpAddr> {
        let text = host::property_text("source\0address")?;
        let is_claimed = match text.rsplit_once(':') {
            Some((_, port)) => port == "0",
            // Other hosts leave the port out.
            None => is_forwarded,
        };
        if is_claimed && !self.is_behind_proxies {
            notices.warn(
                "peer-not-known",
                || "a request with X-Forwarded-For has no address that can be believed: have Envoy's set_filter_state write \
                 %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% as podstamp.peer, ahead of this filter"
                    .to_owned(),
            );
            return None;
        }
        parse_address(&text)
    }
}

/// The address of the pod that this proxy is a sidecar in: Istio writes it into the node's metadata, and others may set the
/// variable `POD_IP`.
fn instance(variables: &[(String, String)]) -> Option<IpAddr> {
    let metadata = host::property_text("xds\0node\0metadata\0INSTANCE_IPS");
    let variable = || variables.iter().find(|(name, _)| name == "POD_IP").map(|(_, value)| value.clone());
    let addresses = metadata.or_else(variable)?;
    addresses.split(',').filter_map(parse_address).find(|address| address::is_candidate(*address))
}

/// Reads an address, with or without a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    address::parse_with_port(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_and_without_a_port() {
        for (text, expected) in [
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3:0", "10.1.2.3"),
            ("[fd00::1]:4711", "fd00::1"),
            ("fd00::1", "fd00::1"),
            (" ::ffff:10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(
                parse_address(text).map(|address| address.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "/tmp/pipe", "10.1.2", "[fd00::1"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }
}
