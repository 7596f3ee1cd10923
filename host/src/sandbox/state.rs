//! The data of one Store, and what the guest may ask of it: the pod directory.

use std::sync::Arc;

use podstamp_core::directory::{self, Directory, Lookup, Term};

use super::bindings::podstamp::filter::{pods, types};
use super::limits::{Memory, Time};

/// The data of one Store.
pub(super) struct State {
    pub(super) directory: Arc<dyn Directory + Send + Sync>,
    pub(super) memory: Memory,
    pub(super) time: Time,
}

impl types::Host for State {}

impl pods::Host for State {
    fn find(&mut self, terms: Vec<pods::Term>, want: pods::Details) -> wasmtime::Result<pods::Lookup> {
        let want = directory::Details {
            labels: want.contains(pods::Details::LABELS),
            annotations: want.contains(pods::Details::ANNOTATIONS),
        };
        let terms: Option<Vec<_>> = terms.iter().take(directory::MAX_TERMS + 1).map(term).collect();
        let found = match &terms {
            Some(terms) => self.directory.find(terms, want),
            // A text that is not an address does not belong to a pod.
            None => Lookup::Unknown,
        };
        Ok(match found {
            Lookup::Found(pod) => pods::Lookup::Found((*pod).into()),
            Lookup::Ambiguous => pods::Lookup::Ambiguous,
            Lookup::Node => pods::Lookup::Node,
            Lookup::Ignored => pods::Lookup::Ignored,
            Lookup::Absent => pods::Lookup::Absent,
            Lookup::Unknown => pods::Lookup::Unknown,
        })
    }
}

fn term(term: &pods::Term) -> Option<Term<'_>> {
    Some(match term {
        pods::Term::Ip(address) => Term::Ip(address.parse().ok()?),
        pods::Term::Uid(uid) => Term::Uid(uid),
        pods::Term::Name(name) => Term::Name(name),
        pods::Term::Namespace(namespace) => Term::Namespace(namespace),
        pods::Term::Node(node) => Term::Node(node),
        pods::Term::Hostname(hostname) => Term::Hostname(hostname),
        pods::Term::Deployment(deployment) => Term::Deployment(deployment),
        pods::Term::Label((key, value)) => Term::Label(key, value),
        pods::Term::Annotation((key, value)) => Term::Annotation(key, value),
        pods::Term::Container(id) => Term::Container(id),
        pods::Term::ContainerName(name) => Term::ContainerName(name),
    })
}

impl From<directory::Pod> for pods::Pod {
    fn from(pod: directory::Pod) -> Self {
        Self {
            name: pod.name,
            namespace: pod.namespace,
            uid: pod.uid,
            ips: pod.ips.iter().map(ToString::to_string).collect(),
            host_network: pod.host_network,
            released: pod.released,
            node: pod.node,
            hostname: pod.hostname,
            start_time: pod.start_time,
            deployment: pod.deployment,
            phase: pod.phase,
            labels: pod.labels,
            annotations: pod.annotations,
        }
    }
}
