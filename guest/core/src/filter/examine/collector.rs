//! What the OpenTelemetry Collector would stamp with the same configuration.
//!
//! The rules are those of contrib's k8sattributesprocessor (processor.go, pod_association.go, internal/kube/client.go). What sets them
//! apart from podstamp's stands in `docs/collector-differences.md`: the first entry of `pod_association` whose sources all have a value
//! decides, whether a pod is found or not; nothing is held against what else the resource says; a pod has one address.

use std::net::IpAddr;

use super::lookups::full_name;
use super::texts::Texts;
use crate::address;
use crate::attributes::{HOST_IP, POD_IP};
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::{Lookup, Term};
use crate::interface::CollectorStamp;
use crate::pipeline::{Pipeline, Step};
use crate::processors::k8sattributes::{Association, Found, Identifier, Kubernetes, Source};
use crate::resource::{Resource, Value};

/// Runs a pipeline over a resource as the Collector does. The connection of `context` has to be the TCP peer.
pub(super) fn stamp<'a>(
    pipeline: &'a Pipeline,
    resource: &mut Resource<'a>,
    context: &'a Context<'a>,
    texts: Texts,
) -> CollectorStamp {
    let mut pod = None;
    for step in pipeline.steps() {
        match step {
            Step::Resource(actions) => actions.iter().for_each(|action| action.apply(resource, context)),
            Step::Kubernetes(kubernetes) => pod = associate(kubernetes, resource, context).or(pod),
        }
    }
    let address = resource.get(HOST_IP).map(|value| texts.value(value));
    CollectorStamp { address, pod: pod.map(|pod| texts.cut(&pod)) }
}

/// Runs `k8sattributes`; gives the pod that was found.
fn associate<'a>(
    kubernetes: &'a Kubernetes,
    resource: &mut Resource<'a>,
    context: &'a Context<'a>,
) -> Option<String> {
    let identity = Identity::of(&kubernetes.association, resource, context)?;
    // This comes ahead of the lookup, so that a node's address or 127.0.0.6 is written as well.
    if (kubernetes.passthrough || kubernetes.extraction.ip)
        && let Some(connection) = &identity.connection
    {
        fill_address(resource, connection);
    }
    if kubernetes.passthrough {
        return None;
    }
    match identity.look_up(kubernetes, context)? {
        Sought::Several => Some(CollectorStamp::SEVERAL.to_owned()),
        Sought::One(pod) => {
            let name = full_name(&pod);
            let address = pod.ips.first().copied();
            if kubernetes.extraction.ip && address.is_none() {
                fill_address(resource, "");
            }
            kubernetes.extraction.write(resource, &Found { pod, address }, context);
            Some(name)
        }
    }
}

/// What a resource is looked up by: the values of the first entry that has them all.
struct Identity<'r> {
    parts: Vec<(&'r Identifier, String)>,
    /// The value that counts as the connection's address.
    connection: Option<String>,
}

/// The pods that an identity leads to.
enum Sought<'c> {
    One(Associated<'c>),
    /// The Collector's table has the pod that it heard of last.
    Several,
}

impl<'r> Identity<'r> {
    fn of(association: &'r Association, resource: &Resource<'_>, context: &Context<'_>) -> Option<Self> {
        association.entries().iter().find_map(|entry| {
            let mut identity = Self { parts: Vec::new(), connection: None };
            for source in &entry.sources {
                let (identifies, value) = value(source, resource, context)?;
                if source.is_connection() {
                    identity.connection.get_or_insert_with(|| value.clone());
                }
                identity.parts.push((identifies, value));
            }
            Some(identity)
        })
    }

    /// `None`: no pod is found.
    fn look_up<'c>(&self, kubernetes: &Kubernetes, context: &'c Context<'_>) -> Option<Sought<'c>> {
        let terms = self.parts.iter().map(|(identifies, value)| term(identifies, value));
        let terms = terms.collect::<Option<Vec<_>>>()?;
        let answer = context.find(&terms, kubernetes.details());
        if matches!(&*answer, Lookup::Ambiguous) {
            return Some(Sought::Several);
        }
        let pod = answer.into_pod()?;
        let has_address = |term: &Term<'_>| match term {
            Term::Ip(address) => pod.ips.first() == Some(address),
            _ => true,
        };
        (terms.iter().all(has_address) && kubernetes.selection.accepts(&pod)).then_some(Sought::One(pod))
    }
}

/// The value of a source, and what it says of a pod. `None`: the source has no value.
fn value<'r>(
    source: &'r Source,
    resource: &Resource<'_>,
    context: &Context<'_>,
) -> Option<(&'r Identifier, String)> {
    match source {
        Source::Connection => Some((&Identifier::Ip, context.connection()?.to_string())),
        Source::Attribute { name, identifies, .. } => {
            let text = resource.text(name).filter(|text| !text.is_empty())?;
            // Elsewhere than in Kubernetes it is a machine's name.
            let counts = name != "host.name" || text.parse::<IpAddr>().is_ok();
            counts.then(|| (identifies, text.to_owned()))
        }
    }
}

/// The condition on a pod. `None`: no pod meets it.
fn term<'v>(identifies: &'v Identifier, value: &'v str) -> Option<Term<'v>> {
    Some(match identifies {
        // Addresses are compared as texts.
        Identifier::Ip => {
            let address = address::parse(value).filter(|address| address.to_string() == value)?;
            Term::Ip(Some(address).filter(|address| address::is_candidate(*address))?)
        }
        Identifier::Uid => Term::Uid(value),
        Identifier::Name => Term::Name(value),
        Identifier::Namespace => Term::Namespace(value),
        Identifier::Node => Term::Node(value),
        Identifier::Hostname => Term::Hostname(value),
        Identifier::Deployment => Term::Deployment(value),
        Identifier::Label(key) => Term::Label(key, value),
        Identifier::Annotation(key) => Term::Annotation(key, value),
        Identifier::Container => Term::Container(value),
        Identifier::ContainerName => Term::ContainerName(value),
    })
}

/// Writes `k8s.pod.ip` where it is missing or blank.
fn fill_address(resource: &mut Resource<'_>, address: &str) {
    if resource.get(POD_IP).is_none_or(Value::is_blank) {
        resource.set(POD_IP, Value::string(address.to_owned()));
    }
}
