//! The chart's values: the schema refuses what is wrong, and the README has each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podstamp_core::config::{self, Console};
use serde_json::Value;

use super::{CASES, Helm, chart, check_configurations, documents, examples, name, of_kind, text, values};

/// Values that are wrong, and what is said of them.
const REFUSED: &[(&str, &str)] = &[
    ("moed=agent", "additional properties 'moed' not allowed"),
    ("mode=agents", "'agent', 'gateway', 'both'"),
    ("agent.hostport.enabled=true", "at '/agent': additional properties 'hostport' not allowed"),
    ("config.processor.batch.timeout=1s", "at '/config': additional properties 'processor' not allowed"),
    ("gateway.service.type=External", "'ClusterIP', 'NodePort', 'LoadBalancer'"),
    ("gateway.service.nodePorts.grpc=4317", "at '/gateway/service/nodePorts/grpc'"),
    ("drain.delaySeconds=-1", "at '/drain/delaySeconds'"),
    ("drain.delaySeconds=25", "drain.delaySeconds has to be less than drain.timeoutSeconds"),
    ("agent.resources.limits.memory=lots", "'lots' does not match"),
    ("agent.resources.limit.memory=1Gi", "additional properties 'limit' not allowed"),
    ("deepflow.url=deepflow-agent", "at '/deepflow/url'"),
    ("deepflow.url=http://deepflow-agent/api/v1/otel/trace", "at '/deepflow/url'"),
    ("deepflow.nodeLocal.port=0", "at '/deepflow/nodeLocal/port'"),
    ("agent.pods=kubernetes", "'node', 'cluster', 'central'"),
    ("gateway.pods=node", "'cluster', 'central'"),
    ("listen=127.0.0.1", "at '/listen'"),
    ("image.digest=sha256:1", "at '/image/digest'"),
    ("console.traceLink=javascript:alert", "at '/console/traceLink'"),
    ("serviceMonitor.interval=often", "at '/serviceMonitor/interval'"),
];

#[test]
fn unknown_and_wrong_values_are_refused_by_name() {
    let Some(helm) = Helm::new() else { return };
    for (value, expected) in REFUSED {
        let output = helm.template(&[], &[value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{value}: {said}");
    }
    // Helm hands these to every chart that another one contains.
    text(helm.template(&[], &["global.region=north"]));
}

#[test]
fn helm_has_nothing_to_say_against_the_chart() {
    let Some(helm) = Helm::new() else { return };
    for case in CASES {
        let output =
            helm.command().args(["lint", "--strict"]).arg(chart()).arg("--values").arg(values(case)).output();
        text(output.unwrap());
    }
}

#[test]
fn the_chart_has_the_version_of_podstamp() {
    let chart: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(
        (&chart["version"], &chart["appVersion"]),
        (&env!("CARGO_PKG_VERSION").into(), &env!("CARGO_PKG_VERSION").into())
    );
}

/// Values that documents show as examples: blocks of YAML whose keys are all values.
#[test]
fn values_in_documents_are_taken_and_make_configurations_that_podstamp_takes() {
    let Some(helm) = Helm::new() else { return };
    let defaults = defaults();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("values.yaml");
    let mut count = 0;
    for document in [examples().join("../../docs/kubernetes.md"), chart().join("README.md")] {
        let markdown = fs::read_to_string(&document).unwrap();
        for block in markdown.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let read: Value = serde_saphyr::from_str(block).unwrap();
            if read.as_object().unwrap().keys().all(|key| defaults.get(key).is_some()) {
                count += 1;
                fs::write(&file, block).unwrap();
                let rendered = text(helm.template(std::slice::from_ref(&file), &[]));
                check_configurations(block, &documents(&rendered));
            }
        }
    }
    assert!(count >= 4, "only {count} examples were found");
}

#[test]
fn the_console_is_off_unless_it_is_asked_for() {
    let Some(helm) = Helm::new() else { return };
    let all_are = |set: &[&str], expected: Option<Console>| {
        let rendered = documents(&text(helm.template(&[values("both")], set)));
        let maps = of_kind(&rendered, "ConfigMap");
        let console = |map: &&Value| {
            let document = map["data"]["podstamp.yaml"].as_str().unwrap();
            let loaded = podstamp::config::parse(document, &|_| Some("node-1".to_owned())).unwrap();
            config::parse(&loaded.document).unwrap().admin.unwrap().console
        };
        assert!(!maps.is_empty());
        for map in &maps {
            assert_eq!(console(map), expected, "{set:?}, {}", name(map));
        }
    };
    all_are(&[], None);
    all_are(&["console.payloads=true"], None);
    all_are(&["console.enabled=true"], Some(Console::default()));
    let link = "https://grafana.example.com/explore?trace={trace_id}";
    let elsewhere = format!("console.traceLink={link}");
    let set = ["console.enabled=true", "console.payloads=true", &elsewhere];
    all_are(&set, Some(Console { payloads: true, trace_link: Some(link.to_owned()) }));
}

fn defaults() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

/// Each value by its path, with its default. What users fill with what they like is one value.
fn leaves(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !is_whole(&path) => {
            for (key, value) in fields {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(below, value, found);
            }
        }
        value => drop(found.insert(path, value.to_string())),
    }
}

fn is_whole(path: &str) -> bool {
    ["resources", "selector"].contains(&path.rsplit('.').next().unwrap())
}

/// `agent.x`, `gateway.x` stand in one row where they say the same.
#[test]
fn the_readme_has_every_value_with_its_default() {
    let defaults: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let mut expected = BTreeMap::new();
    leaves(String::new(), &defaults, &mut expected);
    let readme = fs::read_to_string(chart().join("README.md")).unwrap();
    let mut documented = BTreeSet::new();
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [paths, default, meaning] = cells[..] else { panic!("{row}") };
        assert!(!meaning.trim().is_empty(), "{row}");
        for path in paths.split(", ").map(|path| path.trim_matches('`')) {
            assert!(documented.insert(path.to_owned()), "{path} stands there twice");
            let Some(expected) = expected.get(path) else { panic!("there is no value {path}") };
            if default != "see `values.yaml`" {
                let default: Value = serde_json::from_str(default.trim_matches('`')).unwrap_or(Value::Null);
                assert_eq!(default.to_string(), *expected, "{path}");
            }
        }
    }
    let missing: Vec<_> = expected.keys().filter(|path| !documented.contains(*path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
