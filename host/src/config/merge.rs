//! Several texts as one document.

use podstamp_core::config::Fault;
use serde_json::Value;

use super::document::{self, Found};
use super::fault;

/// Finds the configuration in each text and lays it over those before. Faults say in which text they are.
pub(super) fn find_all(texts: &[(String, String)]) -> Result<Found, Vec<Fault>> {
    let mut merged =
        Found { document: Value::Object(Default::default()), notices: Vec::new(), faults: Vec::new() };
    let mut unreadable = Vec::new();
    for (name, text) in texts {
        let within = |found: Fault| fault(format!("{name}: {found}"));
        match document::find(text) {
            Ok(Found { document, notices, faults }) => {
                lay_over(&mut merged.document, document);
                merged.notices.extend(notices);
                merged.faults.extend(faults.into_iter().map(within));
            }
            Err(faults) => unreadable.extend(faults.into_iter().map(within)),
        }
    }
    if unreadable.is_empty() { Ok(merged) } else { Err(unreadable) }
}

/// Documents are no deeper than their reader lets them be.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                lay_over(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (below, above) => *below = above,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{LoadError, parse_all};
    use super::*;

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<(String, String)> {
        texts.iter().enumerate().map(|(index, text)| (format!("{index}.yaml"), (*text).to_owned())).collect()
    }

    #[test]
    fn maps_are_merged_and_of_everything_else_the_last_text_counts() {
        let first = "a: {b: {c: 1, d: 2}, list: [1, 2]}\ne: text";
        let second = "a: {b: {c: 3}, list: [4]}\ne: {f: 5}\nservice: {}";
        let found = find_all(&texts([first, second])).unwrap();
        let expected = json!({"a": {"b": {"c": 3, "d": 2}, "list": [4]}, "e": {"f": 5}, "service": {}});
        assert_eq!(found, Found { document: expected, notices: vec![], faults: vec![] });
    }

    /// An otel-agent's configuration has `grpc:` alone, and what stands before it says where to listen.
    #[test]
    fn a_null_adds_its_key_and_changes_nothing_that_is_there() {
        let own = "receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317'}}}}";
        let agents = "receivers:\n  otlp:\n    protocols:\n      grpc:\n      http:\n";
        let expected = json!({"receivers": {"otlp": {"protocols": {
            "grpc": {"endpoint": "0.0.0.0:4317"}, "http": null,
        }}}});
        assert_eq!(find_all(&texts([own, agents])).unwrap().document, expected);
    }

    #[test]
    fn every_fault_says_in_which_text_it_is_and_variables_are_resolved_once_all_is_there() {
        let faults = find_all(&texts(["a: [", "- b", "service: {}"])).unwrap_err();
        let lines = LoadError::Faults(faults).to_string();
        assert!(lines.starts_with("0.yaml: line 1, "), "{lines}");
        assert!(lines.contains("\n1.yaml: is not a mapping"), "{lines}");
        let twice = texts(["service: {a: '${env:A}', a: 1}", "service: {a: '${env:B}'}"]);
        let loaded = parse_all(&twice, &|name| (name == "B").then(|| "5".to_owned())).unwrap();
        assert_eq!(loaded.document, json!({"service": {"a": 5}}));
        let faults: Vec<_> = loaded.unresolved.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("0.yaml: line 1, column 26: `a` stands here again"), "{faults:?}");
    }
}
