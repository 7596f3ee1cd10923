//! The model of a resource's claims about its pod, on prost's structs.

use std::net::IpAddr;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use podstamp_core::address;
use podstamp_core::directory::Pod;

use crate::filter::{Cluster, usable, usable_host_ip};
use crate::model::known;

/// The claims of one resource.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) arrived: Option<IpAddr>,
    pub(crate) pod_ip: Option<IpAddr>,
    uid: Option<String>,
    name: Option<String>,
    host: Option<String>,
    copied: bool,
}

impl Claims {
    /// The claims of a resource that arrived as `before`; `after` may also have a name that was copied from the host's.
    pub(crate) fn of(before: &ProstResource, after: &ProstResource) -> Self {
        let first = |resource: &ProstResource, key: &str| {
            let attributes = resource.attributes.iter().filter(|attribute| attribute.key == key);
            let mut texts = attributes.filter_map(|attribute| match known(attribute) {
                Some(Any::StringValue(text)) => Some(text),
                _ => None,
            });
            texts.find(|text| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
            })
        };
        let (arrived, name, host) =
            (first(before, "k8s.pod.name"), first(after, "k8s.pod.name"), first(after, "host.name"));
        let copied = name.is_some() && name == host && name != arrived;
        let addresses = after.attributes.iter().filter(|attribute| attribute.key == "k8s.pod.ip");
        let mut addresses = addresses.filter_map(|attribute| match known(attribute) {
            Some(Any::StringValue(text)) => usable(&text),
            _ => None,
        });
        Self {
            arrived: usable_host_ip(before),
            pod_ip: addresses.next(),
            uid: first(after, "k8s.pod.uid"),
            name: name.filter(|_| !copied),
            host,
            copied,
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.arrived.into_iter().chain(self.pod_ip).collect()
    }

    pub(crate) fn agree(&self, pod: &Pod, cluster: &Cluster) -> bool {
        if self.uid.as_ref().is_some_and(|uid| pod.uid != *uid)
            || self.name.as_ref().is_some_and(|name| pod.name != *name)
        {
            return false;
        }
        let named = self.uid.is_some() || self.name.is_some();
        let has = |address: &IpAddr| pod.ips.contains(address);
        if self.arrived.is_some_and(|address| !has(&address)) {
            return false;
        }
        let told = named || self.arrived.is_some() || self.pod_ip.is_some_and(|address| has(&address));
        let excused = |address: &IpAddr| {
            (told || self.host.as_ref().is_some_and(|host| pod.name == *host)) && cluster.is_node(*address)
        };
        if self.pod_ip.is_some_and(|address| !(has(&address) || excused(&address))) {
            return false;
        }
        told || self.host_pod(cluster).is_none_or(|named| named.uid == pod.uid)
    }

    /// Whether the claims allow an address that does not belong to a known pod.
    pub(crate) fn allow(&self, address: IpAddr, cluster: &Cluster) -> bool {
        let has = |pod: &Pod| pod.ips.contains(&address);
        let by_uid = self.uid.as_ref().and_then(|uid| cluster.by(|pod| pod.uid == *uid));
        let by_name = self.name.as_ref().and_then(|name| cluster.by(|pod| pod.name == *name));
        let pods: Vec<_> = by_uid.into_iter().chain(by_name).collect();
        self.addresses().iter().all(|claimed| *claimed == address)
            && pods.iter().all(|pod| has(pod))
            && (!pods.is_empty() || !self.addresses().is_empty() || self.host_pod(cluster).is_none_or(has))
    }

    /// The pod to which a claim leads.
    pub(crate) fn pod<'c>(&self, cluster: &'c Cluster) -> Option<&'c Pod> {
        let by_uid = self.uid.as_ref().and_then(|uid| cluster.by(|pod| pod.uid == *uid));
        let by_name = self.name.as_ref().and_then(|name| cluster.by(|pod| pod.name == *name));
        [by_uid, by_name, self.host_pod(cluster)].into_iter().flatten().find(|pod| self.agree(pod, cluster))
    }

    /// Whether the name was copied from a host name that is another pod's.
    pub(crate) fn misnames(&self, pod: &Pod, cluster: &Cluster) -> bool {
        self.copied && self.host_pod(cluster).is_some_and(|named| named.uid != pod.uid)
    }

    fn host_pod<'c>(&self, cluster: &'c Cluster) -> Option<&'c Pod> {
        self.host.as_ref().and_then(|host| cluster.by(|pod| pod.name == *host))
    }

    /// Whether nothing but the connection speaks for an address.
    pub(crate) fn is_connection(&self, address: IpAddr, peer: Option<IpAddr>) -> bool {
        peer.map(address::canonical) == Some(address) && self.pod_ip != Some(address)
    }
}
