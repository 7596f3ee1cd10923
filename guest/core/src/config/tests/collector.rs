//! Each key that the Collector's components have.

use serde_json::{Value, json};

use super::{faults, notices, simple};
use crate::config::collector::component::Kind;
use crate::config::collector::keys;

/// The simple configuration with a component's settings put in.
fn with(kind: Kind, settings: Value) -> Value {
    let mut document = simple();
    document["receivers"] = json!({"otlp": {"protocols": {"http": null, "grpc": null}}});
    document["service"]["pipelines"]["traces"]["receivers"] = json!(["otlp"]);
    let url = document["exporters"]["otlphttp"]["traces_endpoint"].clone();
    let stamp = document["processors"]["resource"]["attributes"].clone();
    match kind {
        Kind::Extension => {
            document["extensions"] = json!({"bearertokenauth": settings});
            document["service"]["extensions"] = json!(["bearertokenauth"]);
        }
        Kind::Receiver => document["receivers"]["otlp"] = settings,
        Kind::Exporter => {
            document["exporters"]["otlphttp"] = settings;
            document["exporters"]["otlphttp"]["traces_endpoint"] = url;
        }
        _ if settings.get("attributes").is_some() => {
            document["processors"]["resource"] = settings;
            document["processors"]["resource"]["attributes"] = stamp;
        }
        _ => document["processors"]["k8sattributes"] = settings,
    }
    document
}

const TYPES: [(Kind, &str); 5] = [
    (Kind::Receiver, "otlp"),
    (Kind::Processor, "k8s_attributes"),
    (Kind::Processor, "resource"),
    (Kind::Exporter, "otlp_http"),
    (Kind::Extension, "bearertokenauth"),
];

/// Lists of sections show their keys only.
fn without_samples(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(without_samples),
        Value::Array(items) if items.iter().any(Value::is_object) => items.clear(),
        _ => {}
    }
}

#[test]
fn a_component_with_all_its_keys_as_they_are_by_default_is_as_one_without() {
    for (kind, name) in TYPES {
        let mut settings = keys(kind, name).unwrap().clone();
        without_samples(&mut settings);
        // Protection that is there and says nothing is at fault: nobody is to go without it unknowingly.
        for protocol in ["grpc", "http"] {
            if let Some(protocol) = settings.pointer_mut(&format!("/protocols/{protocol}")) {
                protocol["tls"] = json!(null);
                protocol["auth"] = json!(null);
            }
        }
        if kind == Kind::Exporter {
            settings["auth"] = json!(null);
        }
        let document = with(kind, settings.clone());
        assert_eq!(faults(&document), [""; 0], "{name}");
        let usual = notices(&with(
            kind,
            if kind == Kind::Receiver { json!({"protocols": {"http": null}}) } else { json!({}) },
        ));
        assert_eq!(notices(&document), usual, "{name}");
    }
}

/// Calls `visit` with the settings once for each key in them, that key set to `value`.
fn each_key(settings: &Value, value: &Value, visit: &mut impl FnMut(&str, Value)) {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                found.push(format!("{path}/{key}"));
                paths(value, &format!("{path}/{key}"), found);
            }),
            Value::Array(items) => {
                items.first().into_iter().for_each(|item| paths(item, &format!("{path}/0"), found))
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(settings, "", &mut found);
    for path in found {
        let mut changed = settings.clone();
        *changed.pointer_mut(&path).unwrap() = value.clone();
        visit(&path, changed);
    }
}

#[test]
fn every_key_that_the_collector_has_is_known() {
    let mut count = 0;
    for (kind, name) in TYPES {
        for value in [json!("something"), json!(77), json!({"x": [1]})] {
            each_key(keys(kind, name).unwrap(), &value, &mut |path, settings| {
                count += 1;
                let found = faults(&with(kind, settings));
                let key = path.rsplit('/').next().unwrap();
                let unknown = found.iter().any(|fault| fault.contains(&format!("{key}: unknown key")));
                assert!(!unknown, "{name} {path} {found:?}");
            });
        }
    }
    assert!(count > 400, "{count}");
}
