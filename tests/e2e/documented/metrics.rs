//! `docs/metrics.md` against what a server shows, and what the module in Envoy has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use podstamp_test_support::blocking::http::{export, get};
use podstamp_test_support::kubernetes::ScriptedApi;
use podstamp_test_support::spans;
use tempfile::TempDir;

use super::PODS;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

const DOCUMENT: &str = include_str!("../../../docs/metrics.md");

/// What stands behind it is about the module.
const ENVOY: &str = "## In Envoy";

/// Labels with the values that they have.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A metric, as it is shown or documented.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    unit: Option<String>,
    labels: Labels,
}

/// What servers show that have all that makes a metric: pods of a file and of the Kubernetes API, a copy, a queue, and a request.
fn shown() -> BTreeMap<String, Metric> {
    let mut shown = metrics_with_file();
    shown.extend(metrics_with_queue());
    let (agent, api) = (FakeAgent::start(), ScriptedApi::serve(&[]));
    let served = Setup::load_balancer(&agent.url()).kube_config(&api.config()).serve();
    for (name, metric) in metrics(&served) {
        shown.entry(name).or_insert(metric);
    }
    shown
}

fn metrics_with_file() -> BTreeMap<String, Metric> {
    let (agent, canary) = (FakeAgent::start(), FakeAgent::start());
    let mut setup = Setup::load_balancer(&agent.url()).pods(spans::pods(&PODS));
    let exporters = "    traces:\n      exporters: [otlphttp, otlphttp/canary]\n";
    setup.config = setup.config.replace("    traces:\n", exporters);
    setup.config.push_str(&format!("  otlphttp/canary:\n    traces_endpoint: {}\n", canary.url()));
    let served = setup.serve();
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    wait_until("the request counts", || served.metric("podstamp_signal_requests_total", &[]) == 1.0);
    metrics(&served)
}

/// Those that come with a queue on disk and with a limit of memory.
fn metrics_with_queue() -> BTreeMap<String, Metric> {
    let (agent, folder) = (FakeAgent::start(), TempDir::new().unwrap());
    let mut setup = Setup::load_balancer(&agent.url()).pods(spans::pods(&PODS));
    setup.config = setup
        .config
        .replace(
            "processors:\n  resource/pre",
            "processors:\n  memory_limiter: {check_interval: 1s, limit_mib: 100000}\n  resource/pre",
        )
        .replace("        - resource/pre", "        - memory_limiter\n        - resource/pre")
        .replace("service:\n", "service:\n  extensions: [file_storage]\n");
    setup.config.push_str(&format!(
        "    sending_queue: {{storage: file_storage}}\nextensions:\n  file_storage: {{directory: {}}}\n",
        folder.path().display()
    ));
    let mut metrics = metrics(&setup.serve());
    metrics.retain(|name, _| name.contains("_queue_") || name.contains("_memory_"));
    metrics
}

fn metrics(served: &Served) -> BTreeMap<String, Metric> {
    let (status, text) = get(served.admin, "/metrics");
    assert_eq!(status, 200);
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let full = match kind {
                "counter" => format!("{name}_total"),
                "info" => format!("{name}_info"),
                _ => name.to_owned(),
            };
            metrics.entry(full.clone()).or_default().kind = kind.to_owned();
            names.insert(name, full);
        } else if let Some((name, unit)) = line.strip_prefix("# UNIT ").and_then(|rest| rest.split_once(' '))
        {
            metrics.get_mut(&names[name]).unwrap().unit = Some(unit.to_owned());
        } else if let Some((name, rest)) = line.split_once('{') {
            let (labels, _) = rest.split_once('}').unwrap();
            let Some(metric) = metrics.get_mut(name) else {
                assert!(name.ends_with("_bucket"), "{line}");
                continue;
            };
            for (label, value) in labels.split(',').map(|label| label.split_once('=').unwrap()) {
                let values = metric.labels.entry(label.to_owned()).or_default();
                values.insert(value.trim_matches('"').to_owned());
            }
        }
    }
    metrics
}

/// The words that stand in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Rows of tables that begin with a metric, by its name; labels without their values.
fn rows(text: &str) -> BTreeMap<String, Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `podstamp_"));
    let cells = rows.map(|row| row.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.map(|cells| (cells[0].trim_matches('`').to_owned(), cells)).collect()
}

/// Values of labels, by metric and label, as their sections list them.
fn values() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut values: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for section in DOCUMENT.split("\n### ").skip(1) {
        let (title, text) = section.split_once('\n').unwrap();
        let text = text.split("\n## ").next().unwrap();
        let (label, metrics) = title.split_once(" of ").unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let listed: BTreeSet<_> = rows.map(str::to_owned).collect();
        for metric in quoted(metrics) {
            let key = (metric.to_owned(), label.trim_matches('`').to_owned());
            assert_eq!(values.insert(key, listed.clone()), None, "{title}");
        }
    }
    values
}

fn documented() -> BTreeMap<String, Metric> {
    let (host, _) = DOCUMENT.split_once(ENVOY).unwrap();
    let values = values();
    let metric = |(name, cells): (String, Vec<String>)| {
        let [_, kind, unit, labels, ..] = cells.as_slice() else { panic!("{cells:?}") };
        let labels = quoted(labels).map(|label| {
            let key = (name.clone(), label.to_owned());
            (label.to_owned(), values.get(&key).unwrap_or_else(|| panic!("{key:?} has no section")).clone())
        });
        let labels = labels.collect();
        (name, Metric { kind: kind.clone(), unit: Some(unit.clone()), labels })
    };
    rows(host).into_iter().map(metric).collect()
}

#[test]
fn each_metric_is_documented_with_its_type_its_unit_and_its_labels_and_no_other_is() {
    let (shown, documented) = (shown(), documented());
    let names = |of: &BTreeMap<String, Metric>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&documented));
    let sections: BTreeSet<_> = values().into_keys().collect();
    let labelled = |(name, metric): (&String, &Metric)| {
        metric.labels.keys().map(|label| (name.clone(), label.clone())).collect::<Vec<_>>()
    };
    assert_eq!(documented.iter().flat_map(labelled).collect::<BTreeSet<_>>(), sections);
    for (name, metric) in &shown {
        let described = &documented[name];
        assert_eq!(metric.kind, described.kind, "{name}");
        if metric.unit.is_some() {
            assert_eq!(metric.unit, described.unit, "{name}");
        }
        assert!(metric.labels.keys().eq(described.labels.keys()), "{name}: {metric:?} {described:?}");
        for (label, values) in &metric.labels {
            let listed = &described.labels[label];
            match label.as_str() {
                // Whatever the configuration, the upstream or the build says.
                "upstream" | "code" | "version" => assert!(listed.is_empty(), "{name}: {label}"),
                // These are there once they are counted.
                "signal" => assert!(values.is_subset(listed), "{name}: {label}"),
                "outcome" if name.contains("requests_total") && !name.contains("copied") => {
                    assert!(values.is_subset(listed), "{name}: {label}");
                }
                _ => assert_eq!(values, listed, "{name}: {label}"),
            }
        }
    }
}

/// Metrics that a query names, each with the conditions on its labels.
fn selectors(query: &str) -> Vec<(&str, &str)> {
    let starts = query.match_indices("podstamp_").filter(|(at, _)| {
        !query[..*at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_')
    });
    let selector = |(at, _): (usize, &str)| {
        let rest = &query[at..];
        let end = rest.find(|next: char| !next.is_ascii_lowercase() && next != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let conditions = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        (name, conditions)
    };
    starts.map(selector).collect()
}

#[test]
fn queries_use_metrics_and_labels_that_exist() {
    let documented = documented();
    let (host, envoy) = DOCUMENT.split_once(ENVOY).unwrap();
    let module = rows(envoy);
    let mut queries = 0;
    for (of_envoy, text) in [(false, host), (true, envoy)] {
        for (name, conditions) in quoted(text).flat_map(selectors) {
            // Regular expressions of tags begin with the prefix; without tags a label is in the name.
            if of_envoy && ["podstamp_", "podstamp_spans_total_outcome_accepted"].contains(&name) {
                continue;
            }
            let base = name.strip_suffix("_bucket").unwrap_or(name);
            let metric = documented.get(base).filter(|metric| base == name || metric.kind == "histogram");
            assert!(metric.is_some() || of_envoy && module.contains_key(name), "{name} does not exist");
            for condition in conditions.split(',').filter(|condition| !condition.is_empty()) {
                let (label, value) = condition.split_once('=').unwrap();
                let value = value.trim_matches('"');
                let listed = metric.and_then(|metric| metric.labels.get(label.trim_end_matches('!')));
                assert!(listed.is_some_and(|listed| listed.contains(value)), "{name}{{{conditions}}}");
                queries += 1;
            }
        }
    }
    assert!(queries > 5, "{queries}");
}

/// Names of metrics in the module's source, but for its tests.
fn in_source(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("test")) {
            continue;
        }
        if path.is_dir() {
            in_source(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("\"podstamp_") {
            let name = text[at + 1..].split(|next: char| !next.is_ascii_lowercase() && next != '_').next();
            found.insert(name.unwrap().to_owned());
        }
    }
}

#[test]
fn each_metric_of_the_module_in_envoy_is_documented_and_no_other() {
    let mut found = BTreeSet::new();
    in_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/proxy-wasm/src"), &mut found);
    let (_, envoy) = DOCUMENT.split_once(ENVOY).unwrap();
    let listed = rows(envoy);
    assert_eq!(listed.keys().cloned().collect::<BTreeSet<_>>(), found);
    let host = documented();
    for (name, cells) in listed {
        let Some(metric) = host.get(&name) else { continue };
        assert_eq!(cells[1], metric.kind, "{name}");
        for label in quoted(&cells[2]) {
            assert!(metric.labels.contains_key(label), "{name}: {label}");
        }
    }
}
