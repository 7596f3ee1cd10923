//! How much it takes to check a document: more than its bytes say, since faults have paths and patterns are compiled.

use serde_json::Value;

/// Refuses a document that would take much more than configurations do. The error says what it has too much of.
pub(super) fn check(document: &Value) -> Result<(), &'static str> {
    let mut weight = Weight::default();
    weight.add(document, 0);
    let Weight { values, paths, repetitions } = weight;
    if values > MAX_VALUES || paths > MAX_PATHS {
        return Err("has more in it than any configuration: `podstamp check` takes it all the same");
    }
    if repetitions > MAX_REPETITIONS {
        return Err("has more patterns with repetitions than are checked here: `podstamp check` takes them");
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Weight {
    values: usize,
    /// Bytes of the paths of all values.
    paths: usize,
    /// Texts with something like `{100}`, by which a short pattern becomes a large one.
    repetitions: usize,
}

impl Weight {
    fn add(&mut self, value: &Value, path: usize) {
        self.values += 1;
        self.paths = self.paths.saturating_add(path);
        if self.values > MAX_VALUES || self.paths > MAX_PATHS {
            return;
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.add(value, path + key.len() + 1)),
            Value::Array(list) => list.iter().for_each(|value| self.add(value, path + 3)),
            Value::String(text) => self.repetitions += usize::from(has_repetition(text)),
            _ => {}
        }
    }
}

fn has_repetition(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// A configuration has some hundred.
const MAX_VALUES: usize = 10_000;

/// Bytes. A path has some dozens.
const MAX_PATHS: usize = 4 << 20;

/// Each may take a tenth of a second.
const MAX_REPETITIONS: usize = 40;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn configurations_are_light_and_what_grows_is_not() {
        let usual = crate::app::default_document().unwrap();
        assert_eq!(check(&usual), Ok(()));
        assert_eq!(check(&json!({"a": vec!["x{2}"; 40]})), Ok(()));
        for heavy in [
            json!(vec![1; MAX_VALUES]),
            json!({"k".repeat(1 << 20): vec![1; 5]}),
            json!({"a": vec!["a{10}"; 41]}),
        ] {
            assert!(check(&heavy).is_err());
        }
    }
}
