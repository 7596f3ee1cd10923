//! `podstamp`: what the Collector has no keys for.

pub(crate) mod admin;
mod guard;
pub(crate) mod limits;
pub(crate) mod pods;
pub(crate) mod proxy_wasm;
pub(crate) mod queue;
pub(crate) mod upstream;

use ipnet::IpNet;
use serde_json::Value;

use crate::address;
use crate::config::document::Entry;
use crate::config::extensions::Extensions;
use crate::interface::Level;
use admin::{Admin, read_admin};
use guard::{Guard, read_guard};
use limits::{Limits, read_limits};
use pods::{Pods, read_pods};
use proxy_wasm::{ProxyWasm, read_proxy_wasm};
use queue::{Queue, read_queue};
use upstream::{Upstream, read_upstream};

/// `podstamp.proxy_protocol`: the listeners where connections of a load balancer begin with the address of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Where OTLP/HTTP is taken.
    pub http: bool,
    /// Where OTLP/gRPC is taken.
    pub grpc: bool,
}

/// All that is read from the section.
#[derive(Debug)]
pub(crate) struct PodstampSection {
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) proxy_protocol: ProxyProtocol,
    /// Whether each listener takes only the protocol that it is there for.
    pub(crate) strict_ports: bool,
    pub(crate) guard: Guard,
    pub(crate) upstream: Upstream,
    pub(crate) queue: Queue,
    pub(crate) limits: Limits,
    pub(crate) drain_delay: u32,
    pub(crate) admin: Option<Admin>,
    pub(crate) pods: Pods,
    pub(crate) proxy_wasm: ProxyWasm,
}

/// Reads `podstamp`. `body`: the size of bodies that the receiver's section states.
pub(crate) fn read_podstamp(
    entry: &Entry<'_>,
    body: Option<u32>,
    extensions: &Extensions<'_, '_>,
) -> PodstampSection {
    let mut section = entry.section();
    let trusted_proxies: Vec<_> =
        section.take("trusted_proxies").list().iter().filter_map(read_network).collect();
    let proxy_protocol = read_proxy_protocol(&section.take("proxy_protocol"), trusted_proxies.is_empty());
    let strict_ports = section.take("strict_ports").flag().unwrap_or_default();
    let guard = read_guard(&section.take("guard"));
    let upstream = read_upstream(&section.take("upstream"));
    let queue = read_queue(&section.take("queue"), upstream.patience);
    let limits = read_limits(&section.take("limits"), body);
    let drain_delay = read_drain_delay(&section.take("drain_delay"), limits.drain_timeout);
    let admin = read_admin(&section.take("admin"), extensions);
    let pods = read_pods(&section.take("pods"), extensions);
    let proxy_wasm = read_proxy_wasm(&section.take("proxy_wasm"));
    section.close();
    PodstampSection {
        trusted_proxies,
        proxy_protocol,
        strict_ports,
        guard,
        upstream,
        queue,
        limits,
        drain_delay,
        admin,
        pods,
        proxy_wasm,
    }
}

fn read_network(entry: &Entry<'_>) -> Option<IpNet> {
    let text = entry.text()?;
    let network = match address::parse(&text) {
        Some(address) => Some(IpNet::from(address)),
        None => text.parse().ok(),
    };
    match network {
        None => entry.fault(format!("`{text}` is neither an address nor a network such as 10.0.0.0/8")),
        Some(IpNet::V6(v6)) if v6.prefix_len() >= 96 && v6.addr().to_ipv4_mapped().is_some() => {
            entry.fault(format!("write `{text}` as an IPv4 network: that is how its addresses are compared"));
        }
        Some(network) if network.prefix_len() == 0 => {
            let message = "trusts everybody, so that any client can claim any address";
            entry.notice(Level::Warning, "config-trusts-everybody", message);
        }
        Some(_) => {}
    }
    network
}

fn read_proxy_protocol(entry: &Entry<'_>, nobody_trusted: bool) -> ProxyProtocol {
    let chosen = match entry.value() {
        None => return ProxyProtocol::default(),
        Some(Value::Array(_)) => {
            let named = |name| entry.list().iter().any(|item| item.text().as_deref() == Some(name));
            for item in entry.list() {
                let _ = item.choice(&[("http", ()), ("grpc", ())]);
            }
            ProxyProtocol { http: named("http"), grpc: named("grpc") }
        }
        Some(_) => {
            let all = entry.flag().unwrap_or_default();
            ProxyProtocol { http: all, grpc: all }
        }
    };
    if nobody_trusted && chosen != ProxyProtocol::default() {
        entry.fault(
            "believes only peers in podstamp.trusted_proxies, and there are none: name the load balancer there",
        );
    }
    chosen
}

/// Reads `drain_delay`, in milliseconds. It has to leave time for what is in flight.
fn read_drain_delay(entry: &Entry<'_>, timeout: u32) -> u32 {
    let Some(delay) = entry.duration() else { return DEFAULT_DRAIN_DELAY.min(timeout / 5) };
    if delay > 0 && delay >= timeout {
        entry.fault(format!(
            "leaves no time for what is in flight: podstamp.limits.drain_timeout, {timeout} ms, includes it"
        ));
    }
    delay
}

/// How long to take requests after the order to stop, milliseconds. Kubernetes gives that order and takes the pod's address
/// from its endpoints at the same time; the nodes learn of it within a second or two.
pub const DEFAULT_DRAIN_DELAY: u32 = 3_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::catalog::Catalog;
    use crate::config::document::Findings;

    /// Reads a section of a document without extensions.
    fn read(document: &Value, findings: &Findings) -> PodstampSection {
        let mut nothing = Entry::root(&Value::Null, findings).section();
        let catalog = Catalog::of_document(&mut nothing);
        let extensions = Extensions::started(&nothing.take("service"), &catalog);
        nothing.close();
        read_podstamp(&Entry::root(document, findings), None, &extensions)
    }

    #[test]
    fn trusted_proxies_are_addresses_and_networks() {
        let findings = Findings::default();
        let document = json!({
            "trusted_proxies": ["10.0.0.0/8", "192.168.1.1", "::ffff:10.1.1.1", "fd00::/8", "0.0.0.0/0", "x", "::ffff:10.0.0.0/104"],
        });
        let own = read(&document, &findings);
        let texts: Vec<_> = own.trusted_proxies.iter().take(5).map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.0/8", "192.168.1.1/32", "10.1.1.1/32", "fd00::/8", "0.0.0.0/0"]);
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["trusted_proxies[5]", "trusted_proxies[6]"]);
    }

    #[test]
    fn a_drain_delay_leaves_time_for_what_is_in_flight() {
        let findings = Findings::default();
        let delay = |document| read(&document, &findings).drain_delay;
        assert_eq!(delay(json!({})), DEFAULT_DRAIN_DELAY);
        assert_eq!(delay(json!({"drain_delay": "0s"})), 0);
        assert_eq!(delay(json!({"limits": {"drain_timeout": "0s"}})), 0);
        assert_eq!(delay(json!({"limits": {"drain_timeout": "5s"}})), 1_000);
        assert_eq!(delay(json!({"drain_delay": "24s"})), 24_000);
        delay(json!({"drain_delay": "25s"}));
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["drain_delay"]);
    }

    #[test]
    fn a_proxy_header_is_expected_where_it_is_asked_for_and_somebody_is_trusted() {
        let findings = Findings::default();
        let proxies = |value| {
            let document = json!({"trusted_proxies": ["10.0.0.1"], "proxy_protocol": value});
            let read = read(&document, &findings).proxy_protocol;
            (read.http, read.grpc)
        };
        assert_eq!(proxies(json!(null)), (false, false));
        assert_eq!(proxies(json!(true)), (true, true));
        assert_eq!(proxies(json!(["grpc"])), (false, true));
        assert_eq!(proxies(json!(["http", "grpc"])), (true, true));
        proxies(json!(["https"]));
        read(&json!({"proxy_protocol": true}), &findings);
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["proxy_protocol[0]", "proxy_protocol"]);
    }

    #[test]
    fn ports_are_strict_where_it_is_asked_for() {
        let findings = Findings::default();
        let strict = |document| read(&document, &findings).strict_ports;
        assert!(!strict(json!({})) && !strict(json!({"strict_ports": false})));
        assert!(strict(json!({"strict_ports": true})));
        strict(json!({"strict_ports": "no"}));
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["strict_ports"]);
    }

    #[test]
    fn the_admin_listener_is_off_unless_its_section_is_there() {
        let findings = Findings::default();
        let admin = |document| read(&document, &findings).admin;
        assert_eq!(admin(json!({})), None);
        assert_eq!(admin(json!({"admin": null})), Some(Admin::default()));
    }
}
