//! Rules 3 to 5: every resource leaves with one `app.host.ip`, that of its pod.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Rules;
use crate::address::{self, UNKNOWN};
use crate::attributes::{HOST_IP, POD_IP};
use crate::claims::usable_host_ip;
use crate::context::Context;
use crate::directory::{Lookup, Pod};
use crate::interface::{AddressSource, Report};
use crate::pipeline::Run;
use crate::resource::{Resource, Value};

/// What is to be counted of a resource that rules 3 to 5 were applied to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Enforced {
    /// How the address was found.
    pub(crate) source: AddressSource,
    normalised: bool,
    repaired: bool,
}

impl Enforced {
    /// Whether nothing but the source is to be counted.
    pub(crate) fn is_plain(self) -> bool {
        !(self.normalised || self.repaired)
    }

    /// Counts it.
    pub(crate) fn count(self, report: &mut Report) {
        if let Some(count) = report.address(self.source) {
            *count += 1;
        }
        report.addresses_normalised += u32::from(self.normalised);
        report.addresses_repaired += u32::from(self.repaired);
    }
}

impl Rules {
    /// Applies rules 3 to 5 after the pipeline, whose result is `run`. `is_excluded` tells whether nothing may be taken from a
    /// pod.
    pub(crate) fn enforce(
        self,
        resource: &mut Resource<'_>,
        run: &Run<'_>,
        is_excluded: &dyn Fn(&Pod) -> bool,
        context: &Context<'_>,
    ) -> Enforced {
        let mut enforced = Enforced::default();
        let current = usable_host_ip(resource);
        let kept = current.is_some() && current == run.claims.host_ip();
        let judge = Judge { run, is_excluded, context };
        // The client's own address is kept: on the host's network a node's address is the right one. An address that the pipeline
        // wrote came from a guess at the sender, and is judged.
        if let Some(address) = current.filter(|address| kept || judge.accepts(*address, resource)) {
            enforced.source = if kept { AddressSource::Kept } else { AddressSource::Pipeline };
            if self.require_host_ip && !is_canonical(resource, address) {
                enforced.normalised = true;
                write(resource, address);
            }
            return enforced;
        }
        let present = resource.get(HOST_IP).is_some();
        if !present && !self.require_host_ip {
            return enforced;
        }
        let found = if self.repair_host_ip { judge.candidate(resource) } else { None };
        let address = match found {
            Some((address, source)) => {
                enforced.source = source;
                address
            }
            None if self.mark_unknown => {
                enforced.source = if run.claims.is_contradicted() {
                    AddressSource::Contradicted
                } else {
                    AddressSource::Unknown
                };
                if is_canonical(resource, UNKNOWN) {
                    return enforced;
                }
                UNKNOWN
            }
            None => return enforced,
        };
        enforced.repaired = present;
        write(resource, address);
        enforced
    }
}

/// Whether there is exactly one `app.host.ip`, which is `address` in its canonical form.
fn is_canonical(resource: &Resource<'_>, address: IpAddr) -> bool {
    let mut values = resource.all(HOST_IP);
    let only = values.next().filter(|_| values.next().is_none());
    only.and_then(Value::as_str).is_some_and(|text| match address {
        // IPv4 parses in one form only; other texts for the same address have a colon.
        IpAddr::V4(v4) => address::parse_v4(text) == Some(v4),
        IpAddr::V6(_) => text == address.to_string(),
    })
}

fn write(resource: &mut Resource<'_>, address: IpAddr) {
    resource.set(HOST_IP, Value::String(Cow::Owned(address::text(address))));
}

/// Judges which addresses can belong to the pod that a resource comes from.
struct Judge<'r> {
    run: &'r Run<'r>,
    is_excluded: &'r dyn Fn(&Pod) -> bool,
    context: &'r Context<'r>,
}

impl Judge<'_> {
    /// Whether `address` can be that of the resource's pod. The connection's address has to be a pod's; others came with the
    /// resource.
    fn accepts(&self, address: IpAddr, resource: &Resource<'_>) -> bool {
        let Run { claims, pod } = self.run;
        let has_it = |pod: &Pod| pod.ips.contains(&address) && pod.has_addresses(|| resource.latest_end());
        if pod.as_deref().is_some_and(has_it) {
            return true;
        }
        let lookup = self.context.find_address(address);
        let is_plausible = match &*lookup {
            Lookup::Node => false,
            Lookup::Found(pod) => !(self.is_connection(address) && (self.is_excluded)(pod)),
            Lookup::Ignored | Lookup::Absent => !self.is_connection(address),
            Lookup::Ambiguous | Lookup::Unknown => true,
        };
        if is_plausible && pod.is_some() {
            // The address is another pod's.
            claims.contradict();
            return false;
        }
        is_plausible && claims.admit(address, &lookup, self.context)
    }

    /// Whether nothing but the connection speaks for an address.
    fn is_connection(&self, address: IpAddr) -> bool {
        self.context.connection() == Some(address) && self.run.claims.pod_ip() != Some(address)
    }

    /// The next best address, and how it was found.
    fn candidate(&self, resource: &Resource<'_>) -> Option<(IpAddr, AddressSource)> {
        let by_attribute = || {
            let address = resource.text(POD_IP).and_then(address::first_candidate)?;
            self.accepts(address, resource).then_some((address, AddressSource::PodIp))
        };
        let by_pod = || {
            let Run { claims, pod } = self.run;
            let address = match pod {
                Some(pod) => address_of(pod, resource),
                None => claims
                    .pod(self.context)
                    .filter(|pod| !(self.is_excluded)(pod))
                    .and_then(|pod| address_of(&pod, resource)),
            };
            address.map(|address| (address, AddressSource::Pod))
        };
        let by_connection = || {
            let address = self.context.connection().filter(|address| address::is_candidate(*address))?;
            self.accepts(address, resource).then_some((address, AddressSource::Connection))
        };
        by_attribute().or_else(by_pod).or_else(by_connection)
    }
}

/// The address by which DeepFlow knows a pod; on its node's network that is the node's, as in its eBPF spans. `None` if another
/// pod has the address by now, unless the spans of `resource` are from before.
fn address_of(pod: &Pod, resource: &Resource<'_>) -> Option<IpAddr> {
    let address = pod.ips.iter().copied().find(|address| address::is_candidate(*address))?;
    pod.has_addresses(|| resource.latest_end()).then_some(address)
}
