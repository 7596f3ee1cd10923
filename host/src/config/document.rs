//! Finds the Collector's configuration in a file: the file itself, or an entry of a ConfigMap in a manifest.

use podstamp_core::config::Fault;
use podstamp_core::interface::{Level, Notice};
use serde_json::{Map, Value};

use super::fault;
use super::yaml::{self, Document};

/// The configuration of a text, and what there is to say about it.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// The configuration.
    pub(super) document: Value,
    /// The place where it was found, if the text is more than the configuration.
    pub(super) notices: Vec<Notice>,
    /// Keys that stand twice.
    pub(super) faults: Vec<Fault>,
}

/// Finds the configuration in a text.
pub(super) fn find(text: &str) -> Result<Found, Vec<Fault>> {
    let (mut documents, mut faults, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for document in yaml::documents(text.trim_start_matches('\u{feff}')) {
        match document.value_and_repeated() {
            Ok((value, again)) => {
                documents.extend(flatten(value));
                repeated.extend(again.iter().map(|error| fault(error.to_string())));
            }
            Err(error) => faults.push(fault(error.to_string())),
        }
    }
    if !faults.is_empty() {
        repeated.extend(faults);
        return Err(repeated);
    }
    let is_plain = match documents.as_slice() {
        [document] => kind(document).is_none() && (is_configuration(document) || places(document).is_empty()),
        documents => documents.iter().all(|document| kind(document).is_none()),
    };
    let found = if is_plain { from_plain(documents) } else { from_manifest(&documents) };
    match found {
        Ok(mut found) => {
            repeated.append(&mut found.faults);
            Ok(Found { faults: repeated, ..found })
        }
        Err(fault) => {
            repeated.push(fault);
            Err(repeated)
        }
    }
}

fn from_plain(documents: Vec<Value>) -> Result<Found, Fault> {
    let count = documents.len();
    match <[Value; 1]>::try_from(documents) {
        Ok([document @ Value::Object(_)]) => Ok(Found { document, notices: Vec::new(), faults: Vec::new() }),
        Ok(_) => Err(fault(
            "is not a mapping: expected are the Collector's sections, such as processors and service",
        )),
        Err(_) if count == 0 => Err(fault("is empty: expected is a Collector's configuration")),
        Err(_) => Err(fault(format!("has {count} documents: leave only the Collector's configuration"))),
    }
}

/// The places in a document where a configuration may stand, as a text or a section.
fn places(document: &Value) -> Vec<(String, &Value)> {
    let entries = |of: &str| -> Vec<_> {
        let entries = document.get("data").and_then(Value::as_object).into_iter().flatten();
        entries.map(|(entry, value)| (format!("entry {entry} of {of}"), value)).collect()
    };
    let at = |pointer: &str, place: String| {
        document.pointer(pointer).map(|value| (place, value)).into_iter().collect()
    };
    match kind(document) {
        Some("ConfigMap") => entries(&format!("ConfigMap {}", name(document))),
        Some("OpenTelemetryCollector") => {
            at("/spec/config", format!("spec.config of OpenTelemetryCollector {}", name(document)))
        }
        Some(_) => Vec::new(),
        None if document.get("data").is_some() => entries("data"),
        // The values of the Collector's Helm chart.
        None => at("/config", "config of Helm values".to_owned()),
    }
}

fn from_manifest(documents: &[Value]) -> Result<Found, Fault> {
    let mut found = Vec::new();
    let mut broken = Vec::new();
    for (place, value) in documents.iter().flat_map(places) {
        let read = match value {
            Value::String(text) => Document::whole(text).value_and_repeated(),
            section => Ok((section.clone(), Vec::new())),
        };
        match read {
            Ok((value, repeated)) if is_configuration(&value) => found.push((place, value, repeated)),
            Err(error) => broken.push(format!("{place} is no YAML ({error})")),
            Ok(_) => {}
        }
    }
    if found.len() > 1 {
        let places: Vec<_> = found.into_iter().map(|(place, ..)| place).collect();
        return Err(fault(format!(
            "has more than one Collector's configuration: {}; leave only one of them in the file",
            places.join(", ")
        )));
    }
    let Some((place, document, repeated)) = found.pop() else {
        return Err(fault(nothing_found(documents, &broken)));
    };
    let faults = repeated.iter().map(|error| fault(format!("{place}, {error}"))).collect();
    let message = format!("the configuration was taken from {place}");
    Ok(Found {
        document,
        notices: vec![Notice { level: Level::Info, key: "config-from-manifest".into(), message }],
        faults,
    })
}

fn nothing_found(documents: &[Value], broken: &[String]) -> String {
    if broken.is_empty() {
        let kinds: Vec<_> = documents.iter().map(|document| kind(document).unwrap_or("no kind")).collect();
        format!("has no Collector's configuration; found were documents of {}", kinds.join(", "))
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

/// Whether a value has one of the Collector's sections. Other entries of a ConfigMap have none, even if they are YAML.
fn is_configuration(value: &Value) -> bool {
    ["receivers", "processors", "exporters", "service"].iter().any(|section| value.get(section).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../../../tests/fixtures/otel-agent-configmap.yaml");

    fn faults(text: &str) -> String {
        find(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_configuration_is_taken_out_of_a_complete_manifest() {
        let Found { document, notices, faults } = find(MANIFEST).unwrap();
        assert_eq!(faults, []);
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
        assert_eq!(find(&list).unwrap(), find(MANIFEST).unwrap());
        let mut config_map =
            documents.into_iter().find(|document| kind(document) == Some("ConfigMap")).unwrap();
        config_map.as_object_mut().unwrap().remove("kind");
        let list = serde_json::json!({"kind": "ConfigMapList", "items": [config_map]}).to_string();
        assert_eq!(find(&list).unwrap(), find(MANIFEST).unwrap());
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
            "has no Collector's configuration; found were documents of Namespace, ConfigMap"
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
        assert_eq!(
            first,
            "line 3, column 3: `resource` stands here again, after line 2, column 3: make one of them"
        );
        assert!(second.starts_with("line "), "{second}");
    }

    #[test]
    fn the_operators_resource_helm_values_and_bare_data_are_read() {
        let configuration = "processors: {resource: {attributes: []}}";
        let expected = serde_json::json!({"processors": {"resource": {"attributes": []}}});
        let operator =
            "kind: OpenTelemetryCollector\nmetadata: {name: c}\nspec:\n  mode: daemonset\n  config";
        for (text, place) in [
            (format!("{operator}:\n    {configuration}\n"), "spec.config of OpenTelemetryCollector c"),
            (format!("{operator}: |\n    {configuration}\n"), "spec.config of OpenTelemetryCollector c"),
            (format!("mode: daemonset\nconfig:\n  {configuration}\n"), "config of Helm values"),
            (format!("data:\n  relay: |\n    {configuration}\n"), "entry relay of data"),
        ] {
            let Found { document, notices, faults } = find(&text).unwrap();
            assert_eq!((document, faults), (expected.clone(), vec![]), "{text}");
            let messages: Vec<_> = notices.iter().map(|notice| notice.message.to_string()).collect();
            assert_eq!(messages, [format!("the configuration was taken from {place}")]);
        }
        // Beside the Collector's sections, such a key is not an envelope.
        assert_eq!(find("config: 1\nservice: {}\n").unwrap().notices, []);
    }

    #[test]
    fn a_key_that_stands_twice_is_told_and_hides_nothing() {
        let found = find("processors: {a: 1}\nservice: {}\nprocessors: {b: 2}\n").unwrap();
        assert_eq!(found.document, serde_json::json!({"processors": {"a": 1, "b": 2}, "service": {}}));
        let told = "`processors` stands here again, after line 1, column 1: make one of them";
        assert_eq!(found.faults, [fault(format!("line 3, column 1: {told}"))]);
        let found = find("data:\n  a: |\n    processors: {}\n    processors: {}\n").unwrap();
        let told = "`processors` stands here again, after line 1, column 1: make one of them";
        assert_eq!(found.faults, [fault(format!("entry a of data, line 2, column 1: {told}"))]);
    }
}
