//! The pods to ask the Kubernetes API for.

use crate::processors::k8sattributes::{PodField, Selection, Test};

/// Conditions on pods that the API server itself can test. Those that cannot be written as a selector are left out: each
/// processor tests all of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The one namespace to ask in, so that a Role in it suffices. `None`: all.
    pub namespace: Option<String>,
    /// A field selector, for example `spec.nodeName=node-1`. Empty: none.
    pub fields: String,
    /// A label selector, for example `app=shop,!debug`. Empty: none.
    pub labels: String,
}

impl Selector {
    /// Whether every pod of the cluster is asked for.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The name of the one node whose pods are asked for.
    pub fn node(&self) -> Option<&str> {
        self.fields.split(',').find_map(|term| term.strip_prefix("spec.nodeName="))
    }

    /// The conditions that all selections have in common.
    pub(crate) fn common<'s>(mut selections: impl Iterator<Item = &'s Selection>) -> Self {
        let Some(Selection { fields, labels, .. }) = selections.next() else { return Self::default() };
        let (mut fields, mut labels) = (fields.clone(), labels.clone());
        for other in selections {
            fields.retain(|condition| other.fields.contains(condition));
            labels.retain(|condition| other.labels.contains(condition));
        }
        fields.dedup();
        labels.dedup();
        let is_namespace = |(field, test): &(PodField, Test)| match test {
            Test::Equals(name) if *field == PodField::Namespace && is_plain(name) => Some(name.clone()),
            _ => None,
        };
        let namespaces: Vec<_> = fields.iter().filter_map(is_namespace).collect();
        let namespace = match namespaces.as_slice() {
            [name] => Some(name.clone()),
            // Without one, or with several at once, which no pod meets.
            _ => None,
        };
        if namespace.is_some() {
            fields.retain(|condition| is_namespace(condition).is_none());
        }
        let fields = fields.iter().filter_map(|(field, test)| term(field.selector(), test));
        let labels = labels.iter().filter_map(|(key, test)| term(key, test));
        Self { namespace, fields: join(fields), labels: join(labels) }
    }
}

fn join(terms: impl Iterator<Item = String>) -> String {
    terms.collect::<Vec<_>>().join(",")
}

/// A condition as a selector has it. `None` for texts that would have to be escaped: no field or label is like that.
fn term(key: &str, test: &Test) -> Option<String> {
    let term = match test {
        Test::Equals(value) if is_plain(value) => format!("{key}={value}"),
        Test::NotEquals(value) if is_plain(value) => format!("{key}!={value}"),
        Test::Exists => key.to_owned(),
        Test::DoesNotExist => format!("!{key}"),
        Test::Equals(_) | Test::NotEquals(_) => return None,
    };
    is_plain(key).then_some(term)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':'))
}
