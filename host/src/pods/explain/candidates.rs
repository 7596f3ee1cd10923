//! The pods that have what somebody asks about, whether a lookup by it leads to them or not.

use std::collections::HashMap;
use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::directory::{Details, Directory, Field, Lookup, Pod, Term, container_id};
use podstamp_pods::{PodParts, Table};

use super::subject::Subject;

/// What was asked about, and the pods that have it.
pub(super) struct Candidates<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) pods: Vec<PodParts<'a>>,
    /// A container's id as the table keeps it, where what was asked about is shorter.
    kept_id: Option<String>,
}

impl<'a> Candidates<'a> {
    /// Finds out what a text is: an address by its form, the rest by what pods have.
    pub(super) fn of(table: &'a Table, what: &'a str) -> Self {
        let what = what.trim();
        if let Some(address) = address::parse(what.trim_start_matches('[').trim_end_matches(']')) {
            let address = address.to_canonical();
            return Self::new(Subject::Address(address), select(table, |pod| pod.ips.contains(&address)));
        }
        if what.contains("://") {
            return Self::container(table, container_id(what));
        }
        if let Some((namespace, name)) = what.split_once('/') {
            let is = |pod: &PodParts<'_>| pod.namespace == namespace && pod.name == name;
            return Self::new(Subject::Name(Some(namespace), name), select(table, is));
        }
        let by_name = Self::new(Subject::Name(None, what), select(table, |pod| pod.name == what));
        if !by_name.pods.is_empty() {
            return by_name;
        }
        let by_uid = Self::new(Subject::Uid(what), select(table, |pod| pod.uid == what));
        if !by_uid.pods.is_empty() || is_uuid(what) {
            return by_uid;
        }
        if is_container_id(what) {
            return Self::container(table, what);
        }
        let by_hostname = Self::new(Subject::Hostname(what), select(table, |pod| pod.hostname == what));
        if by_hostname.pods.is_empty() { by_name } else { by_hostname }
    }

    /// The lookup for what was asked about.
    pub(super) fn terms(&self) -> Vec<Term<'_>> {
        match &self.kept_id {
            Some(id) => vec![Term::Container(id)],
            None => self.subject.terms(),
        }
    }

    /// The pods with a container whose id this is, or begins with this.
    fn container(table: &'a Table, id: &'a str) -> Self {
        let mut kept_id = None;
        let pods = select(table, |pod| {
            let mut ids = pod.containers.iter().map(|(_, kept)| container_id(kept));
            let is = |kept: &&str| !kept.is_empty() && (kept.starts_with(id) || id.starts_with(kept));
            let found = ids.find(is);
            kept_id = kept_id.take().or(found.map(str::to_owned));
            found.is_some()
        });
        Self { subject: Subject::Container(id), pods, kept_id }
    }

    fn new(subject: Subject<'a>, pods: Vec<PodParts<'a>>) -> Self {
        Self { subject, pods, kept_id: None }
    }
}

fn select<'a>(table: &'a Table, mut has_it: impl FnMut(&PodParts<'a>) -> bool) -> Vec<PodParts<'a>> {
    table.slots().filter_map(|slot| table.describe(slot)).filter(|pod| has_it(pod)).collect()
}

/// The names of the nodes that have these addresses, which their pods tell. What is no node's is left out.
pub(super) fn nodes(table: &Table, addresses: &[IpAddr]) -> HashMap<IpAddr, String> {
    let mut nodes = HashMap::new();
    let pods = table.slots().filter_map(|slot| table.describe(slot)).filter(|pod| !pod.node.is_empty());
    for pod in pods {
        let own = if pod.host_network { pod.ips.as_slice() } else { &[] };
        for address in own.iter().chain(&pod.node_ips).filter(|address| addresses.contains(address)) {
            nodes.entry(*address).or_insert_with(|| pod.node.clone().into_owned());
        }
        if nodes.len() == addresses.len() {
            break;
        }
    }
    nodes
}

/// A pod as a lookup would give it, for rules that judge it.
pub(super) fn named(table: &Table, pod: &PodParts<'_>) -> Option<Pod> {
    let mut terms = vec![Term::Name(&pod.name)];
    if table.fields().contains(Field::Namespace) {
        terms.push(Term::Namespace(&pod.namespace));
    }
    if table.fields().contains(Field::Uid) && !pod.uid.is_empty() {
        terms.push(Term::Uid(&pod.uid));
    }
    match table.find(&terms, Details { labels: true, ..Details::default() }) {
        Lookup::Found(pod) => Some(*pod),
        _ => None,
    }
}

/// Whether a text has the form of the uids that an API server makes.
fn is_uuid(text: &str) -> bool {
    let is_place = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_place)
}

/// Whether a text has the form of a container's id, whole or as short as tools print it.
fn is_container_id(text: &str) -> bool {
    (SHORTEST_ID..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What `docker ps` prints of an id.
const SHORTEST_ID: usize = 12;

/// SHA-256.
const LONGEST_ID: usize = 64;
