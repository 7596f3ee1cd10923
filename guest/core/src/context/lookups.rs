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

/// Answers that are kept, up to a limit.
///
/// Answers are added while others are borrowed, so they stand in chains that only grow: one chain for the few pods of most
/// requests, and a table of further chains once that one is full.
#[derive(Default)]
pub(crate) struct Lookups {
    first: Link,
    table: OnceCell<Box<[Link]>>,
    /// The buffer in which keys are written, so that a lookup does not allocate one.
    scratch: RefCell<Vec<u8>>,
    kept: Cell<usize>,
}

type Link = OnceCell<Box<Kept>>;

struct Kept {
    key: Box<[u8]>,
    lookup: Lookup,
    next: Link,
}

/// The end of a walk along a chain.
enum End<'l> {
    Kept(&'l Lookup),
    Free(&'l Link),
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

    fn find_by_key(&self, key: &[u8], ask: impl FnOnce() -> Lookup) -> Answer<'_> {
        let end = match seek(&self.first, key) {
            End::Full => self.chain(key).map_or(End::Full, |chain| seek(chain, key)),
            end => end,
        };
        match end {
            End::Kept(lookup) => Answer::Shared(lookup),
            End::Free(link) => self.keep(link, key, ask()),
            End::Full => Answer::Own(ask()),
        }
    }

    fn chain(&self, key: &[u8]) -> Option<&Link> {
        let table = self.table.get_or_init(|| (0..CHAINS).map(|_| Link::new()).collect());
        table.get(hash(key) as usize % CHAINS)
    }

    fn keep<'l>(&self, link: &'l Link, key: &[u8], lookup: Lookup) -> Answer<'l> {
        let kept = self.kept.get() + size(&lookup) + key.len();
        if kept > MAX_KEPT {
            return Answer::Own(lookup);
        }
        self.kept.set(kept);
        let kept = link.get_or_init(|| Box::new(Kept { key: key.into(), lookup, next: Link::new() }));
        Answer::Shared(&kept.lookup)
    }
}

fn seek<'l>(mut link: &'l Link, key: &[u8]) -> End<'l> {
    for _ in 0..MAX_CHAIN {
        match link.get() {
            None => return End::Free(link),
            Some(kept) if *kept.key == *key => return End::Kept(&kept.lookup),
            Some(kept) => link = &kept.next,
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

/// FNV-1a. Keys that collide on purpose cost a few comparisons: chains are short.
fn hash(key: &[u8]) -> u32 {
    let hash =
        key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    // FNV's low bits are its weakest.
    hash ^ hash >> 16
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

/// A chain's head takes 4 bytes in the guest: 4 KiB in all, set up once the first chain is full.
const CHAINS: usize = 1024;

/// Answers in a chain. Their keys are compared one by one, which for a few is faster than a hash. In the table, keys that
/// collide by chance make chains of 2 or 3; longer ones are made on purpose.
const MAX_CHAIN: usize = 8;

/// Bytes of answers that are kept: some ten thousand pods, a fraction of a guest's memory.
const MAX_KEPT: usize = 16 << 20;

/// What an entry takes besides its texts.
const ENTRY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Lookup {
        Lookup::Found(Box::new(Pod { name: name.to_owned(), ..Pod::default() }))
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
            answer.into_pod().map(|pod| pod.name.clone())
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
        let labels = Details { labels: true, annotations: false };
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
