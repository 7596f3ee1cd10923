//! A pod on its way into a table.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// A key and its value.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What is known of one pod. A text that is empty is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodParts<'a> {
    /// `metadata.name`; never empty.
    pub name: Cow<'a, str>,
    /// `metadata.namespace`.
    pub namespace: Cow<'a, str>,
    /// `metadata.uid`.
    pub uid: Cow<'a, str>,
    /// `status.podIPs`, the primary one first. One that comes twice counts once.
    pub ips: Vec<IpAddr>,
    /// `spec.nodeName`.
    pub node: Cow<'a, str>,
    /// `status.hostIPs`: addresses of its node, which are known as such for as long as a pod names them.
    pub node_ips: Vec<IpAddr>,
    /// `spec.hostname`; empty: the name.
    pub hostname: Cow<'a, str>,
    /// The Deployment that owns it.
    pub deployment: Cow<'a, str>,
    /// `status.phase`.
    pub phase: Cow<'a, str>,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Cow<'a, str>,
    /// `status.startTime`, RFC 3339; empty: when it was created.
    pub started: Cow<'a, str>,
    /// `metadata.labels`.
    pub labels: Vec<Pair<'a>>,
    /// `metadata.annotations`.
    pub annotations: Vec<Pair<'a>>,
    /// Names of its containers, and their ids where they have one, with the runtime's prefix or without. One that was
    /// started anew comes again with its former id.
    pub containers: Vec<Pair<'a>>,
    /// `spec.hostNetwork`: its addresses are its node's.
    pub host_network: bool,
    /// It has run to its end and given its addresses back: phase `Succeeded` or `Failed`.
    pub finished: bool,
    /// Kubernetes was told to delete it: there is a `metadata.deletionTimestamp`.
    pub deleting: bool,
    /// It carries the annotation `opentelemetry.io/k8s-processor/ignore: "true"`: it is not to be found.
    pub ignored: bool,
}

/// Why a pod cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// It has no name.
    Unnamed,
    /// It has more addresses than a pod can.
    TooManyAddresses,
    /// The table has no room for the pod.
    Full,
}

impl fmt::Display for AddError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unnamed => "it has no metadata.name",
            Self::TooManyAddresses => "it has more than 255 addresses",
            Self::Full => "the table is full",
        })
    }
}

impl std::error::Error for AddError {}
