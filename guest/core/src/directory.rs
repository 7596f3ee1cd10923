//! The pod directory: the one port through which the filter asks about the world.

mod fields;
mod kept_keys;

use std::net::IpAddr;

pub use fields::{Field, Fields};
pub use kept_keys::{KeptKeys, Keys};

/// Finds pods. A host serves it from one table a process; a lookup must not block.
pub trait Directory {
    /// Finds the pod that meets all `terms`, at most [`MAX_TERMS`] of them. Without terms nothing is found.
    ///
    /// Pods that carry the annotation `opentelemetry.io/k8s-processor/ignore: "true"` are [`Lookup::Ignored`]: the directory
    /// leaves them out by itself, so that no lookup has to hand over annotations for that.
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup;
}

/// One condition on a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term<'a> {
    /// One of the pod's addresses. Never matches a pod on the host's network.
    Ip(IpAddr),
    /// `metadata.uid`.
    Uid(&'a str),
    /// `metadata.name`.
    Name(&'a str),
    /// `metadata.namespace`.
    Namespace(&'a str),
    /// `spec.nodeName`.
    Node(&'a str),
    /// `spec.hostname`, or the pod's name where that is unset, as [`cut_hostname`] has it.
    Hostname(&'a str),
    /// The Deployment that owns the pod.
    Deployment(&'a str),
    /// A label: key and value.
    Label(&'a str, &'a str),
    /// An annotation: key and value.
    Annotation(&'a str, &'a str),
    /// The id of one of its containers, as [`container_id`] has it.
    Container(&'a str),
    /// The name of one of its containers. It tells no pod by itself.
    ContainerName(&'a str),
}

/// Which parts of a pod to hand over beyond the plain ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Fill [`Pod::labels`].
    pub labels: bool,
    /// Fill [`Pod::annotations`].
    pub annotations: bool,
}

/// What a lookup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Exactly one pod.
    Found(Box<Pod>),
    /// More than one pod; none is better than a wrong one.
    Ambiguous,
    /// No pod, but the address asked for is a node's.
    Node,
    /// There is one, and it is not to be found.
    Ignored,
    /// No pod, and the table covers the whole cluster.
    Absent,
    /// No pod in a table that does not cover the cluster, or no table at all.
    Unknown,
}

/// What is known of one pod. Texts that the cluster does not give are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`.
    pub uid: String,
    /// All of `status.podIPs`, the primary one first.
    pub ips: Vec<IpAddr>,
    /// `spec.hostNetwork`: the addresses are the node's.
    pub host_network: bool,
    /// It has run to its end, and another pod has one of its addresses now, since then at the earliest: nanoseconds since
    /// 1970, 0 where that is not known.
    pub released: Option<u64>,
    /// `spec.nodeName`.
    pub node: String,
    /// `spec.hostname`, or the pod's name as [`cut_hostname`] has it.
    pub hostname: String,
    /// `metadata.creationTimestamp`, RFC 3339: what the Collector calls the start time.
    pub start_time: String,
    /// Name of the owning Deployment.
    pub deployment: String,
    /// `status.phase`.
    pub phase: String,
    /// Labels, where asked for.
    pub labels: Vec<(String, String)>,
    /// Annotations, where asked for.
    pub annotations: Vec<(String, String)>,
}

impl Pod {
    /// Whether its addresses are its own, or were when spans ended the last of which `latest_end` tells, in nanoseconds since
    /// 1970. That is asked only of a pod whose addresses another one has by now.
    pub(crate) fn has_addresses(&self, latest_end: impl FnOnce() -> Option<u64>) -> bool {
        self.released.is_none_or(|since| latest_end().is_some_and(|end| end < since))
    }

    /// Whether that may be meant by this pod's name: the name, its host name, or the name as Linux has it for a host name.
    pub fn is_called(&self, text: &str) -> bool {
        self.name == text || self.hostname == text || self.cut_name() == text
    }

    /// The name as [`cut_hostname`] has it.
    pub fn cut_name(&self) -> &str {
        cut_hostname(&self.name)
    }

    /// Whether both are the same pod.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.uid.is_empty() || other.uid.is_empty() {
            return self.name == other.name && self.namespace == other.namespace;
        }
        self.uid == other.uid
    }
}

/// A pod's name as the kubelet makes a host name of it: what fits into 63 characters, without a separator at the end
/// (kubelet_pods.go, truncatePodHostnameIfNeeded).
pub fn cut_hostname(name: &str) -> &str {
    match name.get(..MAX_HOSTNAME) {
        Some(cut) if name.len() > MAX_HOSTNAME => cut.trim_end_matches(['-', '.']),
        _ => name,
    }
}

/// A container's id without the runtime's prefix, `containerd://`, with which Kubernetes writes it.
pub fn container_id(text: &str) -> &str {
    text.split_once("://").map_or(text, |(_, id)| id)
}

/// A directory without pods, for hosts that have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPods;

impl Directory for NoPods {
    fn find(&self, _: &[Term<'_>], _: Details) -> Lookup {
        Lookup::Unknown
    }
}

/// Conditions in one lookup, as many as the Collector's `PodIdentifierMaxLength`, and one for the namespace.
pub const MAX_TERMS: usize = 5;

/// Characters of a host name.
const MAX_HOSTNAME: usize = 63;
