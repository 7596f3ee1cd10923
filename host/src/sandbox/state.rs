//! The data of one Store, and what the guest may ask of it: the pod directory.

use std::sync::Arc;

use podstamp_core::address;
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
            brief: want.contains(pods::Details::BRIEF),
        };
        let terms: Vec<_> = terms.iter().take(directory::MAX_TERMS + 1).map(term).collect();
        Ok(match self.directory.find(&terms, want) {
            Lookup::Found(pod) => pods::Lookup::Found(hand_over(*pod, want)),
            Lookup::Ambiguous => pods::Lookup::Ambiguous,
            Lookup::Node => pods::Lookup::Node,
            Lookup::Ignored => pods::Lookup::Ignored,
            Lookup::Absent => pods::Lookup::Absent,
            Lookup::Unknown => pods::Lookup::Unknown,
        })
    }

    fn unchanged(&mut self, since: u64, keys: Vec<u32>) -> wasmtime::Result<bool> {
        Ok(self.directory.unchanged(since, &keys))
    }
}

fn term(term: &pods::Term) -> Term<'_> {
    match term {
        pods::Term::Ip(address) => Term::Ip(address::of_halves(address.high, address.low)),
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
    }
}

/// A pod as the guest takes it.
fn hand_over(pod: directory::Pod, want: directory::Details) -> pods::Pod {
    let mut texts = String::with_capacity(TEXTS);
    let mut end = 0;
    // How much longer the texts have become.
    let mut added = |texts: &str| {
        u32::try_from(texts.len() - std::mem::replace(&mut end, texts.len())).unwrap_or(u32::MAX)
    };
    let plain = [&pod.name, &pod.namespace, &pod.uid].map(|text| {
        texts.push_str(text);
        added(&texts)
    });
    for (index, ip) in pod.ips.iter().enumerate() {
        if index > 0 {
            texts.push(',');
        }
        address::push(&mut texts, *ip);
    }
    let ips = added(&texts);
    let rest = [&pod.hostname, &pod.node, &pod.start_time, &pod.deployment, &pod.phase].map(|text| {
        texts.push_str(text);
        added(&texts)
    });
    let ([name, namespace, uid], [hostname, node, start_time, deployment, phase]) = (plain, rest);
    let lengths =
        pods::TextLengths { name, namespace, uid, ips, hostname, node, start_time, deployment, phase };
    pods::Pod {
        texts,
        lengths,
        host_network: pod.host_network,
        released: pod.released,
        labels: want.labels.then_some(pod.labels),
        annotations: want.annotations.then_some(pod.annotations),
    }
}

/// Bytes of the texts of most pods.
const TEXTS: usize = 256;
