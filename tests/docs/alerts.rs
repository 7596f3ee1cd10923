//! The chart's alerts, which are those of docs/metrics.md.

use std::env;
use std::fmt::Write as _;
use std::fs;

use crate::markdown::{Document, documents, spans};
use crate::root;

const FILE: &str = "examples/kubernetes/chart/alerts.yaml";

/// Rows of the table that begins with this heading of its first column, without those of Envoy's module.
fn alerts(metrics: &Document) -> Vec<Vec<String>> {
    let rows = metrics.rows();
    let begin = rows.iter().position(|row| row.first().is_some_and(|cell| cell == "alert")).unwrap() + 1;
    let rows = rows.into_iter().skip(begin).take_while(|row| row.first().is_some_and(|cell| cell != "alert"));
    rows.filter(|row| matches!(row.get(2).map(String::as_str), Some("page" | "ticket"))).collect()
}

/// `the upstream is away` becomes `PodstampUpstreamIsAway`.
fn name(title: &str) -> String {
    let words = title.split([' ', '-']).filter(|word| !["the", "podstamp", "/"].contains(word));
    let capitalised = words.map(|word| {
        let letters: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut chars = letters.chars();
        chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    });
    format!("Podstamp{}", capitalised.collect::<String>())
}

/// In a form that YAML reads as it stands.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn expected() -> String {
    let documents = documents();
    let metrics = documents.iter().find(|document| document.name() == "docs/metrics.md").unwrap();
    let mut text = "\
# The alerts of docs/metrics.md, from where a test makes them (BLESS=1). Prometheus takes this file as it is, too.
groups:
- name: podstamp
  rules:
"
    .to_owned();
    // In a cluster pods come from no file.
    let rows = alerts(metrics)
        .into_iter()
        .filter(|row| row.iter().take(1).all(|title| !title.contains("pods file")));
    for row in rows {
        let [title, when, urgency, what_to_do] = <[String; 4]>::try_from(row).unwrap();
        let (expressions, _) = spans(&when);
        let expression = expressions.first().unwrap();
        let severity = if urgency == "page" { "critical" } else { "warning" };
        let plain = what_to_do.replace('`', "");
        writeln!(text, "  - alert: {}", name(&title)).unwrap();
        writeln!(text, "    expr: {}", quoted(expression)).unwrap();
        writeln!(text, "    for: 5m\n    labels:\n      severity: {severity}\n    annotations:").unwrap();
        writeln!(text, "      summary: {}\n      description: {}", quoted(&title), quoted(&plain)).unwrap();
    }
    text
}

#[test]
fn the_charts_alerts_are_those_of_the_metrics_document() {
    let expected = expected();
    let file = root().join(FILE);
    if env::var_os("BLESS").is_some() {
        fs::write(&file, &expected).unwrap();
    }
    assert!(expected.matches("alert:").count() > 10, "{expected}");
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{FILE} is not what docs/metrics.md says: BLESS=1 writes it anew");
}
