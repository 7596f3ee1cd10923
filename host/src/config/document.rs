//! Finds the Collector's configuration in a file: the file itself, or an entry of a ConfigMap in a manifest.

use podstamp_core::config::Fault;
use podstamp_core::exchange::{Level, Notice};
use serde_json::{Map, Value};

use super::fault;
use crate::yaml::{self, Document};

/// The configuration in a text, and where it was found if that is not plain.
pub(super) fn read(text: &str) -> Result<(Value, Vec<Notice>), Vec<Fault>> {
    let mut documents = Vec::new();
    let mut faults = Vec::new();
    for document in yaml::documents(text.trim_start_matches('\u{feff}')) {
        match document.value() {
            Ok(value) => documents.extend(flatten(value)),
            Err(error) => faults.push(fault(error.to_string())),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let found = match documents.iter().any(|document| kind(document).is_some()) {
        true => from_manifest(&documents),
        false => from_plain(documents),
    };
    found.map_err(|fault| vec![fault])
}

fn from_plain(documents: Vec<Value>) -> Result<(Value, Vec<Notice>), Fault> {
    let count = documents.len();
    match <[Value; 1]>::try_from(documents) {
        Ok([document @ Value::Object(_)]) => Ok((document, Vec::new())),
        Ok(_) => Err(fault(
            "is not a mapping: expected are the Collector's sections, such as processors and service",
        )),
        Err(_) if count == 0 => Err(fault("is empty: expected is a Collector's configuration")),
        Err(_) => Err(fault(format!("has {count} documents: leave only the Collector's configuration"))),
    }
}

fn from_manifest(documents: &[Value]) -> Result<(Value, Vec<Notice>), Fault> {
    let mut found = Vec::new();
    let mut broken = Vec::new();
    for config_map in documents.iter().filter(|document| kind(document) == Some("ConfigMap")) {
        for (entry, text) in config_map.get("data").and_then(Value::as_object).into_iter().flatten() {
            let place = format!("entry {entry} of ConfigMap {}", name(config_map));
            match text.as_str().map(|text| Document::whole(text).value()) {
                Some(Ok(value)) if is_configuration(&value) => found.push((place, value)),
                Some(Err(error)) => broken.push(format!("{place} is no YAML ({error})")),
                _ => {}
            }
        }
    }
    if found.len() > 1 {
        let places: Vec<_> = found.into_iter().map(|(place, _)| place).collect();
        return Err(fault(format!(
            "has more than one Collector's configuration: {}; leave only one of them in the file",
            places.join(", ")
        )));
    }
    let Some((place, document)) = found.pop() else { return Err(fault(nothing_found(documents, &broken))) };
    let message = format!("the configuration was taken from {place}");
    Ok((document, vec![Notice { level: Level::Info, key: "config-from-configmap".into(), message }]))
}

fn nothing_found(documents: &[Value], broken: &[String]) -> String {
    if broken.is_empty() {
        let kinds: Vec<_> = documents.iter().map(|document| kind(document).unwrap_or("no kind")).collect();
        format!(
            "has no ConfigMap with a Collector's configuration; found were documents of {}",
            kinds.join(", ")
        )
    } else {
        format!(
            "has no usable Collector's configuration: {}; lines count from the entry's first",
            broken.join(", ")
        )
    }
}

/// The documents in a document: `kubectl get -o yaml` prints several things as a list.
fn flatten(document: Value) -> Vec<Value> {
    match document {
        Value::Object(mut list) if is_list(&list) => match list.remove("items") {
            Some(Value::Array(mut items)) => {
                // Items of a ConfigMapList may lack a kind.
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    item.entry("kind").or_insert_with(|| "ConfigMap".into());
                }
                items
            }
            _ => Vec::new(),
        },
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

fn is_list(document: &Map<String, Value>) -> bool {
    matches!(document.get("kind").and_then(Value::as_str), Some("List" | "ConfigMapList"))
}

fn kind(document: &Value) -> Option<&str> {
    document.get("kind").and_then(Value::as_str)
}

fn name(config_map: &Value) -> String {
    let text =
        |key| config_map.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Value::as_str);
    match (text("namespace"), text("name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (_, None) => "without a name".to_owned(),
    }
}

/// Other entries of a ConfigMap, even if they are YAML, have none of the Collector's sections.
fn is_configuration(value: &Value) -> bool {
    ["receivers", "processors", "exporters", "service"].iter().any(|section| value.get(section).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../../../tests/fixtures/otel-agent-configmap.yaml");

    fn faults(text: &str) -> String {
        read(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_configuration_is_taken_out_of_a_complete_manifest() {
        let (document, notices) = read(MANIFEST).unwrap();
        let pipeline = &document["service"]["pipelines"]["traces"]["processors"];
        assert_eq!(*pipeline, serde_json::json!(["k8sattributes", "resource", "memory_limiter", "batch"]));
        assert_eq!(document["processors"]["memory_limiter"]["check_interval"], "5s");
        assert_eq!(document["extensions"]["memory_ballast"]["size_mib"], 165);
        let messages: Vec<_> = notices.iter().map(|notice| notice.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the configuration was taken from entry otel-agent-config of ConfigMap open-telemetry/otel-agent-conf"
            ]
        );
    }

    #[test]
    fn a_list_as_kubectl_prints_it_and_json_do_as_well() {
        let documents: Vec<_> =
            yaml::documents(MANIFEST).into_iter().map(|document| document.value().unwrap()).collect();
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string();
        assert_eq!(read(&list).unwrap(), read(MANIFEST).unwrap());
        let mut config_map =
            documents.into_iter().find(|document| kind(document) == Some("ConfigMap")).unwrap();
        config_map.as_object_mut().unwrap().remove("kind");
        let list = serde_json::json!({"kind": "ConfigMapList", "items": [config_map]}).to_string();
        assert_eq!(read(&list).unwrap(), read(MANIFEST).unwrap());
    }

    #[test]
    fn a_manifest_with_no_or_several_configurations_says_what_it_has() {
        let twice = MANIFEST.to_owned() + "\n---\n" + &MANIFEST.replace("otel-agent", "otel-collector");
        assert_eq!(
            faults(&twice),
            "has more than one Collector's configuration: entry otel-agent-config of ConfigMap \
             open-telemetry/otel-agent-conf, entry otel-collector-config of ConfigMap \
             open-telemetry/otel-collector-conf; leave only one of them in the file"
        );
        assert_eq!(
            faults("kind: Namespace\n---\nkind: ConfigMap\ndata: {app.yaml: \"color: blue\", n: 5}\n"),
            "has no ConfigMap with a Collector's configuration; found were documents of Namespace, ConfigMap"
        );
        let broken =
            faults("kind: ConfigMap\nmetadata: {name: c}\ndata:\n  conf: |\n    receivers:\n      a: [\n");
        assert!(broken.contains("entry conf of ConfigMap c is no YAML (line "), "{broken}");
    }

    #[test]
    fn other_documents_are_faults() {
        assert_eq!(faults("# nothing\n"), "is empty: expected is a Collector's configuration");
        assert_eq!(
            faults("- a\n"),
            "is not a mapping: expected are the Collector's sections, such as processors and service"
        );
        assert_eq!(faults("a: 1\n---\nb: 1\n"), "has 2 documents: leave only the Collector's configuration");
    }

    #[test]
    fn every_syntax_fault_is_reported_with_its_line() {
        let text = "processors:\n  resource: {}\n  resource: {}\n---\na: [\n---\nb: 1\n";
        let (first, second) =
            faults(text).split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(first.starts_with("line 3, column 3: duplicate"), "{first}");
        assert!(second.starts_with("line "), "{second}");
    }
}
