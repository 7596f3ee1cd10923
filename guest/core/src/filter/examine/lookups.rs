//! What the pod directory is asked, written down.

use std::cell::{Cell, RefCell};

use super::limits::MAX_ENTRIES;
use super::texts::Texts;
use crate::directory::{Details, Directory, Lookup, Pod, Term};
use crate::interface::{ExaminedLookup, LookupAnswer};

/// A directory that notes each question and its answer.
pub(super) struct Recording<'d> {
    directory: &'d dyn Directory,
    texts: Texts,
    lookups: RefCell<Vec<ExaminedLookup>>,
    is_over: Cell<bool>,
}

impl<'d> Recording<'d> {
    pub(super) fn new(directory: &'d dyn Directory, texts: Texts) -> Self {
        Self { directory, texts, lookups: RefCell::default(), is_over: Cell::new(false) }
    }

    /// Gives what was noted; nothing is noted any more.
    pub(super) fn end(&self) -> Vec<ExaminedLookup> {
        self.is_over.set(true);
        self.lookups.take()
    }
}

impl Directory for Recording<'_> {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        let lookup = self.directory.find(terms, want);
        let mut lookups = self.lookups.borrow_mut();
        if !self.is_over.get() && lookups.len() < MAX_ENTRIES {
            let terms: Vec<_> = terms.iter().map(|term| self.texts.cut(&told(term))).collect();
            // The same question is asked again where more details of the pod are wanted.
            if lookups.iter().all(|noted| noted.terms != terms) {
                let (answer, pod) = answer(&lookup);
                lookups.push(ExaminedLookup {
                    terms,
                    answer,
                    pod: pod.map(|pod| self.texts.cut(&full_name(pod))),
                });
            }
        }
        lookup
    }
}

/// A pod as `namespace/name`.
pub(super) fn full_name(pod: &Pod) -> String {
    let Pod { namespace, name, .. } = pod;
    if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") }
}

/// A condition, with the attribute that says the same of a pod.
fn told(term: &Term<'_>) -> String {
    match term {
        Term::Ip(address) => format!("k8s.pod.ip={address}"),
        Term::Uid(uid) => format!("k8s.pod.uid={uid}"),
        Term::Name(name) => format!("k8s.pod.name={name}"),
        Term::Namespace(namespace) => format!("k8s.namespace.name={namespace}"),
        Term::Node(node) => format!("k8s.node.name={node}"),
        Term::Hostname(hostname) => format!("k8s.pod.hostname={hostname}"),
        Term::Deployment(deployment) => format!("k8s.deployment.name={deployment}"),
        Term::Label(key, value) => format!("k8s.pod.label.{key}={value}"),
        Term::Annotation(key, value) => format!("k8s.pod.annotation.{key}={value}"),
        Term::Container(id) => format!("container.id={id}"),
        Term::ContainerName(name) => format!("k8s.container.name={name}"),
    }
}

fn answer(lookup: &Lookup) -> (LookupAnswer, Option<&Pod>) {
    match lookup {
        Lookup::Found(pod) => (LookupAnswer::Found, Some(pod)),
        Lookup::Ambiguous => (LookupAnswer::Ambiguous, None),
        Lookup::Node => (LookupAnswer::Node, None),
        Lookup::Ignored => (LookupAnswer::Ignored, None),
        Lookup::Absent => (LookupAnswer::Absent, None),
        Lookup::Unknown => (LookupAnswer::Unknown, None),
    }
}
