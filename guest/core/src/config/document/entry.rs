//! An entry: a place in the document, with its path and value.
//!
//! A document is read once: what is `#[cold]` here and beside is kept from being copied into each of its many callers, which
//! would take the module for proxies over the size of a ConfigMap.

use regex_lite::Regex;
use serde_json::Value;

use super::defaults::{ENABLED, says_something};
use super::findings::Findings;
use super::nearest::hint;
use super::quantity;
use crate::interface::Level;

/// A place in the document. A value of the wrong kind is reported as a fault, and its reader gives `None`. As in the Collector,
/// an empty value is as if it were not written; only a text may mean to be empty.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'d> {
    path: String,
    value: Option<&'d Value>,
    /// The Collector's default, for keys of its components.
    default: Option<&'d Value>,
    findings: &'d Findings,
}

impl<'d> Entry<'d> {
    #[cold]
    pub(crate) fn root(document: &'d Value, findings: &'d Findings) -> Self {
        Self { path: String::new(), value: Some(document), default: None, findings }
    }

    /// The entry under `key`; `value` is `None` where that key is missing.
    #[cold]
    pub(crate) fn child(&self, key: &str, value: Option<&'d Value>) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let default = self.default.and_then(|default| default.get(key));
        Self { path, value, default, findings: self.findings }
    }

    /// The same place, whose defaults in the Collector are known.
    pub(crate) fn with_default(self, default: Option<&'static Value>) -> Self {
        Self { default, ..self }
    }

    /// The same place, but nothing there where it is a section that says `enabled: false`.
    #[cold]
    pub(crate) fn unless_disabled(self) -> Self {
        let disabled = self.value.is_some_and(|value| value.get(ENABLED) == Some(&Value::Bool(false)));
        Self { value: self.value.filter(|_| !disabled), ..self }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The value, unless it is missing or null.
    pub(crate) fn value(&self) -> Option<&'d Value> {
        self.value.filter(|value| !value.is_null())
    }

    /// Whether the key is there. YAML's `key:` is there and null.
    pub(crate) fn is_present(&self) -> bool {
        self.value.is_some()
    }

    /// Whether the value is neither empty nor the Collector's default.
    #[cold]
    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some_and(|value| says_something(value, self.default))
    }

    /// Whether the Collector's default is written.
    pub(crate) fn is_default(&self) -> bool {
        self.value.is_some() && self.value == self.default
    }

    /// Whether there is a value that is not empty.
    #[cold]
    pub(crate) fn is_filled(&self) -> bool {
        self.filled().is_some()
    }

    /// The value, unless it is empty.
    #[cold]
    pub(crate) fn filled(&self) -> Option<&'d Value> {
        // A document has to be one, even where it is empty.
        self.value().filter(|value| self.path.is_empty() || !is_empty(value))
    }

    #[cold]
    pub(crate) fn fault(&self, message: impl Into<String>) {
        self.findings.fault(&self.path, message);
    }

    /// Reports a key that nobody knows here; `hint` is what is to be said unless it is known elsewhere.
    #[cold]
    pub(crate) fn unknown_key(&self, key: &str, hint: &str) {
        self.findings.unknown_key(&self.path, key, hint);
    }

    /// Notes which keys are known here.
    #[cold]
    pub(crate) fn knows(&self, keys: Vec<&'static str>) {
        self.findings.knows(&self.path, keys);
    }

    #[cold]
    pub(crate) fn notice(&self, level: Level, key: &'static str, message: &str) {
        self.findings.notice(level, key, &self.path, message);
    }

    #[cold]
    pub(crate) fn no_effect(&self, why: &str) {
        self.findings.no_effect(&self.path, why);
    }

    /// A map with free keys, sorted by them: not every reader of documents keeps their order. Missing and null: none.
    #[cold]
    pub(crate) fn entries(&self) -> Vec<(&'d str, Self)> {
        match self.filled() {
            None => Vec::new(),
            Some(Value::Object(map)) => {
                let mut entries: Vec<(&str, Self)> = Vec::with_capacity(map.len());
                for (key, value) in map {
                    // Where the reader sorts keys this is the end; std's sort would take kilobytes of the module.
                    let place = entries.partition_point(|(known, _)| *known < key.as_str());
                    entries.insert(place, (key, self.child(key, Some(value))));
                }
                entries
            }
            Some(other) => {
                self.expected("a section with keys", other);
                Vec::new()
            }
        }
    }

    /// A list. Missing and null: an empty one.
    #[cold]
    pub(crate) fn list(&self) -> Vec<Self> {
        match self.filled() {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let item = |(index, value)| Self {
                    path: format!("{}[{index}]", self.path),
                    value: Some(value),
                    default: None,
                    findings: self.findings,
                };
                items.iter().enumerate().map(item).collect()
            }
            Some(other) => {
                self.expected("a list", other);
                Vec::new()
            }
        }
    }

    /// A text. A whole number passes too: YAML makes one of `port: 80`.
    #[cold]
    pub(crate) fn text(&self) -> Option<String> {
        match self.value()? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            other => {
                self.expected("a text (put it in quotes)", other);
                None
            }
        }
    }

    /// A text with something in it.
    #[cold]
    pub(crate) fn filled_text(&self) -> Option<String> {
        self.text().filter(|text| !text.is_empty())
    }

    #[cold]
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.filled()? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.expected("true or false", other);
                None
            }
        }
    }

    /// A whole number from 0 up.
    #[cold]
    pub(crate) fn count(&self) -> Option<u32> {
        let value = self.filled()?;
        let count = whole(value);
        if count.is_none() {
            self.expected("a whole number from 0 to 4294967295", value);
        }
        count
    }

    /// A whole number from 0 up that may be large.
    #[cold]
    pub(crate) fn number(&self) -> Option<u64> {
        let value = self.filled()?;
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
        if number.is_none() {
            self.expected("a whole number from 0 up", value);
        }
        number.map(|number| number as u64)
    }

    /// A number from 0 up.
    #[cold]
    pub(crate) fn factor(&self) -> Option<f64> {
        let value = self.filled()?;
        let factor = value.as_f64().filter(|factor| factor.is_finite() && *factor >= 0.0);
        if factor.is_none() {
            self.expected("a number from 0 up", value);
        }
        factor
    }

    /// A duration, in milliseconds.
    #[cold]
    pub(crate) fn duration(&self) -> Option<u32> {
        match self.filled()? {
            Value::String(text) => self.quantity(text, quantity::duration(text)),
            value if whole(value) == Some(0) => Some(0),
            // The Collector reads a bare number as nanoseconds and prints it in JSON so. Less is not what anybody means.
            Value::Number(number) if let Some(milliseconds) = quantity::nanoseconds(number) => {
                Some(milliseconds)
            }
            Value::Number(_) => {
                self.fault("a duration needs a unit: write `30s`");
                None
            }
            other => {
                self.expected("a duration such as `30s`", other);
                None
            }
        }
    }

    /// A size, in bytes.
    #[cold]
    pub(crate) fn size(&self) -> Option<u32> {
        match self.filled()? {
            Value::String(text) => self.quantity(text, quantity::size(text)),
            value => {
                let size = whole(value);
                if size.is_none() {
                    self.expected("a size under 4 GiB: bytes, or a text such as `64MiB`", value);
                }
                size
            }
        }
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.word(&words).and_then(|index| choices.get(index)).map(|(_, choice)| *choice)
    }

    /// Which of several words it is.
    #[cold]
    fn word(&self, words: &[&str]) -> Option<usize> {
        let text = self.text()?;
        let chosen = words.iter().position(|word| *word == text);
        if chosen.is_none() && !text.is_empty() {
            let words: Vec<_> = words.iter().copied().filter(|word| !word.is_empty()).collect();
            let hint = hint(&text, words.iter().copied());
            self.fault(format!("`{text}` is none of {}{hint}", words.join(", ")));
        }
        chosen
    }

    /// A regular expression; `wrap` may anchor it. `\d`, `\w` and `\s` mean ASCII, as in Go.
    pub(crate) fn pattern(&self, wrap: impl FnOnce(&str) -> String) -> Option<Regex> {
        let text = self.filled_text()?;
        let compiled = Regex::new(&wrap(&text));
        let regex = compiled.map_err(|error| self.fault(format!("is no usable pattern: {error}"))).ok()?;
        // It keeps what it allocates for its first match: what is allocated now is the configuration's, and not a request's.
        let _ = regex.captures("");
        Some(regex)
    }

    #[cold]
    pub(crate) fn quantity<T>(&self, text: &str, read: Result<T, &'static str>) -> Option<T> {
        read.map_err(|fault| self.fault(format!("`{text}` {fault}"))).ok()
    }

    /// Reports a value of the wrong kind. The message names kinds only, never the value: it may be a secret.
    #[cold]
    pub(crate) fn expected(&self, what: &str, found: &Value) {
        let found = match found {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a section",
        };
        self.fault(format!("expected {what}, found {found}"));
    }
}

/// A text, list or section without anything in it, which the Collector takes for what is not written.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A whole number, also one that a detour over doubles has left as 5.0 (Envoy's Struct knows nothing else).
fn whole(value: &Value) -> Option<u32> {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) => {
            Some(number as u32)
        }
        _ => None,
    }
}
