//! Which pod a resource comes from.
//!
//! An association is a list of entries, each a conjunction of sources. An entry decides if all of its sources give a value, and
//! the values lead to exactly one pod that agrees with the resource's claims; the first such entry counts. The Collector stops at
//! the first entry that has all its values, found or not (contrib#41844); going on is a deliberate difference, since a host name
//! that does not belong to a pod must not hide a good address.

mod terms;

use std::net::IpAddr;

use crate::address;
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::{self, Details, Fields, KeptKeys, MAX_TERMS, Pod, Term};
use crate::resource::Resource;
use terms::Terms;

/// A pod, and the address by which it was found, if it was by one.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) pod: Associated<'a>,
    pub(crate) address: Option<IpAddr>,
}

/// `pod_association`, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Association {
    entries: Vec<AssociationRule>,
}

/// Sources that must all give a value.
#[derive(Clone, Debug)]
pub(crate) struct AssociationRule {
    pub(crate) sources: Vec<Source>,
}

/// The source of an identifier's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The connection's address.
    Connection,
    /// An attribute of the resource.
    Attribute {
        name: String,
        identifies: Identifier,
        /// Whether the Collector counts the value as the connection's address: in the built-in order only.
        as_connection: bool,
    },
}

/// The property of a pod that a value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identifier {
    Ip,
    Uid,
    Name,
    Namespace,
    Node,
    Hostname,
    Deployment,
    Label(String),
    Annotation(String),
    Container,
    ContainerName,
}

impl Association {
    /// An association of these entries; with `None`, the Collector's built-in order.
    pub(crate) fn new(entries: Option<Vec<AssociationRule>>) -> Self {
        Self { entries: entries.unwrap_or_else(built_in) }
    }

    /// The pod that a resource comes from, among those that are accepted, with the details that are wanted.
    pub(crate) fn find<'a>(
        &self,
        resource: &Resource<'a>,
        context: &'a Context<'a>,
        want: Details,
        accepts: impl Fn(&Pod) -> bool,
    ) -> Option<Found<'a>> {
        self.entries.iter().find_map(|entry| {
            let terms = entry.terms(resource, context)?;
            let pod = context.find(terms.as_slice(), want).into_pod()?;
            accepts(&pod).then(|| Found { pod, address: terms.address() })
        })
    }

    /// The fields of pods that identifiers are compared with.
    pub(crate) fn fields(&self) -> Fields {
        self.sources().filter_map(Source::field).collect()
    }

    /// The labels and annotations that identifiers are compared with.
    pub(crate) fn kept_keys(&self) -> KeptKeys {
        let (mut labels, mut annotations) = (Vec::new(), Vec::new());
        for source in self.sources() {
            match source {
                Source::Attribute { identifies: Identifier::Label(key), .. } => labels.push(key.clone()),
                Source::Attribute { identifies: Identifier::Annotation(key), .. } => {
                    annotations.push(key.clone())
                }
                Source::Attribute { .. } | Source::Connection => (),
            }
        }
        KeptKeys { labels: labels.into_iter().collect(), annotations: annotations.into_iter().collect() }
    }

    /// The addresses that can be a pod's among the connection's and those that count as the connection's.
    pub(crate) fn connections(
        &self,
        resource: &Resource<'_>,
        context: &Context<'_>,
    ) -> impl Iterator<Item = IpAddr> {
        let connections = self.sources().filter(|source| source.is_connection());
        connections.filter_map(|source| source.address(resource, context))
    }

    /// The first address in this order, without a lookup.
    pub(crate) fn first_address(&self, resource: &Resource<'_>, context: &Context<'_>) -> Option<IpAddr> {
        self.sources().find_map(|source| source.address(resource, context))
    }

    /// The entries, in their order.
    pub(crate) fn entries(&self) -> &[AssociationRule] {
        &self.entries
    }

    /// The sources of all entries.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.entries.iter().flat_map(|entry| &entry.sources)
    }
}

impl AssociationRule {
    /// The conditions on the pod; `None` where a source gives no value.
    fn terms<'r>(&'r self, resource: &'r Resource<'_>, context: &Context<'_>) -> Option<Terms<'r>> {
        let mut terms = Terms::default();
        for source in &self.sources {
            terms.push(source.term(resource, context)?);
        }
        // Names are unique in their namespace only.
        if terms.has_name()
            && !terms.has_namespace()
            && let Some(namespace) = filled(resource, NAMESPACE)
        {
            terms.push(Term::Namespace(namespace));
        }
        Some(terms)
    }
}

impl Source {
    fn term<'r>(&'r self, resource: &'r Resource<'_>, context: &Context<'_>) -> Option<Term<'r>> {
        let Self::Attribute { name, identifies, .. } = self else {
            return self.address(resource, context).map(Term::Ip);
        };
        if *identifies == Identifier::Ip {
            return self.address(resource, context).map(Term::Ip);
        }
        let value = filled(resource, name)?;
        Some(match identifies {
            Identifier::Ip => return None,
            Identifier::Uid => Term::Uid(value),
            Identifier::Name => Term::Name(value),
            Identifier::Namespace => Term::Namespace(value),
            Identifier::Node => Term::Node(value),
            Identifier::Hostname => Term::Hostname(value),
            Identifier::Deployment => Term::Deployment(value),
            Identifier::Label(key) => Term::Label(key, value),
            Identifier::Annotation(key) => Term::Annotation(key, value),
            Identifier::Container => Term::Container(directory::container_id(value)),
            Identifier::ContainerName => Term::ContainerName(value),
        })
    }

    /// The address that the source gives, if that can be a pod's.
    fn address(&self, resource: &Resource<'_>, context: &Context<'_>) -> Option<IpAddr> {
        let address = match self {
            Self::Connection => context.connection(),
            Self::Attribute { name, identifies: Identifier::Ip, .. } => {
                resource.text(name).and_then(address::first_candidate)
            }
            Self::Attribute { .. } => None,
        };
        address.filter(|address| address::is_candidate(*address))
    }

    /// The field of a pod that the source's value is compared with; `None` for one that is known of every pod.
    fn field(&self) -> Option<directory::Field> {
        let Self::Attribute { identifies, .. } = self else {
            return None;
        };
        Some(match identifies {
            Identifier::Ip => return None,
            Identifier::Uid => directory::Field::Uid,
            // With a name, the namespace is compared too, where the resource has one.
            Identifier::Name | Identifier::Namespace => directory::Field::Namespace,
            Identifier::Node => directory::Field::Node,
            Identifier::Hostname => directory::Field::Hostname,
            Identifier::Deployment => directory::Field::Deployment,
            Identifier::Label(_) => directory::Field::Labels,
            Identifier::Annotation(_) => directory::Field::Annotations,
            Identifier::Container | Identifier::ContainerName => directory::Field::Containers,
        })
    }

    /// Whether the Collector counts the value as the connection's address.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, Self::Connection | Self::Attribute { as_connection: true, .. })
    }
}

/// The text of an attribute that has one.
pub(crate) fn filled<'r>(resource: &'r Resource<'_>, name: &str) -> Option<&'r str> {
    resource.text(name).filter(|text| !text.is_empty())
}

/// The Collector's order where `pod_association` is missing; all of its sources count as the connection's address
/// (k8sattributesprocessor/pod_association.go, extractPodIDNoAssociations).
fn built_in() -> Vec<AssociationRule> {
    let attribute = |name: &str| Source::Attribute {
        name: name.to_owned(),
        identifies: Identifier::Ip,
        as_connection: true,
    };
    [attribute("k8s.pod.ip"), attribute("ip"), Source::Connection, attribute("host.name")]
        .map(|source| AssociationRule { sources: vec![source] })
        .into()
}

const NAMESPACE: &str = "k8s.namespace.name";

/// The most sources of an entry: the Collector's `PodIdentifierMaxLength`.
pub(crate) const MAX_SOURCES: usize = MAX_TERMS - 1;

#[cfg(test)]
mod tests;
