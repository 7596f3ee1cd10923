//! Lookups: the most selective term gives candidates, all terms are checked on each.

use std::net::IpAddr;

use podstamp_core::directory::{Details, Directory, Field, Lookup, Pod, Term};

use crate::containers::Id;
use crate::entry::Entry;
use crate::part::{Part, PartKey};
use crate::record::Record;
use crate::slot::Slot;
use crate::table::{BY_CONTAINER, BY_IP, BY_NAME, BY_NODE_IP, BY_UID, Coverage, Table};
use crate::time;
use crate::version::Version;

impl Directory for Table {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        let Some(key) = Key::of(terms) else { return Lookup::Unknown };
        let by_address = terms.iter().any(|term| matches!(term, Term::Ip(_)));
        let mut pick = Pick::default();
        self.candidates(key, |slot| {
            let Some(record) = self.record(slot) else { return true };
            if terms.iter().all(|term| self.meets(&record, *term)) {
                if by_address {
                    // A newer pod has taken the address over, even one that must not be found.
                    pick.offer(slot, &record, claim(&record));
                } else if record.is_ignored() {
                    pick.ignored = true;
                } else {
                    pick.offer(slot, &record, (record.is_live(), &[]));
                }
            }
            by_address || !pick.is_ambiguous_whatever_comes()
        });
        match pick.best {
            // Ahead of the rest, so that the order in which pods came decides nothing.
            Some(_) if pick.tied => Lookup::Ambiguous,
            Some((_, record, _)) if record.is_ignored() => Lookup::Ignored,
            Some((slot, record, _)) => {
                let released = self.released(slot, &record);
                Lookup::Found(Box::new(Pod { released, ..self.pod(&record, want) }))
            }
            None if pick.ignored => Lookup::Ignored,
            None => self.missing(terms),
        }
    }

    fn state(&self) -> Option<u64> {
        let Version { epoch, number } = self.version();
        // Epochs are random, so that no two tables come to the same.
        Some(epoch.wrapping_add(number))
    }
}

impl Table {
    /// Gives the pods that may meet the terms to `take`, until that has enough.
    fn candidates(&self, key: Key<'_>, mut take: impl FnMut(Slot) -> bool) {
        let (index, hashes, rest) = match key {
            Key::Uid(text) => (self.indexes.get(BY_UID), one(self.uid_hash(text)), None),
            Key::Ip(address) => (self.indexes.get(BY_IP), one(self.hash(address)), None),
            Key::FullName(name, namespace) => {
                let hash = self.full_name_hash(name.as_bytes(), namespace.as_bytes());
                (self.indexes.get(BY_NAME), one(hash), None)
            }
            Key::Name(name) => (self.indexes.get(BY_NAME), self.name_hashes(name.as_bytes()), None),
            Key::Container(text) => (self.indexes.get(BY_CONTAINER), one(self.hash(Id::new(text))), None),
            Key::All => (None, (0, 0), Some(0)),
            Key::Part(part, value) => {
                let (index, covered) = self.indexes.by(part);
                (index, one(self.hash(value.as_bytes())), Some(covered))
            }
        };
        if let Some(index) = index
            && !Entry::between(index, hashes).all(|number| take(Slot(number)))
        {
            return;
        }
        // What no index covers.
        if let Some(first) = rest {
            self.slots_from(first).all(take);
        }
    }

    /// Since when other pods claim addresses of a pod with more right than it has: the earliest start, 0 where one is not known.
    fn released(&self, slot: Slot, record: &Record<'_>) -> Option<u64> {
        if record.is_on_host_network() {
            return None;
        }
        let mut released: Option<u64> = None;
        for address in record.addresses() {
            if !record.is_finished() && !self.indexes.is_contested(self.hash(address)) {
                continue;
            }
            self.candidates(Key::Ip(address), |other| {
                let other = self.record(other).filter(|_| other != slot);
                if let Some(other) = other.filter(|other| self.meets(other, Term::Ip(address)))
                    && (record.is_finished() || claim(&other) > claim(record))
                {
                    let started = std::str::from_utf8(other.started).unwrap_or_default();
                    let started = time::nanoseconds(started).unwrap_or_default();
                    released = Some(released.map_or(started, |released| released.min(started)));
                }
                true
            });
        }
        released
    }

    /// The answer where no pod meets the terms.
    fn missing(&self, terms: &[Term<'_>]) -> Lookup {
        if let [Term::Ip(address)] = terms
            && self.is_node(address.to_canonical())
        {
            return Lookup::Node;
        }
        let lacks = |field| !self.fields.contains(field);
        let unkept = terms.iter().any(|term| match term {
            Term::Ip(_) | Term::Name(_) => false,
            Term::Uid(_) => lacks(Field::Uid),
            Term::Namespace(_) => lacks(Field::Namespace),
            Term::Node(_) => lacks(Field::Node),
            Term::Hostname(_) => lacks(Field::Hostname),
            Term::Deployment(_) => lacks(Field::Deployment),
            Term::Label(key, _) => !self.kept_keys.labels.contains(key),
            Term::Annotation(key, _) => !self.kept_keys.annotations.contains(key),
            Term::Container(_) | Term::ContainerName(_) => lacks(Field::Containers),
        });
        match self.coverage {
            Coverage::Cluster if !unkept => Lookup::Absent,
            Coverage::Cluster | Coverage::Part => Lookup::Unknown,
        }
    }

    /// Whether an address is one of a node that a pod is on.
    fn is_node(&self, address: IpAddr) -> bool {
        self.with_hash(BY_NODE_IP, self.hash(address)).any(|slot| {
            self.record(slot).is_some_and(|record| self.node_ips(&record).any(|known| known == address))
        })
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
    Part(PartKey<'a>, &'a str),
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
            Term::Hostname(value) => (3, Self::Part((Part::Hostname, ""), value)),
            Term::Deployment(value) => (4, Self::Part((Part::Deployment, ""), value)),
            Term::Label(key, value) => (5, Self::Part((Part::Label, key), value)),
            Term::Annotation(key, value) => (6, Self::Part((Part::Annotation, key), value)),
            Term::Node(value) => (7, Self::Part((Part::Node, ""), value)),
            Term::Namespace(value) => (8, Self::Part((Part::Namespace, ""), value)),
            Term::Container(id) => (0, Self::Container(id)),
            Term::ContainerName(_) => (9, Self::All),
        });
        keys.min_by_key(|(rank, _)| *rank).map(|(_, key)| key)
    }
}

/// From and to one hash.
fn one(hash: u64) -> (u64, u64) {
    (hash, hash)
}

/// With how much right a pod claims its addresses: whether it lives, then when it started. Kubernetes writes times in one form, in
/// UTC, so that the later text is the later time.
fn claim<'a>(record: &Record<'a>) -> Rank<'a> {
    (record.is_live(), record.started)
}

/// Whether a pod lives, and when it started, as far as that matters.
type Rank<'a> = (bool, &'a [u8]);

/// The best of the pods that meet the terms.
#[derive(Default)]
struct Pick<'a> {
    best: Option<(Slot, Record<'a>, Rank<'a>)>,
    /// Another pod is as good.
    tied: bool,
    /// There is one that must not be found.
    ignored: bool,
}

impl<'a> Pick<'a> {
    fn offer(&mut self, slot: Slot, record: &Record<'a>, rank: Rank<'a>) {
        match &self.best {
            Some((_, _, best)) if rank < *best => {}
            // Files that overlap name a pod twice.
            Some((_, other, best)) if rank == *best && (other.uid != record.uid || record.uid.is_empty()) => {
                self.tied = true;
            }
            Some((_, _, best)) => {
                self.tied &= rank == *best;
                self.best = Some((slot, *record, rank));
            }
            None => self.best = Some((slot, *record, rank)),
        }
    }

    /// Two live pods: lookups by a common label need not go through the others.
    fn is_ambiguous_whatever_comes(&self) -> bool {
        self.tied && self.best.is_some_and(|(_, _, (live, _))| live)
    }
}
