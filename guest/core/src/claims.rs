//! What a resource says of the pod that it comes from.
//!
//! Behind a relay the connection's pod is not the one that made the spans, and attributes that others wrote along the way
//! may be of several pods. A pod counts only if it agrees with everything that the resource says, wherever the pod was
//! found; otherwise one resource would get the name of one pod, the uid of another and the address of a third.

mod agreement;

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;

use crate::address;
use crate::attributes::{HOST_IP, POD_IP};
use crate::context::Context;
use crate::directory::{Field, Fields, container_id};
use crate::resource::{Resource, Value};
use crate::words;

/// The claims of one resource: what it arrived with, and what a `resource` processor made of it ahead of `k8sattributes`.
/// Of attributes with the same key, the first usable one counts.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    /// The usable `app.host.ip` that the resource arrived with.
    host_ip: Option<IpAddr>,
    /// The first usable address of `k8s.pod.ip`.
    pod_ip: Option<IpAddr>,
    /// `k8s.pod.uid`.
    uid: Option<Cow<'a, str>>,
    /// `container.id`, without the runtime's prefix.
    container: Option<Cow<'a, str>>,
    /// `k8s.pod.name`.
    name: Option<Cow<'a, str>>,
    /// `k8s.namespace.name`, which says in which namespace a name counts, and claims nothing by itself.
    namespace: Option<Cow<'a, str>>,
    /// `host.name`, which need not be a pod's: it counts only where nothing else identifies the pod.
    host_name: Option<Cow<'a, str>>,
    /// Whether `k8s.pod.name` is a copy of `host.name`.
    name_is_copied: bool,
    /// Whether a pod or an address was not used because of a claim.
    contradicted: Cell<bool>,
}

impl<'a> Claims<'a> {
    /// The parts of pods that claims are compared with, besides those that every directory has.
    pub(crate) const FIELDS: Fields =
        Fields::NONE.with(Field::Namespace).with(Field::Uid).with(Field::Hostname).with(Field::Containers);

    /// The claims of a resource as it arrived.
    pub(crate) fn read(resource: &Resource<'a>) -> Self {
        // Of values under the same key the first usable one counts.
        let texts = |key| {
            resource.all(key).filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })
        };
        let named = |key| texts(key).find(|text| is_name(text)).cloned();
        Self {
            host_ip: usable_host_ip(resource),
            pod_ip: texts(POD_IP).find_map(|text| address::first_candidate(text)),
            uid: named("k8s.pod.uid"),
            container: texts("container.id").find_map(container),
            name: named("k8s.pod.name"),
            namespace: named(NAMESPACE),
            host_name: named(HOST_NAME),
            ..Self::default()
        }
    }

    /// Takes up what `resource` processors have changed since. Values that they copied or added are not claims: a name copied
    /// from `host.name`, an address copied from the connection, an `app.host.ip` that did not arrive with the resource.
    pub(crate) fn reread(&mut self, resource: &Resource<'a>, context: &Context<'_>) {
        let mut now = Self::read(resource);
        if now.name.is_some() && now.name == now.host_name && now.name != self.name {
            now.name = None;
            now.name_is_copied = true;
        }
        if now.pod_ip != self.pod_ip && now.pod_ip == context.connection() {
            now.pod_ip = None;
        }
        *self = Self { host_ip: self.host_ip, contradicted: self.contradicted.take().into(), ..now };
    }

    /// The usable `app.host.ip` that the resource arrived with.
    pub(crate) fn host_ip(&self) -> Option<IpAddr> {
        self.host_ip
    }

    /// The address that the resource itself gives its pod.
    pub(crate) fn pod_ip(&self) -> Option<IpAddr> {
        self.pod_ip
    }

    /// Whether a pod or an address was not used because of a claim.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.contradicted.get()
    }
}

/// The address that DeepFlow's server would take from `app.host.ip`, if a pod can have it: the last valid one, an IPv6
/// address ahead of all others (server/ingester/flow_log/log_data/otel_import.go).
pub(crate) fn usable_host_ip(resource: &Resource<'_>) -> Option<IpAddr> {
    let values = resource.all(HOST_IP).filter_map(usable_address);
    values.fold(None, |best, address| match best {
        Some(IpAddr::V6(_)) if address.is_ipv4() => best,
        _ => Some(address),
    })
}

fn usable_address(value: &Value<'_>) -> Option<IpAddr> {
    value.as_str().and_then(address::parse).filter(|address| address::is_candidate(*address))
}

fn container<'a>(text: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    let id = match text {
        Cow::Borrowed(text) => Cow::Borrowed(container_id(text)),
        Cow::Owned(text) => Cow::Owned(container_id(text).to_owned()),
    };
    is_name(&id).then_some(id)
}

/// Whether a text can be the name or uid of something. A reference that was never substituted, such as `$(POD_NAME)`, cannot.
fn is_name(text: &str) -> bool {
    !text.is_empty() && words::is_plain(text.as_bytes())
}

const NAMESPACE: &str = "k8s.namespace.name";
const HOST_NAME: &str = "host.name";

#[cfg(test)]
mod tests;
