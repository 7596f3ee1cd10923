//! `pod_association` of `k8sattributes`.

use crate::config::document::{Entry, hint};
use crate::interface::Level;
use crate::processors::k8sattributes::{
    Association, AssociationRule, Extraction, Identifier, KeyRule, MAX_SOURCES, Source,
};

/// Reads `pod_association`. Attributes that rules of `extraction` write identify a pod, too.
pub(crate) fn read_pod_association(entry: &Entry<'_>, extraction: &Extraction) -> Association {
    let rules = entry.list();
    let configured = !rules.is_empty();
    let rules: Vec<_> = rules.iter().filter_map(|rule| read_rule(rule, extraction)).collect();
    if configured && rules.is_empty() {
        entry.fault(
            "has no entry that finds a pod here: add one, for example `sources: [{from: connection}]`",
        );
    }
    Association::new(configured.then_some(rules))
}

fn read_rule(entry: &Entry<'_>, extraction: &Extraction) -> Option<AssociationRule> {
    let mut section = entry.section();
    let list = section.take("sources");
    // How the Collector had it before v0.56.
    section.refuse(&["from", "name"], "belongs into a list: `sources: [{from: ..., name: ...}]`");
    section.close();
    let sources = list.list();
    if sources.is_empty() {
        list.fault("is missing: what identifies the pod, for example `- from: connection`");
    }
    if sources.len() > MAX_SOURCES {
        list.fault(format!("has {} sources, and {MAX_SOURCES} is the most", sources.len()));
    }
    let read: Vec<_> = sources.iter().filter_map(|source| read_source(source, extraction)).collect();
    let found = |source| match source {
        SourceEntry::Found(source) => Some(source),
        SourceEntry::NotInDirectory => None,
    };
    let Some(sources) = read.into_iter().map(found).collect::<Option<Vec<_>>>() else {
        entry.no_effect(
            "podstamp's directory does not know `container.image.name`, so the entry finds nothing: name container.id or \
             k8s.pod.uid",
        );
        return None;
    };
    let count = |test: fn(&Identifier) -> bool| {
        let identifies = |source: &&Source| match source {
            Source::Connection => true,
            Source::Attribute { identifies, .. } => test(identifies),
        };
        sources.iter().filter(identifies).count()
    };
    if !sources.is_empty() && count(|identifier| *identifier != Identifier::ContainerName) == 0 {
        entry.no_effect("`k8s.container.name` alone tells no pod: name k8s.pod.uid or another beside it");
        return None;
    }
    if count(|identifier| matches!(identifier, Identifier::Ip | Identifier::Uid | Identifier::Container)) > 1
    {
        list.notice(
            Level::Warning,
            "config-sources",
            "an entry finds a pod only where all of its sources have a value and lead to the same pod; where one is to \
             suffice, give each an entry of its own",
        );
    }
    Some(AssociationRule { sources })
}

/// A source that is written without a fault.
enum SourceEntry {
    /// Pods can be looked for by it.
    Found(Source),
    /// The directory does not know the attribute.
    NotInDirectory,
}

/// Reads a source. `None`: it is at fault.
fn read_source(entry: &Entry<'_>, extraction: &Extraction) -> Option<SourceEntry> {
    let mut section = entry.section();
    let from = section.take("from");
    let name = section.take("name");
    section.close();
    if !from.is_filled() {
        from.fault("is missing: connection or resource_attribute");
        return None;
    }
    if !from.choice(&[("connection", false), ("resource_attribute", true)])? {
        return Some(SourceEntry::Found(Source::Connection));
    }
    let Some(attribute) = name.filled_text() else {
        name.fault("is missing: the resource attribute that identifies the pod");
        return None;
    };
    if attribute == IMAGE_NAME {
        return Some(SourceEntry::NotInDirectory);
    }
    match identifier(&attribute, extraction) {
        Some(identifies) => {
            Some(SourceEntry::Found(Source::Attribute { name: attribute, identifies, as_connection: false }))
        }
        None => {
            let hint = hint(&attribute, ATTRIBUTES.iter().map(|(name, _)| *name));
            let known: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
            name.fault(format!(
                "`{attribute}` identifies no pod; what does: {}, and attributes that extract.labels or \
                 extract.annotations write by `key`{hint}",
                known.join(", ")
            ));
            None
        }
    }
}

fn identifier(attribute: &str, extraction: &Extraction) -> Option<Identifier> {
    let built_in = ATTRIBUTES.iter().find(|(name, _)| *name == attribute);
    let from_rules = |rules: &[KeyRule]| {
        rules.iter().find_map(|rule| match rule {
            KeyRule::Key { key, attribute: name } if name == attribute => Some(key.clone()),
            _ => None,
        })
    };
    built_in
        .map(|(_, identifier)| identifier.clone())
        .or_else(|| from_rules(&extraction.labels).map(Identifier::Label))
        .or_else(|| from_rules(&extraction.annotations).map(Identifier::Annotation))
}

/// Attributes that say something about a pod. `host.name` counts where it is an address, as in the Collector.
const ATTRIBUTES: &[(&str, Identifier)] = &[
    ("k8s.pod.ip", Identifier::Ip),
    ("k8s.pod.uid", Identifier::Uid),
    ("k8s.pod.name", Identifier::Name),
    ("k8s.pod.hostname", Identifier::Hostname),
    ("k8s.namespace.name", Identifier::Namespace),
    ("k8s.node.name", Identifier::Node),
    ("k8s.deployment.name", Identifier::Deployment),
    ("container.id", Identifier::Container),
    ("k8s.container.name", Identifier::ContainerName),
    ("ip", Identifier::Ip),
    ("host.name", Identifier::Ip),
];

/// An attribute by which the Collector finds a container, and through it the pod.
const IMAGE_NAME: &str = "container.image.name";
