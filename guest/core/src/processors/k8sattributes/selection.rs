//! `filter` and `exclude`: the pods that count.

use regex_lite::Regex;

use crate::directory::{Field, Fields, Keys, Pod};
use crate::words;

/// Conditions on a pod. A pod that does not meet them counts as not found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) fields: Vec<(PodField, Test)>,
    pub(crate) labels: Vec<(String, Test)>,
    pub(crate) excluded: Vec<Exclusion>,
}

/// Why a pod that was found counts as not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// `exclude.pods` of `k8sattributes` names it.
    Excluded,
    /// It does not meet `filter` of `k8sattributes`.
    Filtered,
}

/// A field of a pod by which the Collector filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodField {
    Name,
    Namespace,
    Node,
    PrimaryIp,
    Phase,
}

/// A condition on a field or label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equals(String),
    NotEquals(String),
    Exists,
    DoesNotExist,
}

/// A pattern that a pod's name must not match anywhere.
#[derive(Clone, Debug)]
pub(crate) enum Exclusion {
    /// A pattern without special characters, as the default ones are. These are tried for every pod, so they are compared as
    /// texts.
    Literal(String),
    Pattern(Regex),
}

impl Selection {
    /// The fields of a pod that the selection tests, beyond those known of every pod.
    pub(crate) fn fields(&self) -> Fields {
        let labels = (!self.labels.is_empty()).then_some(Field::Labels);
        self.fields.iter().filter_map(|(field, _)| field.of_pod()).chain(labels).collect()
    }

    /// The labels that the selection tests.
    pub(crate) fn label_keys(&self) -> Keys {
        self.labels.iter().map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn accepts(&self, pod: &Pod) -> bool {
        self.admits(pod) && !self.excludes(pod)
    }

    /// Whether a pod meets `filter`.
    fn admits(&self, pod: &Pod) -> bool {
        self.fields.iter().all(|(field, test)| field.meets(test, pod))
            && self.labels.iter().all(|(key, test)| {
                let found = pod.labels.iter().find(|(label, _)| label == key);
                test.holds(found.map(|(_, value)| value.as_str()))
            })
    }

    /// Why a pod is not accepted; `None` where it is.
    pub(crate) fn turns_away(&self, pod: &Pod) -> Option<TurnedAway> {
        if self.excludes(pod) {
            return Some(TurnedAway::Excluded);
        }
        (!self.admits(pod)).then_some(TurnedAway::Filtered)
    }

    /// Whether `exclude` names a pod.
    pub(crate) fn excludes(&self, pod: &Pod) -> bool {
        self.excluded.iter().any(|exclusion| exclusion.matches(&pod.name))
    }
}

impl PodField {
    /// The directory's field; `None` for one that is known of every pod.
    const fn of_pod(self) -> Option<Field> {
        match self {
            Self::Name | Self::PrimaryIp => None,
            Self::Namespace => Some(Field::Namespace),
            Self::Node => Some(Field::Node),
            Self::Phase => Some(Field::Phase),
        }
    }

    /// The field's name in a selector of the Kubernetes API.
    pub(crate) const fn selector(self) -> &'static str {
        match self {
            Self::Name => "metadata.name",
            Self::Namespace => "metadata.namespace",
            Self::Node => "spec.nodeName",
            Self::PrimaryIp => "status.podIP",
            Self::Phase => "status.phase",
        }
    }

    fn meets(self, test: &Test, pod: &Pod) -> bool {
        match self {
            Self::Name => test.holds(Some(&pod.name)),
            Self::Namespace => test.holds(Some(&pod.namespace)),
            Self::Node => test.holds(Some(&pod.node)),
            Self::Phase => test.holds(Some(&pod.phase)),
            Self::PrimaryIp => test.holds(pod.ips.first().map(ToString::to_string).as_deref()),
        }
    }
}

impl Test {
    /// Whether a value meets the condition. As with Kubernetes' selectors, a missing value does not equal anything.
    fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Equals(expected) => value == Some(expected),
            Self::NotEquals(expected) => value != Some(expected),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

impl Exclusion {
    /// An exclusion by `pattern`, of which `regex` was made.
    pub(crate) fn new(pattern: &str, regex: Regex) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
        if pattern.bytes().all(plain) { Self::Literal(pattern.to_owned()) } else { Self::Pattern(regex) }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => contains(name.as_bytes(), literal.as_bytes()),
            Self::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

/// Whether a short text contains another. `str::contains` prepares a search first, which takes longer than this one.
fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some((first, others)) = part.split_first() else { return true };
    if !words::has(text, *first) {
        return false;
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.starts_with(others) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for text in ["", "a", "jaeger", "xjaeger", "jjaegerx", "jaegejaege", "jaegejaeger", "ab"] {
            for part in ["", "a", "jaeger", "b", "ab", "jaegex"] {
                assert_eq!(contains(text.as_bytes(), part.as_bytes()), text.contains(part), "{text} {part}");
            }
        }
    }

    #[test]
    fn a_pod_must_meet_every_condition_and_no_exclusion() {
        let pod = Pod {
            name: "shop-web-1".into(),
            namespace: "shop".into(),
            ips: vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
            labels: vec![("app".to_owned(), "web".to_owned())],
            ..Pod::default()
        };
        let text = |text: &str| text.to_owned();
        let fields = |field, test| Selection { fields: vec![(field, test)], ..Selection::default() };
        let labels = |key: &str, test| Selection { labels: vec![(text(key), test)], ..Selection::default() };
        let excluded = |pattern: &str| Selection {
            excluded: vec![Exclusion::new(pattern, Regex::new(pattern).unwrap())],
            ..Selection::default()
        };
        for (selection, expected) in [
            (Selection::default(), true),
            (fields(PodField::Namespace, Test::Equals(text("shop"))), true),
            (fields(PodField::Namespace, Test::NotEquals(text("shop"))), false),
            (fields(PodField::PrimaryIp, Test::Equals(text("10.0.0.1"))), true),
            (fields(PodField::PrimaryIp, Test::Equals(text("fd00::1"))), false),
            (fields(PodField::Phase, Test::Equals(text("Running"))), false),
            (labels("app", Test::Equals(text("web"))), true),
            (labels("app", Test::DoesNotExist), false),
            (labels("tier", Test::NotEquals(text("x"))), true),
            (labels("tier", Test::Exists), false),
            (excluded("shop-web"), false),
            (excluded("^web"), true),
            (excluded("web-[0-9]$"), false),
            (excluded("jaeger-agent"), true),
        ] {
            assert_eq!(selection.accepts(&pod), expected, "{selection:?}");
            assert_eq!(selection.turns_away(&pod).is_none(), expected, "{selection:?}");
        }
    }
}
