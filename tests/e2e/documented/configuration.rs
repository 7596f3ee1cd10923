//! The examples of `docs/configuration.md`, read as `podstamp serve` reads its file. Which keys there are is held against the
//! page beside their readers, in core.

use podstamp::config::{Loaded, parse};
use podstamp_core::config::{self, DEFAULT_DOCUMENT};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

/// The blocks of YAML, each with the heading that it stands below.
fn examples() -> Vec<(&'static str, &'static str)> {
    let mut heading = "";
    let mut found = Vec::new();
    for (index, part) in DOCUMENT.split("```").enumerate() {
        match part.strip_prefix("yaml\n") {
            Some(example) if index % 2 == 1 => found.push((heading, example)),
            _ if index % 2 == 0 => {
                heading = part.lines().rfind(|line| line.starts_with('#')).unwrap_or(heading)
            }
            _ => {}
        }
    }
    found
}

/// A document whose pipeline runs all components that `example` has, which may be a part of one.
fn completed(mut example: Value) -> Value {
    let usual: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
    if example.pointer("/service/pipelines").is_some() {
        return example;
    }
    for section in ["processors", "exporters"] {
        if example.get(section).is_none() {
            example[section] = usual[section].clone();
        }
    }
    let ids = |section: &str| -> Vec<String> {
        example
            .get(section)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect()
    };
    let pipeline = json!({
        "receivers": ids("receivers"), "processors": ids("processors"), "exporters": ids("exporters"),
    });
    let extensions = ids("extensions");
    example["service"] = json!({"extensions": extensions, "pipelines": {"traces": pipeline}});
    example
}

#[test]
fn every_example_of_a_configuration_is_read_without_a_fault() {
    let environment = |name: &str| (name == "NODE_IP").then(|| "10.0.0.1".to_owned());
    let examples = examples();
    assert!(examples.len() > 10, "{}", examples.len());
    for (heading, example) in examples {
        let Loaded { document, unresolved, .. } = match parse(example, &environment) {
            Ok(loaded) => loaded,
            Err(faults) => panic!("{heading}: {faults:#?}"),
        };
        let document = completed(document);
        assert_eq!(unresolved.refuse(&document), Ok(()), "{heading}");
        assert_eq!(config::parse(&document).err(), None, "{heading}");
    }
}
