//! YAML, read in the way of Go's yaml.v3: what works for the Collector and for kubectl works here.

mod value;

use std::cell::RefCell;

use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_saphyr::{
    DefaultMessageFormatter, Deserializer, DuplicateKeyPolicy, Error, Location, MessageFormatter, Options,
};

use value::{AnyValue, Repeated};

/// A fault of syntax, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub(crate) struct SyntaxError {
    /// Line, from 1. 0 where the parser does not know.
    pub(crate) line: u64,
    /// Column, from 1.
    pub(crate) column: u64,
    /// The fault.
    pub(crate) message: String,
}

/// One document of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// How many lines of the stream stand before it.
    lines_before: u64,
    text: &'a str,
}

impl<'a> Document<'a> {
    /// Takes a text as one document.
    pub(crate) fn whole(text: &'a str) -> Self {
        Self { lines_before: 0, text }
    }

    /// Reads the document as a value without a schema.
    pub(crate) fn value(self) -> Result<Value, SyntaxError> {
        let (value, repeated) = self.value_and_repeated()?;
        repeated.into_iter().next().map_or(Ok(value), Err)
    }

    /// Reads the document as a value without a schema in which the first of several equal keys counts, and gives the
    /// others.
    pub(crate) fn value_and_repeated(self) -> Result<(Value, Vec<SyntaxError>), SyntaxError> {
        let repeated = RefCell::default();
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let value = self.read_value(options, AnyValue { repeated: &repeated })?;
        let told = |Repeated { key, first, again }| {
            let place = |at: Location| (at.line() + self.lines_before, at.column());
            let ((line, column), (first_line, first_column)) = (place(again), place(first));
            let message = format!(
                "`{key}` stands here again, after line {first_line}, column {first_column}: make one of them"
            );
            SyntaxError { line, column, message: message.replace(char::is_control, " ") }
        };
        Ok((value, repeated.into_inner().into_iter().map(told).collect()))
    }

    /// Reads the document by way of a seed. Only nesting and aliases are limited: the caller limits the size.
    pub(crate) fn stream<S: DeserializeSeed<'a>>(self, seed: S) -> Result<S::Value, SyntaxError> {
        let unlimited = serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        };
        self.read_value(serde_saphyr::options! { budget: unlimited }, seed)
    }

    fn read_value<S: DeserializeSeed<'a>>(self, options: Options, seed: S) -> Result<S::Value, SyntaxError> {
        let read = |deserializer: Deserializer<'a, '_>| seed.deserialize(deserializer);
        serde_saphyr::with_deserializer_from_str_with_options(self.text, go_like(options), read)
            .map_err(|error| self.locate(&error))
    }

    fn locate(self, error: &Error) -> SyntaxError {
        let message = DefaultMessageFormatter.format_message(error.without_snippet());
        let message = message.replace(char::is_control, " ");
        match error.location() {
            Some(at) => SyntaxError { line: at.line() + self.lines_before, column: at.column(), message },
            None => SyntaxError { line: self.lines_before, column: 0, message },
        }
    }
}

/// Splits a stream into its documents, those without content left out. A line that begins with `---` or `...` is a marker
/// wherever it stands: YAML 1.2.2, `c-forbidden`.
pub(crate) fn documents(stream: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut start, mut lines_before) = (0, 0);
    let mut offset = 0;
    let mut cut = |start: usize, end: usize, lines_before: u64| {
        if let Some(text) = stream.get(start..end)
            && !text.lines().all(is_empty)
        {
            found.push(Document { lines_before, text });
        }
    };
    for (lines, line) in (0..).zip(stream.split_inclusive('\n')) {
        if is_marker(line) {
            cut(start, offset, lines_before);
            (start, lines_before) = (offset, lines);
        }
        offset += line.len();
    }
    cut(start, offset, lines_before);
    found
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .or_else(|| line.strip_prefix("..."))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Blank lines, comments, directives and bare markers hold nothing.
fn is_empty(line: &str) -> bool {
    let content = if is_marker(line) { line.get(3..).unwrap_or_default() } else { line };
    let content = content.trim();
    content.is_empty() || content.starts_with('#') || line.starts_with('%')
}

/// `yes` and `on` are texts unless the target is a boolean, `0777` is octal. Errors quote nothing of the text. Aliases:
/// plenty for what people write by hand, little for a bomb.
fn go_like(mut options: Options) -> Options {
    options.strict_booleans = true;
    options.legacy_octal_numbers = true;
    options.with_snippet = false;
    options.alias_limits.max_total_replayed_events = MAX_REPLAYED_EVENTS;
    options
}

const MAX_REPLAYED_EVENTS: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;

    fn read(text: &str) -> Value {
        Document::whole(text).value().unwrap()
    }

    #[test]
    fn scalars_have_the_types_that_go_gives_them() {
        let value = read(
            "{a: yes, b: off, c: 12, d: 1.5, e: true, f: '12', g: ~, h: 1_000, i: 0x1F, j: 0777, k: 5s, l: 1e3, m: n}",
        );
        let expected = serde_json::json!({"a": "yes", "b": "off", "c": 12, "d": 1.5, "e": true, "f": "12", "g": null,
            "h": 1000, "i": 31, "j": 511, "k": "5s", "l": 1000.0, "m": "n"});
        assert_eq!(value, expected);
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_with_its_place() {
        let error = Document::whole("a: 1\nb: 2\na: 3\n").value().unwrap_err();
        assert_eq!((error.line, error.column), (3, 1), "{error}");
        assert_eq!(error.message, "`a` stands here again, after line 1, column 1: make one of them");
        let text = "a: {b: 1, c: 2,\n  b: 3}\nb: &x {d: 1}\ne: {<<: *x, d: 2}\na: 4\n";
        let (value, repeated) = Document { lines_before: 10, text }.value_and_repeated().unwrap();
        assert_eq!(value, serde_json::json!({"a": {"b": 1, "c": 2}, "b": {"d": 1}, "e": {"d": 2}}));
        let repeated: Vec<_> = repeated.iter().map(ToString::to_string).collect();
        let told = |place, key, first| {
            format!("{place}: `{key}` stands here again, after {first}: make one of them")
        };
        assert_eq!(
            repeated,
            [
                told("line 12, column 3", "b", "line 11, column 5"),
                told("line 15, column 1", "a", "line 11, column 1"),
            ]
        );
    }

    #[test]
    fn documents_are_split_at_markers_and_keep_their_lines() {
        let stream =
            "# a comment\n---\na: 1\n--- # next\nb: |\n  --- no marker\n...\n%YAML 1.2\n---\n\n---\nc: [1\n";
        let parts = documents(stream);
        assert_eq!(parts.len(), 3, "{parts:?}");
        assert_eq!(parts[0].value().unwrap(), serde_json::json!({"a": 1}));
        assert_eq!(parts[1].value().unwrap(), serde_json::json!({"b": "--- no marker\n"}));
        let error = parts[2].value().unwrap_err();
        assert!(error.line >= 12, "{error}");
        assert_eq!(documents(""), []);
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
        for (name, from) in ('b'..='j').zip('a'..) {
            bomb += &format!(
                "{name}: &{name} [*{from}, *{from}, *{from}, *{from}, *{from}, *{from}, *{from}, *{from}]\n"
            );
        }
        assert!(Document::whole(&bomb).value().is_err());
        assert!(Document::whole(&bomb).stream(PhantomData::<serde::de::IgnoredAny>).is_err());

        let long = "x".repeat(1 << 20);
        let wide = format!("a: &a {long}\nb: [{}]\n", "*a, ".repeat(1000));
        assert!(Document::whole(&wide).value().is_err());
    }
}
