//! What deepflow-agent needs and no collector gives.
//!
//! The agent aborts on a span kind that it does not know, closes the connection on a body that it cannot decode, and
//! stops adding its fallback address after the first resource that has one; its fallback is the address of whoever sent
//! the request, so ours.

pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod peers;
pub(crate) mod times;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::address::{self, UNKNOWN};
use crate::directory::{Details, Lookup, Pod, Term};
use crate::exchange::Report;
use crate::pipeline::Context;
use crate::resource::{Resource, Value};
use crate::trace::Checks;
pub use memory::Limits;
use times::Times;

/// The attribute by which DeepFlow finds the pod.
pub const HOST_IP: &str = "app.host.ip";

/// The attribute from which DeepFlow's documented pipelines fill [`HOST_IP`].
pub const POD_IP: &str = "k8s.pod.ip";

/// Which rules of the guard are on. Names in the configuration: `podstamp.guard.<field>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Rule 1: refuse what the agent cannot decode instead of having it retried for minutes.
    pub refuse_undecodable: bool,
    /// Rule 2: clear span kinds outside 0..5, each of which aborts the agent's process.
    pub clear_span_kind: bool,
    /// Rule 3: every resource leaves with exactly one usable `app.host.ip`.
    pub require_host_ip: bool,
    /// Rule 4: fill a missing or unusable `app.host.ip` from what else is known.
    pub repair_host_ip: bool,
    /// Rule 5: where nothing is known, write `0.0.0.0`, which the server reads as unknown.
    pub mark_unknown: bool,
    /// A span's own peer address is of the family of the address stamped, or gets another key: a pair of two families ends
    /// the agent's process, and one in IPv6 takes an IPv4 pod off its row.
    pub peer_family: bool,
    /// Milliseconds that a span may end ahead of the host's clock; one that ends later is moved back. 0: any.
    pub future_spans: u32,
    /// Count spans that end far from now, have no end or begin after it, and name who sent them.
    pub far_times: bool,
    /// Cut long names of spans with many attributes: the agent copies the name for each of them.
    pub long_names: bool,
    /// Bytes that one request may take in the agent's memory: what takes more leaves in parts. 0: any.
    pub agent_memory: u32,
    /// Spans that one request may have: more leave in parts. 0: any.
    pub spans_per_request: u32,
    /// Run the diagnosis on every body before it is forwarded (`check: full`).
    pub check_full: bool,
}

impl Rules {
    /// All rules, and the walk as the check: for a deepflow-agent.
    pub const AGENT: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: true,
        require_host_ip: true,
        repair_host_ip: true,
        mark_unknown: true,
        peer_family: true,
        future_spans: 5_000,
        far_times: true,
        long_names: true,
        agent_memory: 128 << 20,
        spans_per_request: 20_000,
        check_full: false,
    };

    /// For an upstream that is no deepflow-agent: OTLP itself asks that what cannot be decoded is refused.
    pub const OTHER: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: false,
        require_host_ip: false,
        repair_host_ip: false,
        mark_unknown: false,
        peer_family: false,
        future_spans: 0,
        far_times: false,
        long_names: false,
        agent_memory: 0,
        spans_per_request: 0,
        check_full: false,
    };

    /// What the walk looks for. `now` is the host's clock.
    pub fn checks(&self, now: Option<u64>) -> Checks {
        Checks {
            clear_kinds: self.clear_span_kind,
            peer_family: self.peer_family,
            long_names: self.long_names,
            times: Times::new(now, self.future_spans, self.far_times),
            limits: Limits::new(self.agent_memory, self.spans_per_request),
        }
    }

    /// Rules 3 to 5, after the pipeline. `arrived` is what [`usable_host_ip`] gave before it, `pod` what it associated.
    pub(crate) fn enforce(
        self,
        resource: &mut Resource<'_>,
        arrived: Option<IpAddr>,
        pod: Option<&Pod>,
        context: &Context<'_>,
        report: &mut Report,
    ) {
        let current = usable_host_ip(resource);
        let kept = current.is_some() && current == arrived;
        // What the client says of itself is kept: on the host's network a node's address is the right one. What the
        // pipeline wrote came from a guess at the sender, and a node is what such guesses get wrong.
        if let Some(address) = current.filter(|address| kept || !is_node(*address, pod, context)) {
            if kept {
                report.address_kept += 1;
            } else {
                report.address_pipeline += 1;
            }
            if self.require_host_ip && !is_canonical(resource, address) {
                report.addresses_normalised += 1;
                write(resource, address);
            }
            return;
        }
        let present = resource.get(HOST_IP).is_some();
        if !present && !self.require_host_ip {
            return;
        }
        let found = if self.repair_host_ip { candidate(resource, pod, context) } else { None };
        let address = match found {
            Some((address, count)) => {
                *count(report) += 1;
                address
            }
            None if self.mark_unknown => {
                report.address_unknown += 1;
                if is_canonical(resource, UNKNOWN) {
                    return;
                }
                UNKNOWN
            }
            None => return,
        };
        report.addresses_repaired += u32::from(present);
        write(resource, address);
    }
}

/// The address that DeepFlow's server would take from `app.host.ip`, if a pod can have it: the last valid one.
pub(crate) fn usable_host_ip(resource: &Resource<'_>) -> Option<IpAddr> {
    resource.iter().filter(|(key, _)| *key == HOST_IP).filter_map(|(_, value)| usable(value)).last()
}

fn usable(value: &Value<'_>) -> Option<IpAddr> {
    value.as_str().and_then(address::parse).filter(|address| address::is_candidate(*address))
}

/// Whether there is one `app.host.ip`, and it is `address` as everybody writes it.
fn is_canonical(resource: &Resource<'_>, address: IpAddr) -> bool {
    let same = resource.text(HOST_IP).is_some_and(|text| match address {
        // There is one way to write IPv4 that parses; the other texts for the same address have a colon.
        IpAddr::V4(_) => !text.contains(':') && text.parse() == Ok(address),
        IpAddr::V6(_) => text == address.to_string(),
    });
    same && resource.count(HOST_IP) == 1
}

fn write(resource: &mut Resource<'_>, address: IpAddr) {
    resource.set(HOST_IP, Value::String(Cow::Owned(address.to_string())));
}

type Count = fn(&mut Report) -> &mut u32;

/// The next best address, and what to count it as.
fn candidate(resource: &Resource<'_>, pod: Option<&Pod>, context: &Context<'_>) -> Option<(IpAddr, Count)> {
    let by_attribute = || {
        let address = resource.get(POD_IP).and_then(usable)?;
        let count: Count = |report| &mut report.address_pod_ip;
        (!is_node(address, pod, context)).then_some((address, count))
    };
    let by_pod = || {
        let pod = pod.filter(|pod| !pod.host_network)?;
        let address = pod.ips.iter().copied().find(|address| address::is_candidate(*address))?;
        let count: Count = |report| &mut report.address_pod;
        Some((address, count))
    };
    let by_connection = || {
        let address = context.connection().filter(|address| address::is_candidate(*address))?;
        let count: Count = |report| &mut report.address_connection;
        let plausible = !matches!(context.connection_lookup(), Lookup::Node | Lookup::Absent);
        plausible.then_some((address, count))
    };
    by_attribute().or_else(by_pod).or_else(by_connection)
}

fn is_node(address: IpAddr, pod: Option<&Pod>, context: &Context<'_>) -> bool {
    if pod.is_some_and(|pod| !pod.host_network && pod.ips.contains(&address)) {
        return false;
    }
    if context.connection() == Some(address) {
        return *context.connection_lookup() == Lookup::Node;
    }
    *context.find(&[Term::Ip(address)], Details::default()) == Lookup::Node
}

#[cfg(test)]
mod tests;
