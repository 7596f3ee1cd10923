//! A configuration document for people: lines of YAML, each with its path, and without secrets.

mod secrets;

use serde::Serialize;
use serde_json::Value;

use crate::shortened::shortened;
use secrets::{Secrecy, without_secrets};

/// A line of a document as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The line, indented as in YAML.
    pub text: String,
    /// Whose line it is, as faults name it: `processors.resource.attributes[0].action`.
    pub path: String,
}

/// The lines of a document, the sections in the Collector's order. What is secret is shown as `"***"`. A document of more lines,
/// or of more bytes, than anybody reads is cut.
pub fn shown_lines(document: &Value) -> Vec<Line> {
    let mut writer = Writer { lines: Vec::new(), bytes: 0 };
    if let Value::Object(sections) = document {
        let known = SECTIONS.iter().filter_map(|name| sections.get_key_value(*name));
        let others = sections.iter().filter(|(name, _)| !SECTIONS.contains(&name.as_str()));
        for (name, value) in known.chain(others) {
            writer.entry("", "", name, value, "", Secrecy::default());
        }
    }
    writer.lines
}

struct Writer {
    lines: Vec<Line>,
    bytes: usize,
}

impl Writer {
    /// Adds a line; false once there are enough.
    fn add(&mut self, text: String, path: &str) -> bool {
        if self.is_full() {
            return false;
        }
        self.bytes += text.len() + path.len();
        self.lines.push(Line { text, path: path.to_owned() });
        if self.is_full() {
            self.lines.push(Line { text: "# ... and more".to_owned(), path: String::new() });
        }
        true
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MAX_LINES || self.bytes >= MAX_BYTES
    }

    /// Writes `key: value` below `parent`. `lead` stands ahead of the key in its first line, `indent` in all others.
    fn entry(&mut self, lead: &str, indent: &str, key: &str, value: &Value, parent: &str, above: Secrecy) {
        if self.is_full() {
            return;
        }
        let path = if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        // An id such as `bearertokenauth` names no secret.
        let secrecy = if COMPONENTS.contains(&parent) { above } else { above.below(key) };
        let head = format!("{lead}{}:", plain_or_quoted(key));
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.add(head, &path);
                let indent = format!("{indent}  ");
                let secrecy = secrecy.of_section(map, &path);
                for (key, value) in map {
                    self.entry(&indent, &indent, key, value, &path, secrecy);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                self.add(head, &path);
                self.items(&format!("{indent}  "), list, &path, secrecy);
            }
            Value::Null => {
                self.add(head, &path);
            }
            scalar => {
                self.add(format!("{head} {}", shown(scalar, secrecy)), &path);
            }
        }
    }

    fn items(&mut self, indent: &str, list: &[Value], parent: &str, secrecy: Secrecy) {
        let within = format!("{indent}  ");
        let secrecy = secrecy.of_items(list);
        for (index, item) in list.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let path = format!("{parent}[{index}]");
            match item {
                Value::Object(map) if !map.is_empty() => {
                    let secrecy = secrecy.of_item(map).of_section(map, &path);
                    for (number, (key, value)) in map.iter().enumerate() {
                        let lead = if number == 0 { format!("{indent}- ") } else { within.clone() };
                        self.entry(&lead, &within, key, value, &path, secrecy);
                    }
                }
                Value::Array(list) if !list.is_empty() => {
                    self.add(format!("{indent}-"), &path);
                    self.items(&within, list, &path, secrecy);
                }
                Value::Null => {
                    self.add(format!("{indent}- null"), &path);
                }
                scalar => {
                    self.add(format!("{indent}- {}", shown(scalar, secrecy)), &path);
                }
            }
        }
    }
}

/// A value in one line.
fn shown(value: &Value, secrecy: Secrecy) -> String {
    match value {
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        _ if secrecy.hides(value) => HIDDEN.to_owned(),
        Value::String(text) => plain_or_quoted(&cut(&without_secrets(text))),
        other => other.to_string(),
    }
}

/// The start of a text that nobody reads to its end.
fn cut(text: &str) -> String {
    let (start, rest) = shortened(text, MAX_TEXT);
    format!("{start}{rest}")
}

/// A text as YAML has it: with quotes where it would be something else without them.
fn plain_or_quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-:${}+@=,()|^~ ".contains(&byte);
    let begins_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || "/_$.(".contains(first));
    let means_more = [": ", " #"].iter().any(|part| text.contains(part)) || text.ends_with([':', ' ']);
    let is_word = ["true", "false", "null", "yes", "no", "on", "off"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    let is_number = text.trim_start_matches(['.', '_']).starts_with(|first: char| first.is_ascii_digit());
    let is_special = text
        .get(..4)
        .is_some_and(|start| [".inf", ".nan"].iter().any(|word| start.eq_ignore_ascii_case(word)));
    if begins_plain && text.bytes().all(is_plain) && !means_more && !is_word && !is_number && !is_special {
        return text.to_owned();
    }
    // A JSON text is a YAML text too, but for what neither people nor YAML can see.
    let mut quoted = String::with_capacity(text.len() + 2);
    for sign in Value::from(text).to_string().chars() {
        match sign {
            '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => quoted += &format!("\\u{:04x}", u32::from(sign)),
            _ => quoted.push(sign),
        }
    }
    quoted
}

const SECTIONS: &[&str] =
    &["receivers", "processors", "exporters", "connectors", "extensions", "service", "podstamp"];

/// The sections whose keys are ids of components.
const COMPONENTS: &[&str] = &["receivers", "processors", "exporters", "connectors", "extensions"];

const HIDDEN: &str = "\"***\"";

/// A configuration has some hundred; the limit keeps an answer to a mebibyte of braces small.
const MAX_LINES: usize = 20_000;

/// Of lines and their paths, likewise: nesting multiplies both.
const MAX_BYTES: usize = 4 << 20;

/// Bytes of one value.
const MAX_TEXT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::yaml::Document;

    fn text(document: &Value) -> String {
        shown_lines(document).iter().map(|line| format!("{}\n", line.text)).collect()
    }

    #[test]
    fn a_document_is_shown_in_yaml_with_a_path_for_each_line() {
        let document = json!({
            "podstamp": {"admin": {}},
            "processors": {"k8sattributes": null, "resource": {"attributes": [
                {"action": "insert", "key": "app.host.ip"}, {"action": "delete", "key": "a"},
            ]}},
            "service": {"extensions": ["a/b", []], "telemetry": {"logs": [["x"], null, 1.5]}},
            "other": "5",
        });
        let expected = [
            ("processors:", "processors"),
            ("  k8sattributes:", "processors.k8sattributes"),
            ("  resource:", "processors.resource"),
            ("    attributes:", "processors.resource.attributes"),
            ("      - action: insert", "processors.resource.attributes[0].action"),
            ("        key: app.host.ip", "processors.resource.attributes[0].key"),
            ("      - action: delete", "processors.resource.attributes[1].action"),
            ("        key: a", "processors.resource.attributes[1].key"),
            ("service:", "service"),
            ("  extensions:", "service.extensions"),
            ("    - a/b", "service.extensions[0]"),
            ("    - []", "service.extensions[1]"),
            ("  telemetry:", "service.telemetry"),
            ("    logs:", "service.telemetry.logs"),
            ("      -", "service.telemetry.logs[0]"),
            ("        - x", "service.telemetry.logs[0][0]"),
            ("      - null", "service.telemetry.logs[1]"),
            ("      - 1.5", "service.telemetry.logs[2]"),
            ("podstamp:", "podstamp"),
            ("  admin: {}", "podstamp.admin"),
            ("other: \"5\"", "other"),
        ];
        let lines = shown_lines(&document);
        let shown: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.path.as_str())).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_shown_is_read_as_what_it_was() {
        let texts = [
            "",
            " ",
            "a",
            "a b",
            "yes",
            "No",
            "~",
            "null",
            "12",
            "1_0",
            ".5",
            ".inf",
            "0x1f",
            "1e3",
            "- a",
            "-",
            "a:",
            "a: b",
            "a #b",
            "#a",
            "a\nb",
            "tab\there",
            "\u{7f}",
            "ü",
            "\u{202e}x",
            "[a",
            "{a",
            "${env:A:-b: c}",
            "*a",
            "&a",
            "!a",
            "'a'",
            "\"a\"",
            "%a",
            "@a",
            "`a",
            "|",
            ">",
            "? a",
            "<<",
            "2026-01-01",
            "a,b",
            "(a|b)",
            "a\u{2028}b",
            "=",
            "y",
            "127.0.0.1:4318",
            "http://a:1/b?c=d",
            "^a$",
            "--- a",
            "...",
            "a ",
            ",",
            "0o7",
            "+1",
            "_1",
            "\u{feff}a",
        ];
        for text_ in texts {
            let document = json!({"a": text_, "b": [text_, {text_: 1}]});
            let written = text(&document);
            let read = Document::whole(&written).value();
            assert_eq!(read.as_ref(), Ok(&document), "{written}");
        }
    }

    #[test]
    fn nothing_that_is_shown_grows_without_end() {
        let deep = (0..100).fold(json!("x"), |below, _| json!({"k".repeat(1_000): [below]}));
        let wide = json!({"a": vec![json!({"b": 1}); 100_000]});
        let long = json!({"a": "ü".repeat(1 << 20)});
        for document in [deep, wide, long, json!({"k".repeat(1 << 20): vec![1; 1_000]})] {
            let bytes: usize =
                shown_lines(&document).iter().map(|line| line.text.len() + line.path.len()).sum();
            assert!(bytes < 8 << 20, "{bytes}");
        }
    }
}
