//! The actions of the `resource` processor.
//!
//! They work like the Collector's (contrib, internal/coreinternal/attraction), with one difference that only malformed resources
//! show: writing an attribute whose key is there several times leaves one of them.

mod any_value;
mod convert;
mod hash;
mod source;
mod text;

use std::borrow::Cow;

use regex_lite::Regex;

use crate::context::Context;
use crate::resource::{Resource, Value};

pub(crate) use any_value::from_json;
pub(crate) use convert::Target;
pub(crate) use source::{Origin, Source};
pub(crate) use text::as_text;

/// One action, ready to run.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// insert, update, upsert.
    Write {
        mode: Mode,
        key: String,
        source: Source,
    },
    Delete(Keys),
    /// Replaces values by their SHA-256.
    Hash(Keys),
    /// Upserts what the pattern's groups match in a text, each under its group's name.
    Extract {
        key: String,
        pattern: Regex,
        names: Vec<String>,
    },
    Convert {
        key: String,
        target: Target,
    },
}

/// When a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The value is written where the key is missing.
    Insert,
    /// The value is written where the key is there.
    Update,
    /// The value is always written.
    Upsert,
}

/// The attributes that an action changes: one by its key, and those whose key a pattern matches anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) key: Option<String>,
    pub(crate) pattern: Option<Regex>,
}

impl Action {
    /// Runs over one resource.
    pub(crate) fn apply<'a>(&'a self, resource: &mut Resource<'a>, context: &'a Context<'a>) {
        match self {
            Self::Write { mode, key, source } => {
                let wanted = match mode {
                    Mode::Insert => resource.get(key).is_none(),
                    Mode::Update => resource.get(key).is_some(),
                    Mode::Upsert => true,
                };
                if wanted && let Some(value) = source.value(resource, context) {
                    resource.set(key.as_str(), value);
                }
            }
            Self::Delete(keys) => {
                keys.note_matching(resource);
                resource.remove_where(|key| keys.is_key(key));
                resource.remove_where(|key| keys.is_match(key));
            }
            Self::Hash(keys) => {
                keys.note_matching(resource);
                // An attribute that both key and pattern name is hashed twice, as in the Collector.
                resource.map_values(|key, value| keys.is_key(key).then(|| hash::sha256(value)));
                resource.map_values(|key, value| keys.is_match(key).then(|| hash::sha256(value)));
            }
            Self::Extract { key, pattern, names } => extract(resource, key, pattern, names),
            Self::Convert { key, target } => {
                if let Some(converted) = resource.get(key).and_then(|value| target.convert(value)) {
                    resource.set(key.as_str(), converted);
                }
            }
        }
    }

    /// The attribute that the action reads, if that is not the one that it changes.
    pub(crate) fn reads(&self) -> Option<&str> {
        match self {
            Self::Write { source, .. } => source.attribute(),
            Self::Delete(_) | Self::Hash(_) | Self::Extract { .. } | Self::Convert { .. } => None,
        }
    }

    /// The header that the action reads.
    pub(crate) fn header(&self) -> Option<&str> {
        match self {
            Self::Write { source, .. } => source.header(),
            Self::Delete(_) | Self::Hash(_) | Self::Extract { .. } | Self::Convert { .. } => None,
        }
    }

    /// The attribute that the action writes under its `key`.
    pub(crate) fn writes(&self) -> Option<&str> {
        match self {
            Self::Write { key, .. } => Some(key),
            Self::Delete(_) | Self::Hash(_) | Self::Extract { .. } | Self::Convert { .. } => None,
        }
    }
}

impl Keys {
    fn is_key(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    /// Notes what the pattern is about to be held against.
    fn note_matching(&self, resource: &mut Resource<'_>) {
        if self.pattern.is_some() {
            resource.matched += resource.iter().map(|(key, _)| key.len()).sum::<usize>();
        }
    }

    fn is_match(&self, key: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(key))
    }
}

fn extract<'a>(resource: &mut Resource<'a>, key: &str, pattern: &Regex, names: &'a [String]) {
    let Some(Value::String(text)) = resource.get(key) else {
        return;
    };
    // Where the text stands in the request, only the reference is copied; the request outlives the changes below.
    let text = text.clone();
    resource.matched += text.len();
    let Some(captures) = pattern.captures(&text) else {
        return;
    };
    for (index, name) in names.iter().enumerate() {
        // A group that did not match gives an empty text, as in the Collector.
        let range = captures.get(index + 1).map(|group| group.range()).unwrap_or_default();
        let part = match &text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
        };
        resource.set(name.as_str(), Value::String(part));
    }
}

#[cfg(test)]
mod tests;
