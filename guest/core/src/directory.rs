//! The pod directory: the one port through which the filter asks about the world.

mod change_key;
mod fields;
mod kept_keys;
mod text;

use std::net::IpAddr;

pub use change_key::{ANY_POD, address_key, change_key, container_key};
pub use fields::{Field, Fields};
pub use kept_keys::{KeptKeys, Keys};
pub use text::Text;

/// A source of pods. A host serves all lookups of a process from one table; a lookup must not block.
pub trait Directory {
    /// Finds the pod that meets all `terms`, at most [`MAX_TERMS`] of them. Without terms nothing is found.
    ///
    /// Pods that carry the annotation `opentelemetry.io/k8s-processor/ignore: "true"` are [`Lookup::Ignored`]: the directory
    /// leaves them out by itself, so that no lookup has to hand over annotations for that.
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup;

    /// The state that the directory is in: while it is the same, lookups have the same answers. `None`: it cannot tell, and nothing is
    /// kept of its answers beyond a request. It is asked ahead of a request's lookups, so that a directory that changes has the new
    /// answers first and then the new state.
    fn state(&self) -> Option<u64> {
        None
    }

    /// Whether lookups have the same answers as in the state `since`: those whose [`change_key`] is one of these, as long as the
    /// addresses of the pod that they find are among them as well. A directory that cannot tell says no.
    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        _ = (since, keys);
        false
    }
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
    /// `spec.hostname` or, where that is unset, the pod's name, cut by [`cut_hostname`].
    Hostname(&'a str),
    /// The Deployment that owns the pod.
    Deployment(&'a str),
    /// A label: key and value.
    Label(&'a str, &'a str),
    /// An annotation: key and value.
    Annotation(&'a str, &'a str),
    /// The id of one of the pod's containers, as [`container_id`] returns it.
    Container(&'a str),
    /// The name of one of the pod's containers, which does not identify a pod by itself.
    ContainerName(&'a str),
}

/// Which parts of a pod to hand over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Fill [`Pod::labels`].
    pub labels: bool,
    /// Fill [`Pod::annotations`].
    pub annotations: bool,
    /// Whether [`Pod::node`], [`Pod::start_time`], [`Pod::deployment`] and [`Pod::phase`] may stay empty, since nobody will look at
    /// them. A directory may fill them all the same.
    pub brief: bool,
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
    /// A pod that is not to be found, because of its annotation: see [`Directory::find`].
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
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.uid`.
    pub uid: Text,
    /// All of `status.podIPs`, the primary one first.
    pub ips: Vec<IpAddr>,
    /// `spec.hostNetwork`: the addresses are the node's.
    pub host_network: bool,
    /// Set where another pod claims one of its addresses with more right: any that runs, where this one has run to its end, else one
    /// that lives, where this one is about to be deleted, or that started later. It is the earliest time at which the other can have
    /// got it, in nanoseconds since 1970; 0 where that is not known.
    pub released: Option<u64>,
    /// `spec.nodeName`.
    pub node: Text,
    /// `spec.hostname`, or the pod's name, cut by [`cut_hostname`].
    pub hostname: Text,
    /// `metadata.creationTimestamp`, RFC 3339: what the Collector calls the start time.
    pub start_time: Text,
    /// Name of the owning Deployment.
    pub deployment: Text,
    /// `status.phase`.
    pub phase: Text,
    /// Labels, where asked for.
    pub labels: Vec<(String, String)>,
    /// Annotations, where asked for.
    pub annotations: Vec<(String, String)>,
}

impl Pod {
    /// Whether the pod's addresses are its own, or still were when the last of some spans ended. `latest_end` gives that end in
    /// nanoseconds since 1970; it is called only for a pod one of whose addresses another pod has by now.
    pub(crate) fn has_addresses(&self, latest_end: impl FnOnce() -> Option<u64>) -> bool {
        self.released.is_none_or(|since| latest_end().is_some_and(|end| end < since))
    }

    /// Whether `text` is a name of this pod: its name, its host name, or its name cut by [`cut_hostname`].
    pub fn is_called(&self, text: &str) -> bool {
        self.name == *text || self.hostname == *text || self.cut_name() == text
    }

    /// The pod's name, cut by [`cut_hostname`].
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

/// The host name that the kubelet makes of a pod's name: the first 63 characters, without a separator at the end
/// (kubelet_pods.go, truncatePodHostnameIfNeeded).
pub fn cut_hostname(name: &str) -> &str {
    match name.get(..MAX_HOSTNAME) {
        Some(cut) if name.len() > MAX_HOSTNAME => cut.trim_end_matches(['-', '.']),
        _ => name,
    }
}

/// A container's id without the runtime's prefix, such as `containerd://`, with which Kubernetes writes it.
pub fn container_id(text: &str) -> &str {
    text.split_once("://").map_or(text, |(_, id)| id)
}

/// The first 16 hexadecimal digits of a container's id, by which a directory may know it: they are random. `None` for an id that is not
/// such a number, as all runtimes write it.
pub fn container_digits(text: &str) -> Option<&str> {
    let digits = container_id(text).get(..16)?;
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
}

/// A directory without pods, for hosts that have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPods;

impl Directory for NoPods {
    fn find(&self, _: &[Term<'_>], _: Details) -> Lookup {
        Lookup::Unknown
    }
}

/// The most conditions in one lookup: the Collector's `PodIdentifierMaxLength`, and one for the namespace.
pub const MAX_TERMS: usize = 5;

/// The most characters of a host name.
const MAX_HOSTNAME: usize = 63;
