//! `${env:NAME}` in the texts of a document, in the way of the Collector's confmap.
//!
//! A text that is one reference and nothing else takes the type of the value, as if that stood in the YAML; elsewhere the
//! value is text. `$$` is a dollar. Keys are left alone, and no value ever stands in a message.

use serde_json::Value;

use super::environment::{Environment, ReadScalar, Unresolved};
use super::findings::Fault;

/// Expands a document in place and gives what is wrong with its references.
pub(crate) fn expand(
    document: &mut Value,
    environment: Environment<'_>,
    read_scalar: ReadScalar,
) -> Unresolved {
    let mut expander = Expander { environment, read_scalar, unresolved: Unresolved::default() };
    expander.value(document, "");
    expander.unresolved
}

struct Expander<'e> {
    environment: Environment<'e>,
    read_scalar: ReadScalar,
    unresolved: Unresolved,
}

/// Why a text is not expanded.
enum Failed {
    /// The text names a variable that is not set.
    Unset(String),
    /// A reference in the text is not valid.
    Faulty(String),
}

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self::Faulty(message)
    }
}

impl Expander<'_> {
    fn value(&mut self, value: &mut Value, path: &str) {
        match value {
            Value::Object(map) => {
                for (key, child) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.value(child, &path);
                }
            }
            Value::Array(list) => {
                for (index, child) in list.iter_mut().enumerate() {
                    self.value(child, &format!("{path}[{index}]"));
                }
            }
            Value::String(text) if text.contains('$') => {
                let path = path.to_owned();
                match self.scalar(text) {
                    Ok(expanded) => *value = expanded,
                    Err(Failed::Unset(message)) => self.unresolved.unset.push(Fault { path, message }),
                    Err(Failed::Faulty(message)) => self.unresolved.faults.push(Fault { path, message }),
                }
            }
            _ => {}
        }
    }

    fn scalar(&self, text: &str) -> Result<Value, Failed> {
        match text.strip_prefix("${").map(split_reference) {
            Some(Ok((reference, ""))) => {
                self.resolve(reference, 0).map(|value| typed(value, self.read_scalar))
            }
            _ => self.text(text, 0).map(Value::String),
        }
    }

    /// Expands a text with references anywhere in it.
    fn text(&self, text: &str, depth: usize) -> Result<String, Failed> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded += before;
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let (reference, after) = split_reference(after)?;
                expanded += &self.resolve(reference, depth)?;
                rest = after;
            } else {
                expanded.push('$');
            }
        }
        Ok(expanded + rest)
    }

    /// The value of a reference, given without `${` and `}`. References within it come first, so that a default can be
    /// another variable.
    fn resolve(&self, reference: &str, depth: usize) -> Result<String, Failed> {
        if depth >= MAX_DEPTH {
            return Err(format!("has references nested more than {MAX_DEPTH} deep").into());
        }
        let expanded =
            if reference.contains('$') { self.text(reference, depth + 1)? } else { reference.to_owned() };
        let (scheme, rest) = match expanded.split_once(':') {
            Some((scheme, rest)) => (scheme, rest),
            None => ("env", expanded.as_str()),
        };
        if scheme != "env" {
            return Err(match rest.strip_prefix('-') {
                Some(_) => format!(
                    "`${{{reference}}}` has a default but no `env:` ahead of the name: write it `${{env:NAME:-default}}`"
                ),
                None => format!(
                    "`${{{reference}}}` is not known here: only `${{env:NAME}}` and `${{env:NAME:-default}}` are"
                ),
            }
            .into());
        }
        let (name, default) = match rest.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (rest, None),
        };
        if !is_name(name) {
            return Err(format!("`${{{reference}}}` does not name an environment variable").into());
        }
        match ((self.environment)(name), default) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(Failed::Unset(format!(
                "`${{{reference}}}` is not set: set it, or write `${{env:NAME:-}}` where it may be empty"
            ))),
        }
    }
}

/// Splits what follows a `${` at the `}` that belongs to it.
fn split_reference(text: &str) -> Result<(&str, &str), String> {
    let mut depth = 0;
    let mut previous = None;
    for (index, byte) in text.bytes().enumerate() {
        match (previous, byte) {
            (Some(b'$'), b'{') => depth += 1,
            (_, b'}') if depth > 0 => depth -= 1,
            (_, b'}') => {
                let (reference, rest) = text.split_at_checked(index).unwrap_or_default();
                return Ok((reference, rest.get(1..).unwrap_or_default()));
            }
            // Of `$$` the second does not begin anything.
            (Some(b'$'), b'$') => {
                previous = None;
                continue;
            }
            _ => {}
        }
        previous = Some(byte);
    }
    Err("has a `${` without its `}`; a plain dollar ahead of a brace is written `$$`".to_owned())
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, as the Collector demands.
fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What a value means where it stands alone: as in the document, unless that is a text or none at all; then the value as
/// it is.
fn typed(value: String, read_scalar: ReadScalar) -> Value {
    if value.is_empty() {
        return Value::Null;
    }
    match read_scalar(&value) {
        Some(Value::String(_)) | None => Value::String(value),
        Some(other) => other,
    }
}

/// A default in a default is plausible, more is not; and nesting costs stack.
const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "NODE" => "node-1",
            "NUMBER" => "12",
            "BOOL" => "true",
            "YES" => "yes",
            "QUOTED" => "\"12\"",
            "LIST" => "[\"a\", 1]",
            "BROKEN" => "a: [",
            "EMPTY" => "",
            "DOLLARS" => "a$$b${env:NODE}",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn read(text: &str) -> Option<Value> {
        serde_json::from_str(text).ok()
    }

    fn expanded(text: &str) -> Value {
        let mut document = json!({"a": [text]});
        assert_eq!(expand(&mut document, &environment, read), Unresolved::default());
        document["a"][0].take()
    }

    fn fault(text: &str) -> String {
        let mut document = json!({"a": {"b/c": [0, text]}});
        let Unresolved { unset, faults } = expand(&mut document, &environment, read);
        assert_eq!((unset.len(), faults.len()), (0, 1), "{text}: {faults:?}");
        assert_eq!(faults[0].path, "a.b/c[1]");
        faults[0].message.clone()
    }

    #[test]
    fn a_text_that_is_one_reference_takes_the_type_of_its_value() {
        for (text, expected) in [
            ("${env:NODE}", json!("node-1")),
            ("${NODE}", json!("node-1")),
            ("${env:NUMBER}", json!(12)),
            ("${env:BOOL}", json!(true)),
            ("${env:YES}", json!("yes")),
            ("${env:QUOTED}", json!("\"12\"")),
            ("${env:LIST}", json!(["a", 1])),
            ("${env:BROKEN}", json!("a: [")),
            ("${env:EMPTY}", json!(null)),
            ("${env:EMPTY:-x}", json!(null)),
            ("${env:UNSET:-1.5}", json!(1.5)),
            ("${env:UNSET:-}", json!(null)),
            ("${env:UNSET:-http://a:1/b}", json!("http://a:1/b")),
            ("${env:UNSET:-${env:NUMBER}}", json!(12)),
            ("${env:UNSET:-${env:UNSET:-${NODE}}}", json!("node-1")),
            ("${env:DOLLARS}", json!("a$$b${env:NODE}")),
        ] {
            assert_eq!(expanded(text), expected, "{text}");
        }
    }

    #[test]
    fn elsewhere_a_value_is_text_and_two_dollars_are_one() {
        for (text, expected) in [
            ("http://${env:NODE}:${env:NUMBER}/", "http://node-1:12/"),
            ("${env:NUMBER}${env:BOOL}", "12true"),
            (" ${env:NUMBER}", " 12"),
            ("$${env:NODE}", "${env:NODE}"),
            ("$$${env:NODE}", "$node-1"),
            ("^a$", "^a$"),
            ("^a$$", "^a$"),
            ("$NODE $1", "$NODE $1"),
            ("}${env:UNSET:-{}}", "}{}"),
            ("a${env:UNSET:-b$$}", "ab$"),
        ] {
            assert_eq!(expanded(text), json!(expected), "{text}");
        }
    }

    #[test]
    fn an_unset_variable_is_told_and_what_stands_there_stays() {
        for (text, name) in [
            ("${env:UNSET}", "env:UNSET"),
            ("a ${UNSET}", "UNSET"),
            ("${env:NODE}${env:UNSET:-${env:UNSET}}", "env:UNSET"),
        ] {
            let mut document = json!({"a": [text]});
            let Unresolved { unset, faults } = expand(&mut document, &environment, read);
            assert_eq!((unset.len(), faults), (1, vec![]), "{text}");
            assert_eq!(unset[0].path, "a[0]");
            let expected =
                format!("`${{{name}}}` is not set: set it, or write `${{env:NAME:-}}` where it may be empty");
            assert_eq!(unset[0].message, expected);
            assert_eq!(document, json!({"a": [text]}));
        }
    }

    #[test]
    fn references_that_mean_nothing_are_faults_with_their_path() {
        for (text, expected) in [
            ("${env:NODE", "without its `}`"),
            ("a ${env:UNSET:-${env:NODE}", "without its `}`"),
            ("${file:/etc/passwd}", "only `${env:NAME}`"),
            ("${yaml:a}", "only `${env:NAME}`"),
            ("${NODE:-x}", "`${env:NAME:-default}`"),
            ("${}", "does not name"),
            ("${env:}", "does not name"),
            ("${env:1A}", "does not name"),
            ("x${env: NODE}", "does not name"),
        ] {
            let message = fault(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert!(fault(&"${".repeat(100_000)).contains("without"));
        assert!(fault(&("${env:A:-".repeat(100) + &"}".repeat(100))).contains("nested"));
    }

    #[test]
    fn values_stand_in_no_message() {
        assert!(!fault("${env:${env:DOLLARS}}").contains("a$$b"));
        assert!(!fault("${file:${env:NODE}}").contains("node-1"));
    }

    #[test]
    fn keys_and_texts_without_references_stay() {
        let mut document = json!({"${env:NODE}": ["a", 1, null, true, {"b": "c"}]});
        let before = document.clone();
        assert_eq!(expand(&mut document, &environment, read), Unresolved::default());
        assert_eq!(document, before);
    }
}
