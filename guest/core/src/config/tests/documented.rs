//! `docs/configuration.md` against the keys that are read, and their defaults.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::document::Findings;
use crate::config::reading::read_document;

/// A document that has every section of what podstamp reads.
fn everything() -> Value {
    let tls = json!({"cert_file": "/tls.crt", "key_file": "/tls.key"});
    let auth = json!({"authenticator": "bearertokenauth"});
    json!({
        "receivers": {"otlp": {"protocols": {
            "http": {"tls": tls, "auth": auth, "cors": {"allowed_origins": ["*"]}},
            "grpc": {"tls": tls, "auth": {"authenticator": "basicauth"}},
        }}},
        "processors": {
            "resource": {"attributes": [{"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"}]},
            "k8sattributes": {
                "extract": {
                    "metadata": ["k8s.pod.ip"], "labels": [{"key": "app"}], "annotations": [{"key": "app"}],
                },
                "filter": {"fields": [{"key": "status.phase"}], "labels": [{"key": "app"}]},
                "exclude": {"pods": [{"name": "jaeger"}]},
                "pod_association": [{"sources": [{"from": "connection"}]}],
            },
            "batch": {},
            "memory_limiter": {"check_interval": "1s", "limit_mib": 512},
        },
        "exporters": {
            "otlphttp": {
                "traces_endpoint": "http://127.0.0.1:38086/api/v1/otel/trace",
                "metrics_endpoint": "http://127.0.0.1:4318/v1/metrics",
                "logs_endpoint": "http://127.0.0.1:4318/v1/logs",
                "auth": {"authenticator": "basicauth/upstream"},
                "sending_queue": {"batch": {"sizer": "items"}},
            },
            "otlphttp/kept": {
                "traces_endpoint": "http://127.0.0.1:38087/api/v1/otel/trace",
                "sending_queue": {"storage": "file_storage"},
            },
        },
        "extensions": {
            "bearertokenauth": {"token": "t"},
            "basicauth": {"htpasswd": {"inline": "user:x"}},
            "basicauth/upstream": {"client_auth": {"username": "user", "password": "x"}},
            "file_storage": {},
        },
        "service": {
            "extensions": ["bearertokenauth", "basicauth", "basicauth/upstream", "file_storage"],
            "pipelines": {"traces": {
                "receivers": ["otlp"],
                "processors": ["memory_limiter", "k8sattributes", "resource", "batch"],
                "exporters": ["otlphttp", "otlphttp/kept"],
            }},
        },
        "podstamp": {
            "proxy_wasm": {"pods": {"cluster": "podstamp"}},
            "admin": {"console": {"trace_link": "https://grafana/{trace_id}"}, "auth": auth},
            "pods": {"from": "https://podstamp-pods:8888", "auth": {"authenticator": "basicauth/upstream"}},
        },
    })
}

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// Keys by the path of their section. Of a list all items are `[]`, and of a component all names are its type.
type Keys = BTreeMap<String, BTreeSet<String>>;

/// A row about keys, with the paths of their sections.
struct Row {
    sections: Vec<String>,
    keys: Vec<String>,
    default: Option<String>,
    /// The first cell of the table's head.
    table: String,
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The page's headings with paths, and the rows of its tables of keys.
fn page() -> (Vec<String>, Vec<Row>) {
    let (mut headings, mut rows) = (Vec::new(), Vec::new());
    let (mut sections, mut table) = (vec![String::new()], None);
    for line in PAGE.lines() {
        if line.starts_with('#') {
            sections = quoted(line);
            headings.extend(sections.clone());
        }
        let cells: Vec<_> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        match cells.as_slice() {
            _ if !line.starts_with('|') => table = None,
            [first, ..] if first.starts_with("---") => {}
            [first, ..] if table.is_none() => table = Some((*first).to_owned()),
            [keys, rest @ ..] => {
                let table = table.clone().unwrap_or_default();
                let (sections, default) = match (table.as_str(), rest) {
                    ("key", [_, default, _]) => (sections.clone(), quoted(default).into_iter().next()),
                    ("accepted without effect" | "error", _) => (sections.clone(), None),
                    ("section", _) => (vec![String::new()], None),
                    _ => continue,
                };
                rows.push(Row { sections, keys: quoted(keys), default, table });
            }
            [] => {}
        }
    }
    (headings, rows)
}

/// The keys that readers ask for, in every section.
fn read_keys() -> Keys {
    let findings = Findings::default();
    let document = everything();
    let _ = read_document(&document, &findings);
    let mut known = Keys::new();
    for (path, keys) in findings.known_keys() {
        let path = path.replace("[0]", "[]").replace("basicauth/upstream", "basicauth").replace("/kept", "");
        known.entry(path).or_default().extend(keys.into_iter().map(str::to_owned));
    }
    assert_eq!(findings.conclude().err(), None, "the document reads all sections");
    known
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let (headings, rows) = page();
    let mut documented = Keys::new();
    for Row { sections, keys, .. } in &rows {
        for section in sections {
            documented.entry(section.clone()).or_default().extend(keys.iter().cloned());
        }
    }
    let is_section = |path: &str| {
        headings.iter().any(|heading| {
            heading.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    };
    let read = read_keys();
    for (section, keys) in &read {
        for key in keys {
            let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
            let is_documented = documented.get(section).is_some_and(|keys| keys.contains(key))
                // A section has a heading of its own.
                || is_section(&path)
                // What turns off a section that may be left out is told once, for all of them.
                || key == "enabled" && !["podstamp.guard", "exporters.otlphttp.retry_on_failure"].contains(&&**section);
            assert!(is_documented, "docs/configuration.md has no `{key}` under `{section}`");
        }
    }
    for (section, keys) in &documented {
        for key in keys {
            let is_read = read.get(section).is_some_and(|keys| keys.contains(key));
            assert!(is_read, "docs/configuration.md has `{key}` under `{section}`, which nobody reads");
        }
    }
    for heading in &headings {
        assert!(read.contains_key(heading) || read.keys().any(|path| path.starts_with(heading)), "{heading}");
    }
    assert!(rows.len() > 150, "{}", rows.len());
}

/// What a document comes to, but for which sizes it states. None where it has a fault.
fn settings(document: &Value) -> Option<String> {
    let findings = Findings::default();
    let (config, _) = read_document(document, &findings);
    findings.conclude().ok()?;
    // Each exporter has the connections that it comes to.
    let shown = format!("{config:?}").replace("connections: Some(1)", "connections: None");
    let (before, stated) = shown.split_once("stated: ").unwrap();
    let (_, after) = stated.split_once('}').unwrap();
    Some(format!("{before}{after}"))
}

/// The document with everything, one key of which has another value, or none.
fn with(section: &str, key: &str, value: Option<Value>) -> Value {
    let mut document = everything();
    let place = section.replace("[]", ".[]");
    let place = place.split('.').fold(&mut document, |place, key| match key {
        "[]" => &mut place[0],
        key => &mut place[key],
    });
    if place.is_null() {
        *place = json!({});
    }
    let map = place.as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
    document
}

#[test]
fn a_key_that_is_written_as_its_default_on_the_page_changes_nothing() {
    let mut count = 0;
    for Row { sections, keys, default, .. } in page().1 {
        let ([key], Some(default)) = (keys.as_slice(), default) else { continue };
        let value = serde_json::from_str(&default).unwrap_or_else(|_| json!(default));
        for section in &sections {
            let usual = settings(&with(section, key, None));
            assert!(usual.is_some(), "{section}.{key} is not needed");
            assert_eq!(
                settings(&with(section, key, Some(value.clone()))),
                usual,
                "{section}.{key}: {default}"
            );
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn keys_have_no_effect_or_are_errors_as_the_page_says() {
    let usual = settings(&everything());
    let accepted = [
        json!(true),
        json!(77),
        json!("something"),
        json!({"x": 1}),
        json!(["x"]),
        json!("tcp"),
        json!("tls"),
    ];
    let refused = [json!(true), json!("something"), json!({"enabled": true})];
    for Row { sections, keys, table, .. } in page().1 {
        for (section, key) in sections.iter().flat_map(|section| keys.iter().map(move |key| (section, key))) {
            let read = |values: &[Value]| -> Vec<String> {
                let read = |value: &Value| settings(&with(section, key, Some(value.clone())));
                values.iter().filter_map(read).collect()
            };
            match table.as_str() {
                "error" => assert!(read(&refused).is_empty(), "{section}.{key} is no error"),
                "accepted without effect" => {
                    let read = read(&accepted);
                    assert!(!read.is_empty(), "{section}.{key} is an error");
                    let alike = read.iter().all(|read| Some(read) == usual.as_ref());
                    assert!(alike, "{section}.{key} has an effect");
                }
                _ => {}
            }
        }
    }
}
