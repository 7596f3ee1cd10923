//! The keys of the components that podstamp reads, with their defaults, as the Collector's own modules have them.
//!
//! `collector.json` is what `tests/e2e/collector/keys` prints.

pub(crate) mod component;

use std::sync::OnceLock;

use serde_json::Value;

use crate::config::document::read_json;
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
    ALL.get_or_init(|| {
        let text = str::from_utf8(&COMPACT).unwrap_or_default();
        read_json(text).unwrap_or_default()
    })
}

/// JSON without the white space around its values, and its length: the module for proxies has no room for more.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const fn compact<const LENGTH: usize>(text: &str) -> ([u8; LENGTH], usize) {
    let (mut compact, mut length) = ([0; LENGTH], 0);
    let (mut rest, mut is_text) = (text.as_bytes(), false);
    while let [byte, after @ ..] = rest {
        // No key and no default has a quote in it.
        is_text ^= *byte == b'"';
        if is_text || !byte.is_ascii_whitespace() {
            compact[length] = *byte;
            length += 1;
        }
        rest = after;
    }
    (compact, length)
}

const KEYS: &str = include_str!("collector.json");
const LENGTH: usize = compact::<{ KEYS.len() }>(KEYS).1;
static COMPACT: [u8; LENGTH] = compact(KEYS).0;

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
            (Kind::Processor, "batch"),
            (Kind::Processor, "memory_limiter"),
            (Kind::Exporter, "otlphttp"),
            (Kind::Extension, "bearertokenauth"),
        ] {
            assert!(keys(kind, name).is_some_and(Value::is_object), "{name}");
        }
        assert!(telemetry().is_some());
        assert_eq!(keys(Kind::Receiver, "jaeger"), None);
        assert_eq!(all(), &serde_json::from_str::<Value>(KEYS).unwrap());
    }
}
