//! The figures of a part, each under a name that is the same in every revision.

use std::collections::BTreeMap;

use serde_json::Value;

/// A measured value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Better {
    Less,
    More,
}

/// The figures of a part that can be compared: each with the texts and counts of its rows ahead of its own name.
pub(super) fn read(results: &Value) -> BTreeMap<String, Figure> {
    let mut figures = BTreeMap::new();
    walk(results, "", "", &mut figures);
    figures
}

/// `row` names the row so far, `name` the figure within it.
fn walk(value: &Value, row: &str, name: &str, figures: &mut BTreeMap<String, Figure>) {
    match value {
        Value::Object(fields) => {
            let row = join(row, &identity(value));
            for (key, field) in fields.iter().filter(|(key, _)| !is_identity(key)) {
                walk(field, &row, &join(name, key), figures);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                // A row without a name is the one at its place.
                let row =
                    if identity(item).is_empty() { join(row, &index.to_string()) } else { row.to_owned() };
                walk(item, &row, name, figures);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, row, &join(name, &index.to_string()), figures);
            }
        }
        Value::Number(number) => {
            if let (Some(value), Some(better)) = (number.as_f64(), better(name)) {
                figures.insert(join(row, name), Figure { value, better });
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => (),
    }
}

/// What tells a row from the others: its texts, and the counts that it was measured with.
fn identity(row: &Value) -> String {
    let fields = row.as_object().into_iter().flatten();
    let parts = fields.filter_map(|(key, field)| match field {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if is_identity(key) => Some(format!("{number} {}", key.replace('_', " "))),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn is_identity(key: &str) -> bool {
    COUNTS.contains(&key)
}

/// Counts that a row is measured with.
const COUNTS: [&str; 7] = ["clients", "connections", "cores", "level", "most", "pods", "spans"];

/// Which way a figure of that name is better, by its unit. `None`: it is no figure of ours, or one that follows from others.
fn better(name: &str) -> Option<Better> {
    let words: Vec<_> = name.split([' ', '_']).collect();
    if name == "bytes" || words.iter().any(|word| OTHERS.contains(word)) {
        return None;
    }
    if name.contains("_per_second") || name.contains("_per_cpu_second") {
        return Some(Better::More);
    }
    words.iter().any(|word| UNITS.contains(word)).then_some(Better::Less)
}

/// Sides of a row that no revision of podstamp changes, and the sizes of what was sent.
const OTHERS: [&str; 10] =
    ["calls", "collector", "identity", "memcpy", "none", "processors", "prost", "queued", "rotel", "wire"];

/// Units of which less is better.
const UNITS: [&str; 11] = [
    "bytes",
    "microseconds",
    "mib",
    "milliseconds",
    "ms",
    "nanoseconds",
    "ns",
    "seconds",
    "sizes",
    "us",
    "instructions",
];

fn join(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        _ => format!("{one} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_known_by_their_texts_and_counts_and_not_by_their_place() {
        let row =
            |connections, ms| json!({"label": "5 KiB", "connections": connections, "p50_ms": [ms, 9.0]});
        let (one, two) =
            (read(&json!([row(1, 0.5), row(16, 2.0)])), read(&json!([row(16, 2.0), row(1, 0.5)])));
        assert_eq!(one, two);
        assert_eq!(one["16 connections, 5 KiB p50_ms 0"], Figure { value: 2.0, better: Better::Less });
        assert_eq!(one.len(), 4);
    }

    #[test]
    fn rates_are_better_the_higher_and_times_and_memory_the_lower() {
        let figures = read(&json!({
            "requests_per_second": {"on": 5.0}, "spans_per_cpu_second": {"podstamp": 7.0, "collector": 1.0},
            "nanoseconds": {"walk": 3.0, "memcpy": 1.0}, "resident_mib": 4.0, "ratio": 2.0,
        }));
        let names: Vec<_> = figures.iter().map(|(name, figure)| (name.as_str(), figure.better)).collect();
        let expected = [
            ("nanoseconds walk", Better::Less),
            ("requests_per_second on", Better::More),
            ("resident_mib", Better::Less),
            ("spans_per_cpu_second podstamp", Better::More),
        ];
        assert_eq!(names, expected);
    }
}
