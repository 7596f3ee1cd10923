//! Which labels and annotations of pods a configuration can ask for: the directory keeps no others.
//!
//! That labels are used at all is the pipeline's to say; which of them, its rules tell.

use std::collections::BTreeSet;

use podstamp_core::directory::Details;
use serde_json::Value;

use crate::pods::{KeptKeys, Keys};

/// What the processors of `document` name, of the parts that the pipeline uses.
pub(super) fn kept_keys(document: &Value, used: Details) -> KeptKeys {
    let processors = document.get("processors").and_then(Value::as_object);
    let mut labels = Wanted::default();
    let mut annotations = Wanted::default();
    for processor in processors.into_iter().flat_map(|processors| processors.values()) {
        labels.add(processor.pointer("/extract/labels"));
        labels.add(processor.pointer("/filter/labels"));
        annotations.add(processor.pointer("/extract/annotations"));
    }
    KeptKeys {
        labels: if used.labels { labels.keys() } else { Keys::None },
        annotations: if used.annotations { annotations.keys() } else { Keys::None },
    }
}

#[derive(Default)]
struct Wanted {
    keys: BTreeSet<String>,
    /// A rule goes by pattern, and which keys that meets is the filter's to say.
    all: bool,
}

impl Wanted {
    fn add(&mut self, rules: Option<&Value>) {
        for rule in rules.and_then(Value::as_array).into_iter().flatten() {
            match rule.get("key").and_then(Value::as_str) {
                Some(key) => drop(self.keys.insert(key.to_owned())),
                None => self.all = true,
            }
        }
    }

    fn keys(self) -> Keys {
        match self {
            Self { all: true, .. } => Keys::All,
            Self { keys, .. } if keys.is_empty() => Keys::None,
            Self { keys, .. } => Keys::Only(keys),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_rule_names_is_kept() {
        let document = json!({"processors": {
            "resource": {"attributes": []},
            "k8sattributes": {
                "extract": {"labels": [{"key": "app"}], "annotations": [{"key_regex": "a.*"}]},
                "filter": {"labels": [{"key": "tier", "value": "web"}]},
            },
        }});
        let labels = ["app", "tier"].map(str::to_owned).into();
        let labels = Keys::Only(labels);
        let all = Details { labels: true, annotations: true };
        assert_eq!(kept_keys(&document, all), KeptKeys { labels: labels.clone(), annotations: Keys::All });
        let some = Details { labels: true, annotations: false };
        assert_eq!(kept_keys(&document, some), KeptKeys { labels, annotations: Keys::None });
        assert_eq!(kept_keys(&json!({"processors": {"k8sattributes": null}}), all), KeptKeys::default());
        assert_eq!(kept_keys(&json!(null), all), KeptKeys::default());
    }
}
