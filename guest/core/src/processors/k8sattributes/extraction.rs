//! `extract`: the attributes that are written about a pod.

use std::borrow::Cow;
use std::net::IpAddr;

use regex_lite::Regex;

use super::association::Found;
use crate::attributes::POD_IP;
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::{self, Details, Fields, KeptKeys, Keys, Pod};
use crate::resource::{Resource, Value};

/// The attributes to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extraction {
    /// Whether `k8s.pod.ip` is written.
    pub(crate) ip: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) labels: Vec<KeyRule>,
    pub(crate) annotations: Vec<KeyRule>,
}

/// A plain text of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Uid,
    Hostname,
    StartTime,
    Namespace,
    Node,
    Deployment,
}

/// Labels or annotations to write.
#[derive(Clone, Debug)]
pub(crate) enum KeyRule {
    /// One label or annotation, by its key.
    Key { key: String, attribute: String },
    /// All whose key matches. `attribute`, the attribute's name, may refer to the pattern's groups, as in `$1`; where it is
    /// missing, the name is `prefix` and the key.
    Pattern { pattern: Regex, attribute: Option<String>, prefix: &'static str },
}

impl Field {
    /// The attribute that the text is written to.
    pub(crate) const fn attribute(self) -> &'static str {
        match self {
            Self::Name => "k8s.pod.name",
            Self::Uid => "k8s.pod.uid",
            Self::Hostname => "k8s.pod.hostname",
            Self::StartTime => "k8s.pod.start_time",
            Self::Namespace => "k8s.namespace.name",
            Self::Node => "k8s.node.name",
            Self::Deployment => "k8s.deployment.name",
        }
    }

    /// The directory's field with the text; `None` for one that is known of every pod.
    const fn of_pod(self) -> Option<directory::Field> {
        match self {
            Self::Name | Self::StartTime => None,
            Self::Uid => Some(directory::Field::Uid),
            Self::Hostname => Some(directory::Field::Hostname),
            Self::Namespace => Some(directory::Field::Namespace),
            Self::Node => Some(directory::Field::Node),
            Self::Deployment => Some(directory::Field::Deployment),
        }
    }

    fn text(self, pod: &Pod) -> &str {
        match self {
            Self::Name => &pod.name,
            Self::Uid => &pod.uid,
            Self::Hostname => &pod.hostname,
            Self::StartTime => &pod.start_time,
            Self::Namespace => &pod.namespace,
            Self::Node => &pod.node,
            Self::Deployment => &pod.deployment,
        }
    }
}

impl Extraction {
    /// The details of a pod that the extraction needs.
    pub(crate) fn details(&self) -> Details {
        Details {
            labels: !self.labels.is_empty(),
            annotations: !self.annotations.is_empty(),
            ..Details::default()
        }
    }

    /// The fields of a pod that the extraction writes, beyond those known of every pod.
    pub(crate) fn fields(&self) -> Fields {
        let Details { labels, annotations, .. } = self.details();
        let labels = labels.then_some(directory::Field::Labels);
        let annotations = annotations.then_some(directory::Field::Annotations);
        self.fields.iter().filter_map(|field| field.of_pod()).chain(labels).chain(annotations).collect()
    }

    /// The labels and annotations that the extraction writes.
    pub(crate) fn kept_keys(&self) -> KeptKeys {
        let keys = |rules: &[KeyRule]| rules.iter().map(KeyRule::keys).fold(Keys::None, Keys::union);
        KeptKeys { labels: keys(&self.labels), annotations: keys(&self.annotations) }
    }

    /// Whether the extraction writes that attribute: a field, or a label or annotation given by its key.
    pub(crate) fn writes(&self, attribute: &str) -> bool {
        let plain =
            |rule: &KeyRule| matches!(rule, KeyRule::Key { attribute: name, .. } if name == attribute);
        self.fields.iter().any(|field| field.attribute() == attribute)
            || self.labels.iter().chain(&self.annotations).any(plain)
    }

    /// Puts the pod's name over the one that an action took for it, where the name is to be written.
    pub(crate) fn rename<'a>(&'a self, resource: &mut Resource<'a>, found: &Found<'a>) {
        if self.fields.contains(&Field::Name) {
            let name = found.pod.text(|pod| &pod.name);
            resource.set(Field::Name.attribute(), Value::String(name));
        }
    }

    /// Writes the attributes about a pod.
    pub(crate) fn write<'a>(
        &'a self,
        resource: &mut Resource<'a>,
        found: &Found<'a>,
        context: &'a Context<'a>,
    ) {
        let Found { pod, address } = found;
        // The address by which the pod was found goes ahead of its primary one.
        if self.ip
            && let Some(address) = address.or_else(|| own_address(pod, resource))
        {
            write_address(resource, address, context);
        }
        for field in &self.fields {
            add(resource, Cow::Borrowed(field.attribute()), || pod.text(|pod| field.text(pod)));
        }
        for rule in &self.labels {
            rule.write(resource, pod, |pod| &pod.labels);
        }
        for rule in &self.annotations {
            rule.write(resource, pod, |pod| &pod.annotations);
        }
    }
}

impl KeyRule {
    /// The keys that the rule may select. For a pattern only a pod can tell, so they are all.
    fn keys(&self) -> Keys {
        match self {
            Self::Key { key, .. } => Keys::from_iter([key.clone()]),
            Self::Pattern { .. } => Keys::All,
        }
    }

    fn write<'a>(
        &'a self,
        resource: &mut Resource<'a>,
        pod: &Associated<'a>,
        pairs: fn(&Pod) -> &[(String, String)],
    ) {
        let value = |index: usize| pod.text(|pod| pairs(pod).get(index).map_or("", |(_, value)| value));
        let found = pairs(pod).iter().map(|(key, _)| key).enumerate();
        match self {
            Self::Key { key, attribute } => {
                for (index, _) in found.filter(|(_, found)| *found == key) {
                    add(resource, Cow::Borrowed(attribute), || value(index));
                }
            }
            Self::Pattern { pattern, attribute, prefix } => {
                resource.matched += pairs(pod).iter().map(|(key, _)| key.len()).sum::<usize>();
                let named = found.filter_map(|(index, found)| {
                    let captures = pattern.captures(found)?;
                    let name = match attribute {
                        None => format!("{prefix}{found}"),
                        Some(template) => {
                            let mut name = String::new();
                            captures.expand(template, &mut name);
                            name
                        }
                    };
                    let text = value(index);
                    (!name.is_empty() && !text.is_empty()).then_some((Cow::Owned(name), text))
                });
                resource.fill(named.collect());
            }
        }
    }
}

/// The primary address of a pod, unless another pod has it by now.
fn own_address(pod: &Pod, resource: &Resource<'_>) -> Option<IpAddr> {
    pod.ips.first().copied().filter(|_| pod.has_addresses(|| resource.latest_end()))
}

/// Writes `k8s.pod.ip`.
pub(crate) fn write_address<'a>(resource: &mut Resource<'a>, address: IpAddr, context: &'a Context<'a>) {
    add(resource, Cow::Borrowed(POD_IP), || context.text_of(address));
}

/// Adds an attribute unless there is one already that is not blank, or the name or text is empty.
fn add<'a>(resource: &mut Resource<'a>, name: Cow<'a, str>, text: impl FnOnce() -> Cow<'a, str>) {
    if !resource.get(&name).is_none_or(Value::is_blank) || name.is_empty() {
        return;
    }
    let text = text();
    if !text.is_empty() {
        resource.set(name, Value::String(text));
    }
}
