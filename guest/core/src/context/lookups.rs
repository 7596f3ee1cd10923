//! What the directory has answered within one request.
//!
//! A batch has many resources of few pods, and an answer crosses the boundary of the sandbox with all its texts. An answer
//! that is kept for the request is paid for once a pod, and attributes borrow from it.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use crate::directory::{Details, Lookup, Pod, Term};
use crate::words::{hash, same};

/// Answers that are kept, up to a limit.
///
/// Answers are added while others are borrowed, so each stands in a place of its own that nothing moves. There are places for the few
/// pods of most requests, and two tables of further places, each of which is set up once the places ahead of it are taken.
#[derive(Default)]
pub(crate) struct Lookups {
    first: [Place; FEW],
    tables: [OnceCell<Box<[Place]>>; SIZES.len()],
    /// The buffer in which keys are written, so that a lookup does not allocate one.
    scratch: RefCell<Vec<u8>>,
    kept: Cell<usize>,
}

/// A place for an answer. Once taken it stays so.
#[derive(Default)]
struct Place {
    /// The hash of the key, so that of places that others have taken only this is looked at.
    hash: Cell<u32>,
    kept: OnceCell<Box<Kept>>,
}

struct Kept {
    key: Box<[u8]>,
    lookup: Lookup,
}

/// The end of a search among places.
enum End<'l> {
    Kept(&'l Lookup),
    Free(&'l Place),
    Full,
}

/// An answer: kept for the request, or not.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    Shared(&'a Lookup),
    Own(Lookup),
}

impl Deref for Answer<'_> {
    type Target = Lookup;

    fn deref(&self) -> &Lookup {
        match self {
            Self::Shared(lookup) => lookup,
            Self::Own(lookup) => lookup,
        }
    }
}

impl<'a> Answer<'a> {
    /// The pod, where exactly one was found.
    pub(crate) fn into_pod(self) -> Option<Associated<'a>> {
        match self {
            Self::Shared(Lookup::Found(pod)) => Some(Associated::Shared(pod)),
            Self::Own(Lookup::Found(pod)) => Some(Associated::Own(pod)),
            Self::Shared(_) | Self::Own(_) => None,
        }
    }
}

/// A pod that a resource was associated with: one that the request's other resources share, or its own.
#[derive(Debug)]
pub(crate) enum Associated<'a> {
    /// The pod is kept for the request.
    Shared(&'a Pod),
    /// There was no room to keep it.
    Own(Box<Pod>),
}

impl Deref for Associated<'_> {
    type Target = Pod;

    fn deref(&self) -> &Pod {
        match self {
            Self::Shared(pod) => pod,
            Self::Own(pod) => pod,
        }
    }
}

impl<'a> Associated<'a> {
    /// A text of the pod, without a copy where the pod is kept for the request.
    pub(crate) fn text(&self, select: impl for<'p> Fn(&'p Pod) -> &'p str) -> Cow<'a, str> {
        match self {
            Self::Shared(pod) => Cow::Borrowed(select(pod)),
            Self::Own(pod) => Cow::Owned(select(pod).to_owned()),
        }
    }
}

impl Lookups {
    /// The answer to `terms`, with the details `want` of a pod: the kept answer, or what `ask` returns where there is none.
    pub(crate) fn find(&self, terms: &[Term<'_>], want: Details, ask: impl FnOnce() -> Lookup) -> Answer<'_> {
        let mut key = self.scratch.take();
        key.clear();
        key.push(u8::from(want.labels) | u8::from(want.annotations) << 1);
        terms.iter().for_each(|term| write_key(&mut key, term));
        let answer = self.find_by_key(&key, ask);
        self.scratch.replace(key);
        answer
    }

    // Keys that collide on purpose are not kept once their places are taken: looking for them costs a few comparisons.
    fn find_by_key(&self, key: &[u8], ask: impl FnOnce() -> Lookup) -> Answer<'_> {
        let hash = hash(key);
        match self.seek(key, hash) {
            End::Kept(lookup) => Answer::Shared(lookup),
            End::Free(place) => self.keep(place, hash, key, ask()),
            End::Full => Answer::Own(ask()),
        }
    }

    fn seek(&self, key: &[u8], hash: u32) -> End<'_> {
        let mut end = seek(&self.first, key, hash);
        for (table, size) in self.tables.iter().zip(SIZES) {
            if !matches!(end, End::Full) {
                break;
            }
            let table = table.get_or_init(|| (0..size).map(|_| Place::default()).collect());
            let from = hash as usize % (size / WAYS) * WAYS;
            end = seek(table.get(from..from + WAYS).unwrap_or_default(), key, hash);
        }
        end
    }

    fn keep<'l>(&self, place: &'l Place, hash: u32, key: &[u8], lookup: Lookup) -> Answer<'l> {
        let kept = self.kept.get() + size(&lookup) + key.len();
        if kept > MAX_KEPT {
            return Answer::Own(lookup);
        }
        self.kept.set(kept);
        place.hash.set(hash);
        let kept = place.kept.get_or_init(|| Box::new(Kept { key: key.into(), lookup }));
        Answer::Shared(&kept.lookup)
    }
}

/// Looks for a key in the places that it may have, or for the first free one.
fn seek<'l>(places: &'l [Place], key: &[u8], hash: u32) -> End<'l> {
    for place in places {
        match place.kept.get() {
            None => return End::Free(place),
            Some(kept) if place.hash.get() == hash && same(&kept.key, key) => return End::Kept(&kept.lookup),
            Some(_) => (),
        }
    }
    End::Full
}

impl fmt::Debug for Lookups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lookups").field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// Appends a term to a key, so that no two lists of terms give the same bytes.
fn write_key(key: &mut Vec<u8>, term: &Term<'_>) {
    let mut text = |kind: u8, text: &str| {
        key.push(kind);
        key.extend((text.len() as u32).to_le_bytes());
        key.extend(text.as_bytes());
    };
    match term {
        Term::Uid(uid) => text(1, uid),
        Term::Name(name) => text(2, name),
        Term::Namespace(namespace) => text(3, namespace),
        Term::Node(node) => text(4, node),
        Term::Hostname(hostname) => text(5, hostname),
        Term::Deployment(deployment) => text(6, deployment),
        Term::Label(label, value) => {
            text(7, label);
            text(0, value);
        }
        Term::Annotation(annotation, value) => {
            text(8, annotation);
            text(0, value);
        }
        Term::Container(id) => text(11, id),
        Term::ContainerName(name) => text(12, name),
        Term::Ip(IpAddr::V4(address)) => {
            key.push(9);
            key.extend(address.octets());
        }
        Term::Ip(IpAddr::V6(address)) => {
            key.push(10);
            key.extend(address.octets());
        }
    }
}

/// About how many bytes an answer takes.
fn size(lookup: &Lookup) -> usize {
    let Lookup::Found(pod) = lookup else {
        return ENTRY;
    };
    let Pod { name, namespace, uid, node, hostname, start_time, deployment, phase, .. } = &**pod;
    let texts = [name, namespace, uid, node, hostname, start_time, deployment, phase];
    let pairs = pod.labels.iter().chain(&pod.annotations);
    let pairs: usize = pairs.map(|(key, value)| key.len() + value.len() + ENTRY / 2).sum();
    ENTRY + size_of::<Pod>() + texts.iter().map(|text| text.len()).sum::<usize>() + pairs
}

/// Places that are looked through one by one, which for a few is faster than a table.
const FEW: usize = 8;

/// Places of the tables: 2 KiB in the guest for a batch of some services, 128 KiB for one of a whole cluster.
const SIZES: [usize; 2] = [1 << 8, 1 << 14];

/// Places in a row that a key may have in a table. Few keys find all of them taken by chance, as long as a third of the table is free.
const WAYS: usize = 8;

/// Bytes of answers that are kept: some ten thousand pods, a fraction of a guest's memory.
const MAX_KEPT: usize = 16 << 20;

/// What an entry takes besides its texts.
const ENTRY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Lookup {
        Lookup::Found(Box::new(Pod { name: name.into(), ..Pod::default() }))
    }

    #[test]
    fn the_same_terms_are_asked_once_and_others_again() {
        let lookups = Lookups::default();
        let asked = Cell::new(0);
        let find = |terms: &[Term<'_>], name: &str| {
            let answer = lookups.find(terms, Details::default(), || {
                asked.set(asked.get() + 1);
                found(name)
            });
            answer.into_pod().map(|pod| pod.name.to_string())
        };
        let lists: &[&[Term<'_>]] = &[
            &[Term::Name("a")],
            &[Term::Name("a"), Term::Namespace("b")],
            &[Term::Uid("a")],
            &[Term::Label("a", "bc")],
            &[Term::Label("ab", "c")],
            &[Term::Annotation("a", "bc")],
            &[Term::Container("a")],
            &[Term::ContainerName("a")],
            &[Term::Ip(IpAddr::from([10, 0, 0, 1]))],
            &[Term::Ip(IpAddr::from([10, 0, 0, 1, 0, 0, 0, 0]))],
        ];
        for round in 0..3 {
            for (index, terms) in lists.iter().enumerate() {
                let expected = index.to_string();
                assert_eq!(find(terms, if round == 0 { &expected } else { "other" }), Some(expected));
            }
        }
        assert_eq!(asked.get(), lists.len());
        let labels = Details { labels: true, ..Details::default() };
        let answer = lookups.find(&[Term::Name("a")], labels, || found("labelled"));
        assert_eq!(answer.into_pod().unwrap().name, "labelled");
    }

    #[test]
    fn more_than_there_is_room_for_is_answered_without_being_kept() {
        let lookups = Lookups::default();
        let names: Vec<_> = (0..20_000).map(|number| format!("pod-{number}")).collect();
        for name in &names {
            let answer = lookups.find(&[Term::Name(name)], Details::default(), || found(name));
            assert_eq!(answer.into_pod().unwrap().name, *name);
        }
        let big = "x".repeat(MAX_KEPT);
        let answer = lookups.find(&[Term::Uid("big")], Details::default(), || found(&big));
        assert!(matches!(answer, Answer::Own(_)));
        assert!(lookups.kept.get() <= MAX_KEPT);
    }
}
