//! Why an address, a name, a uid or a container does or does not lead to a pod, for people who ask.

mod advice;
mod candidates;
mod peers;
mod subject;
#[cfg(test)]
mod tests;
mod text;

use std::net::IpAddr;
use std::time::Duration;

use podstamp_core::address;
use podstamp_core::config::TurnedAway;
use podstamp_core::directory::{Details, Directory, Lookup, Pod};
use podstamp_pods::{Coverage, PodParts, Table};
use serde::{Deserialize, Serialize};

use crate::observe::{LostPeer, LostPeers};
use candidates::Candidates;
pub use peers::{ExplainedPeer, ExplainedPeers};
pub use subject::{Kind, Subject};

/// Why something does or does not lead to a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked for, as it was asked.
    pub what: String,
    /// What it was taken for.
    pub kind: Kind,
    /// What it leads to.
    pub outcome: Outcome,
    /// One sentence that says so.
    pub message: String,
    /// What to do about it, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The pods that have it, whether it leads to them or not.
    #[serde(default)]
    pub pods: Vec<ExplainedPod>,
    /// The node that has the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What came from the address in the last minutes without leading to a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// How many pods the table has.
    pub known_pods: usize,
    /// Whether these are all pods of the cluster.
    pub covers_cluster: bool,
}

/// What something leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Exactly one pod, whose address is stamped.
    Found,
    /// A pod without an address.
    NoAddress,
    /// More than one pod.
    Ambiguous,
    /// A node.
    Node,
    /// A pod that carries the annotation by which it is not to be found.
    Ignored,
    /// A pod that `exclude.pods` names.
    Excluded,
    /// A pod that does not meet `filter`.
    Filtered,
    /// Pods on their node's network alone, of which an address does not tell one.
    HostNetwork,
    /// A pod whose address another pod has by now.
    AddressTaken,
    /// A pod that has run to its end and given its addresses back.
    Ended,
    /// A pod that is not there any more.
    Deleted,
    /// Nothing, in a table of all pods.
    Absent,
    /// Nothing, in a table of some pods.
    Unknown,
    /// Nothing: no pod can have the address.
    NoPods,
}

/// A pod of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// `status.podIPs`.
    pub ips: Vec<IpAddr>,
    /// `spec.nodeName`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The Deployment that owns it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deployment: String,
    /// `status.phase`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// `status.startTime` or, while that is unset, `metadata.creationTimestamp`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub started: String,
    /// What keeps it from being found, or from having its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
}

/// What sets a pod apart from one that simply runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is on its node's network: its addresses are the node's.
    HostNetwork,
    /// It has run to its end: `Succeeded` or `Failed`.
    Ended,
    /// Kubernetes was told to delete it.
    Deleted,
    /// It carries the annotation by which it is not to be found.
    Ignored,
    /// `exclude.pods` names it.
    Excluded,
    /// It does not meet `filter`.
    Filtered,
}

/// What came from an address without leading to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Requests.
    pub requests: u64,
    /// Resources in them.
    pub resources: u64,
    /// How long ago the last one came, seconds.
    pub last_seconds: u64,
}

/// What an explanation is made of.
pub struct Scene<'a> {
    /// The pods.
    pub table: &'a Table,
    /// Why the configuration turns a pod away, if it does.
    pub turns_away: &'a dyn Fn(&Pod) -> Option<TurnedAway>,
    /// How long a pod has been being deleted.
    pub leaving: &'a dyn Fn(&Pod) -> Option<Duration>,
    /// The pod that had something and is gone, as far as that is remembered.
    pub gone: &'a dyn Fn(&Subject<'_>) -> Option<Departed>,
    /// Peers that led to no pod.
    pub lost_peers: &'a LostPeers,
}

/// A pod that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// `NAMESPACE/NAME`.
    pub pod: String,
    /// How long ago Kubernetes was told to delete it.
    pub ago: Duration,
}

impl Scene<'_> {
    /// Explains what an address, a name, `NAMESPACE/NAME`, a uid or a container's id leads to.
    pub fn explain(&self, what: &str) -> Explanation {
        let candidates = Candidates::of(self.table, what);
        let subject = candidates.subject;
        let lost = subject.address().and_then(|address| self.lost_peers.of(address));
        let node =
            subject.address().and_then(|address| candidates::nodes(self.table, &[address]).remove(&address));
        let (outcome, message) = self.judge(&candidates, node.as_deref());
        let advice = advice::of(outcome, subject.kind(), lost.is_some());
        let pods = candidates.pods.iter().take(MAX_PODS).map(|pod| self.explained(pod)).collect();
        Explanation {
            what: what.to_owned(),
            kind: subject.kind(),
            outcome,
            message: format!("{message}{}", lost.map(text::lost).unwrap_or_default()),
            advice: advice.map(str::to_owned),
            pods,
            node,
            lost: lost.map(Lost::from),
            known_pods: self.table.len(),
            covers_cluster: self.table.coverage() == Coverage::Cluster,
        }
    }

    fn judge(&self, candidates: &Candidates<'_>, node: Option<&str>) -> (Outcome, String) {
        let subject = candidates.subject;
        if let Some(address) = subject.address()
            && !address::is_candidate(address)
        {
            return (Outcome::NoPods, format!("{address} is an address that no pod can have"));
        }
        let terms = candidates.terms();
        // What the configuration tests is asked for: labels.
        let want = Details { labels: true, ..Details::default() };
        match self.table.find(&terms, want) {
            Lookup::Found(pod) => self.found(&subject, &pod),
            Lookup::Ambiguous => {
                let pods = text::list(candidates.pods.iter().map(text::name));
                (Outcome::Ambiguous, format!("{subject} leads to several pods: {pods}"))
            }
            Lookup::Node => {
                let node = node.map_or_else(|| "a node".to_owned(), |node| format!("node {node}"));
                (Outcome::Node, format!("{subject} is {node}, not a pod"))
            }
            Lookup::Ignored => {
                let ignored = candidates.pods.iter().find(|pod| pod.ignored).map(text::name);
                let pod = ignored.unwrap_or_else(|| "a pod".to_owned());
                let message = format!("{subject} is {pod}, which asks not to be found ({IGNORE_ANNOTATION})");
                (Outcome::Ignored, message)
            }
            Lookup::Absent => self.missing(candidates, Outcome::Absent),
            Lookup::Unknown => self.missing(candidates, Outcome::Unknown),
        }
    }

    /// A lookup gave exactly one pod.
    fn found(&self, subject: &Subject<'_>, pod: &Pod) -> (Outcome, String) {
        let name = format!("{}/{}", pod.namespace, pod.name);
        match (self.turns_away)(pod) {
            Some(TurnedAway::Excluded) => {
                let message = format!("{subject} is pod {name}, which exclude.pods of k8sattributes names");
                return (Outcome::Excluded, message);
            }
            Some(TurnedAway::Filtered) => {
                let message = format!("{subject} is pod {name}, which does not meet filter of k8sattributes");
                return (Outcome::Filtered, message);
            }
            None => {}
        }
        let leaving = (self.leaving)(pod);
        let since = leaving.map_or_else(String::new, |ago| format!(", deleted {} s ago", ago.as_secs()));
        let node = if pod.node.is_empty() { String::new() } else { format!(" on node {}", pod.node) };
        let is = format!("{subject} is pod {name}{node}{since}");
        let Some(ip) = pod.ips.iter().find(|ip| address::is_candidate(**ip)) else {
            let phase = if pod.phase.is_empty() { String::new() } else { format!(" (phase {})", pod.phase) };
            return (Outcome::NoAddress, format!("{is}, which has no address{phase}"));
        };
        if pod.released.is_some() {
            let message = format!(
                "{is}, and another pod has its address {ip} by now: only spans from before are stamped with it"
            );
            return (Outcome::AddressTaken, message);
        }
        let stamped = match subject.kind() {
            Kind::Address => String::new(),
            _ if pod.host_network => {
                format!(", which is on its node's network: stamped is the node's address {ip}")
            }
            _ => format!(": stamped is {ip}"),
        };
        (Outcome::Found, format!("{is}{stamped}"))
    }

    /// A lookup gave no pod: there may be some that are not to be found by that.
    fn missing(&self, candidates: &Candidates<'_>, outcome: Outcome) -> (Outcome, String) {
        let Candidates { subject, pods, .. } = candidates;
        if let Some(pod) = pods.iter().find(|pod| pod.finished) {
            let (name, phase) = (text::name(pod), &pod.phase);
            let message = format!("{subject} was pod {name}, which has ended ({phase}) and given it back");
            return (Outcome::Ended, message);
        }
        if let Some(pod) = pods.iter().find(|pod| pod.host_network) {
            let message =
                format!("{subject} is the node of pod {}, which is on its network", text::name(pod));
            return (Outcome::HostNetwork, message);
        }
        if let Some(Departed { pod, ago }) = (self.gone)(subject) {
            let message = format!("{subject} was pod {pod}, deleted {} s ago", ago.as_secs());
            return (Outcome::Deleted, message);
        }
        let (table, known) = (self.table, self.table.len());
        let message = match outcome {
            _ if subject.field().is_some_and(|field| !table.fields().contains(field)) => {
                format!("{subject} cannot be looked up: no rule of the configuration needs that of pods")
            }
            Outcome::Absent => format!("{subject} is none of the {known} pods of the cluster"),
            _ => format!(
                "{subject} is none of the {known} pods that are known here, which are not all of the cluster"
            ),
        };
        (outcome, message)
    }

    fn explained(&self, pod: &PodParts<'_>) -> ExplainedPod {
        let named = candidates::named(self.table, pod);
        let turned_away = named.as_ref().and_then(|pod| (self.turns_away)(pod));
        let states = [
            (pod.host_network, State::HostNetwork),
            (pod.finished, State::Ended),
            (pod.deleting, State::Deleted),
            (pod.ignored, State::Ignored),
            (turned_away == Some(TurnedAway::Excluded), State::Excluded),
            (turned_away == Some(TurnedAway::Filtered), State::Filtered),
        ];
        ExplainedPod {
            states: states.into_iter().filter_map(|(is_so, state)| is_so.then_some(state)).collect(),
            ..ExplainedPod::of(pod)
        }
    }
}

impl ExplainedPod {
    /// A pod as the table has it, without what the configuration makes of it.
    pub fn of(pod: &PodParts<'_>) -> Self {
        let started = if pod.started.is_empty() { &pod.created } else { &pod.started };
        let states = [
            (pod.host_network, State::HostNetwork),
            (pod.finished, State::Ended),
            (pod.deleting, State::Deleted),
            (pod.ignored, State::Ignored),
        ];
        Self {
            namespace: pod.namespace.clone().into_owned(),
            name: pod.name.clone().into_owned(),
            uid: pod.uid.clone().into_owned(),
            ips: pod.ips.clone(),
            node: pod.node.clone().into_owned(),
            deployment: pod.deployment.clone().into_owned(),
            phase: pod.phase.clone().into_owned(),
            started: started.clone().into_owned(),
            states: states.into_iter().filter_map(|(is_so, state)| is_so.then_some(state)).collect(),
        }
    }
}

impl From<LostPeer> for Lost {
    fn from(peer: LostPeer) -> Self {
        Self { requests: peer.requests, resources: peer.resources, last_seconds: peer.last.as_secs() }
    }
}

/// A name may be in every namespace, and all pods of a node's network have its address.
const MAX_PODS: usize = 100;

const IGNORE_ANNOTATION: &str = "opentelemetry.io/k8s-processor/ignore: \"true\"";
