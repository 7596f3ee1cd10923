//! The keys of the components that podstamp reads, with their defaults, as the Collector's own modules have them.
//!
//! `collector.json` is what `tests/e2e/collector/keys` prints.

pub(crate) mod component;

use std::sync::OnceLock;

use serde_json::Value;

use component::{Kind, same};

/// The keys of a type of component.
pub(crate) fn keys(kind: Kind, type_name: &str) -> Option<&'static Value> {
    let types = all().get(kind.section())?.as_object()?;
    types.iter().find(|(known, _)| same(known, type_name)).map(|(_, keys)| keys)
}

/// `service.telemetry`.
pub(crate) fn telemetry() -> Option<&'static Value> {
    all().get("telemetry")
}

fn all() -> &'static Value {
    static ALL: OnceLock<Value> = OnceLock::new();
    ALL.get_or_init(|| serde_json::from_str(include_str!("collector.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_that_podstamp_has_and_the_modules_were_asked_for_are_there() {
        for (kind, name) in [
            (Kind::Receiver, "otlp"),
            (Kind::Processor, "k8sattributes"),
            (Kind::Processor, "k8s_attributes"),
            (Kind::Processor, "resource"),
            (Kind::Exporter, "otlphttp"),
            (Kind::Extension, "bearertokenauth"),
        ] {
            assert!(keys(kind, name).is_some_and(Value::is_object), "{name}");
        }
        assert!(telemetry().is_some());
        assert_eq!(keys(Kind::Receiver, "jaeger"), None);
    }
}
