//! Lookups: the most selective term gives candidates, all terms are checked on each.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::ops::Range;

use podstamp_core::directory::{self, Details, Directory, Lookup, Pod, Term};

use crate::columns::{Record, TextField};
use crate::containers::{Containers, Id};
use crate::index::Entries;
use crate::table::{Coverage, Table};
use crate::{time, uid};

impl Directory for Table {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        let Some(key) = Key::of(terms) else { return Lookup::Unknown };
        let by_address = terms.iter().any(|term| matches!(term, Term::Ip(_)));
        let mut pick = Pick::default();
        for pod in self.candidates(key) {
            let Some(record) = self.columns.record(pod) else { continue };
            if terms.iter().all(|term| self.columns.meets(pod, record, *term)) {
                if by_address {
                    // A newer pod has taken the address over, even one that must not be found.
                    pick.offer(pod, record, (self.columns.strings.text(record.started), record.is_live()));
                } else if record.ignored {
                    pick.ignored = true;
                } else {
                    pick.offer(pod, record, ("", record.is_live()));
                    if pick.is_ambiguous_whatever_comes() {
                        break;
                    }
                }
            }
        }
        match pick.best {
            // Ahead of the rest, so that the order in which pods came decides nothing.
            Some(_) if pick.tied => Lookup::Ambiguous,
            Some((_, record, _)) if record.ignored => Lookup::Ignored,
            Some((pod, record, _)) => {
                let released = self.released(pod, record);
                Lookup::Found(Box::new(Pod { released, ..self.columns.pod(pod, record, want) }))
            }
            None if pick.ignored => Lookup::Ignored,
            None => self.missing(terms),
        }
    }
}

impl Table {
    fn candidates(&self, key: Key<'_>) -> Candidates<'_> {
        let columns = &self.columns;
        match key {
            Key::Uid(text) => {
                let packed = uid::pack(text);
                let hash =
                    self.hasher.hash_one(packed.as_ref().map_or(text.as_bytes(), <[u8; 16]>::as_slice));
                let is =
                    |pod| columns.record(pod).is_some_and(|record| record.uid.is(text, &columns.strings));
                Candidates::Pods(self.by_uid.find(hash, is))
            }
            Key::Ip(address) => {
                let hash = self.hasher.hash_one(address);
                let is = |entry: u32| columns.addresses.get(entry as usize) == Some(&address);
                Candidates::Addresses(self.by_ip.find(hash, is), &columns.owners)
            }
            Key::FullName(name, namespace) => {
                let hash = self.hasher.hash_one((name, namespace));
                let is = |pod| {
                    columns.name(pod) == name && columns.value(pod, TextField::Namespace) == Some(namespace)
                };
                Candidates::Pods(self.by_full_name.find(hash, is))
            }
            Key::Name(name) => {
                let hash = self.hasher.hash_one(name);
                Candidates::Pods(self.by_name.find(hash, |pod| columns.name(pod) == name))
            }
            Key::Container(text) => {
                let id = Id::new(text);
                let is = |entry: u32| columns.containers.id(entry) == Some(id);
                Candidates::Containers(
                    self.by_container.find(self.hasher.hash_one(id), is),
                    &columns.containers,
                )
            }
            Key::All => Candidates::All(0..u32::try_from(self.len()).unwrap_or(u32::MAX)),
            Key::Field(field, value) => match self.lazy.of(field, columns, &self.hasher) {
                Some(index) => {
                    let is = |pod| columns.value(pod, field) == Some(value);
                    Candidates::Pods(index.find(self.hasher.hash_one(value), is))
                }
                None => Candidates::All(0..u32::try_from(self.len()).unwrap_or(u32::MAX)),
            },
        }
    }

    /// Since when other pods have addresses of one that has run to its end: the earliest start, 0 where one is not known.
    fn released(&self, pod: u32, record: &Record) -> Option<u64> {
        if !record.finished || record.host_network {
            return None;
        }
        let addresses = self.columns.addresses(record).iter();
        let others = addresses.flat_map(|address| self.candidates(Key::Ip(*address)));
        let owners = others.filter(|owner| *owner != pod).filter_map(|owner| self.columns.record(owner));
        let starts = owners
            .filter(|owner| owner.owns_addresses())
            .map(|owner| time::nanoseconds(self.columns.strings.text(owner.started)).unwrap_or_default());
        starts.min()
    }

    /// The answer where no pod meets the terms.
    fn missing(&self, terms: &[Term<'_>]) -> Lookup {
        if let [Term::Ip(address)] = terms
            && self.columns.nodes.binary_search(&address.to_canonical()).is_ok()
        {
            return Lookup::Node;
        }
        let lacks = |field| !self.fields.contains(field);
        let unkept = terms.iter().any(|term| match term {
            Term::Ip(_) | Term::Name(_) => false,
            Term::Uid(_) => lacks(directory::Field::Uid),
            Term::Namespace(_) => lacks(directory::Field::Namespace),
            Term::Node(_) => lacks(directory::Field::Node),
            Term::Hostname(_) => lacks(directory::Field::Hostname),
            Term::Deployment(_) => lacks(directory::Field::Deployment),
            Term::Label(key, _) => !self.kept_keys.labels.contains(key),
            Term::Annotation(key, _) => !self.kept_keys.annotations.contains(key),
            Term::Container(_) | Term::ContainerName(_) => lacks(directory::Field::Containers),
        });
        match self.coverage {
            Coverage::Cluster if !unkept => Lookup::Absent,
            Coverage::Cluster | Coverage::Part => Lookup::Unknown,
        }
    }
}

/// The key that is looked up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key<'a> {
    Uid(&'a str),
    Ip(IpAddr),
    FullName(&'a str, &'a str),
    Name(&'a str),
    Container(&'a str),
    All,
    Field(TextField<'a>, &'a str),
}

impl<'a> Key<'a> {
    /// The most selective key of a lookup; `None` for a lookup without terms.
    fn of(terms: &[Term<'a>]) -> Option<Self> {
        let namespace = terms
            .iter()
            .find_map(|term| if let Term::Namespace(namespace) = term { Some(*namespace) } else { None });
        let keys = terms.iter().map(|term| match *term {
            Term::Uid(uid) => (0, Self::Uid(uid)),
            Term::Ip(address) => (1, Self::Ip(address.to_canonical())),
            Term::Name(name) => {
                (2, namespace.map_or(Self::Name(name), |namespace| Self::FullName(name, namespace)))
            }
            Term::Hostname(value) => (3, Self::Field(TextField::Hostname, value)),
            Term::Deployment(value) => (4, Self::Field(TextField::Deployment, value)),
            Term::Label(key, value) => (5, Self::Field(TextField::Label(key), value)),
            Term::Annotation(key, value) => (6, Self::Field(TextField::Annotation(key), value)),
            Term::Node(value) => (7, Self::Field(TextField::Node, value)),
            Term::Namespace(value) => (8, Self::Field(TextField::Namespace, value)),
            Term::Container(id) => (0, Self::Container(id)),
            Term::ContainerName(_) => (9, Self::All),
        });
        keys.min_by_key(|(rank, _)| *rank).map(|(_, key)| key)
    }
}

/// Pods that may meet the terms.
enum Candidates<'a> {
    Pods(Entries<'a>),
    /// By way of the owners of addresses.
    Addresses(Entries<'a>, &'a [u32]),
    /// By way of the pods of containers.
    Containers(Entries<'a>, &'a Containers),
    All(Range<u32>),
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Pods(pods) => pods.next(),
            Self::Addresses(entries, owners) => {
                entries.next().and_then(|entry| owners.get(entry as usize).copied())
            }
            Self::Containers(entries, containers) => entries.next().map(|entry| containers.owner(entry)),
            Self::All(pods) => pods.next(),
        }
    }
}

/// The best of the pods that meet the terms.
#[derive(Default)]
struct Pick<'a> {
    best: Option<(u32, &'a Record, Rank<'a>)>,
    /// Another pod is as good.
    tied: bool,
    /// There is one that must not be found.
    ignored: bool,
}

/// When it started, as far as that matters, then whether it lives. Kubernetes writes times in one form, in UTC, so that
/// the later text is the later time.
type Rank<'a> = (&'a str, bool);

impl<'a> Pick<'a> {
    fn offer(&mut self, pod: u32, record: &'a Record, rank: Rank<'a>) {
        match &self.best {
            Some((_, _, best)) if rank < *best => {}
            // Files that overlap name a pod twice.
            Some((_, other, best)) if rank == *best && (other.uid != record.uid || record.uid.is_empty()) => {
                self.tied = true;
            }
            Some((_, _, best)) => {
                self.tied &= rank == *best;
                self.best = Some((pod, record, rank));
            }
            None => self.best = Some((pod, record, rank)),
        }
    }

    /// Two live pods: lookups by a common label need not go through the others.
    fn is_ambiguous_whatever_comes(&self) -> bool {
        self.tied && self.best.is_some_and(|(_, _, (_, live))| live)
    }
}
