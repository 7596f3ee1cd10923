//! Reads pods from JSON or YAML, one at a time, so that a list of 100,000 costs no more than the table made of it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use podstamp_pods::{Coverage, KeptKeys, Table};

use super::items::Items;
use super::raw::Item;
use crate::config::yaml;

/// Why no pods could be read from an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input is empty.
    #[error("it is empty; {WANTED}")]
    Empty,
    /// Reading failed.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// The input is not UTF-8: PowerShell's `>` writes UTF-16.
    #[error("it is not UTF-8 text; {WANTED}, encoded as UTF-8")]
    Encoding,
    /// The YAML is too large: it has to be held as a whole.
    #[error("it is YAML of more than {MAX_YAML_BYTES} bytes; JSON may be larger: {WANTED}")]
    YamlTooLarge,
    /// The input is neither JSON nor YAML, or not built like pods.
    #[error("line {line}, column {column}: {message}; {WANTED}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// The fault.
        message: String,
    },
    /// The input holds other things than pods.
    #[error("it holds {0}, not pods; {WANTED}")]
    NotPods(String),
}

/// Reads what `kubectl get pods -A -o json` prints, or the same as YAML: lists of pods, single pods, several documents of
/// these. JSON is never held as a whole.
pub fn read_pods(input: impl Read, kept_keys: KeptKeys, coverage: Coverage) -> Result<Table, ReadError> {
    let mut items = Items::new(kept_keys, coverage);
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    match skip_to_content(&mut input)? {
        None => return Err(ReadError::Empty),
        Some(b'{' | b'[') => read_json(input, &mut items)?,
        Some(0xFE | 0xFF) => return Err(ReadError::Encoding),
        Some(_) => read_yaml(input, &mut items)?,
    }
    if items.are_no_pods() {
        return Err(ReadError::NotPods("a list of other things".to_owned()));
    }
    Ok(items.finish())
}

/// The first byte that is not white space, left unread.
fn skip_to_content(input: &mut impl BufRead) -> Result<Option<u8>, ReadError> {
    if input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        input.consume(3);
    }
    loop {
        let buffer = input.fill_buf()?;
        match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(blanks) => return Ok(buffer.get(blanks).copied()),
            None if buffer.is_empty() => return Ok(None),
            None => {
                let blanks = buffer.len();
                input.consume(blanks);
            }
        }
    }
}

/// Reads one or more JSON documents.
fn read_json(input: impl Read, items: &mut Items) -> Result<(), ReadError> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    loop {
        let kind = Document { items }.deserialize(&mut deserializer).map_err(json_error)?;
        check(kind)?;
        if deserializer.end().is_ok() {
            return Ok(());
        }
    }
}

fn read_yaml(input: impl Read, items: &mut Items) -> Result<(), ReadError> {
    let mut bytes = Vec::new();
    input.take(MAX_YAML_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_YAML_BYTES {
        return Err(ReadError::YamlTooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::Encoding)?;
    let documents = yaml::documents(&text);
    if documents.is_empty() {
        return Err(ReadError::Empty);
    }
    for document in documents {
        let kind =
            document.stream(Document { items }).map_err(|yaml::SyntaxError { line, column, message }| {
                ReadError::Syntax { line, column, message }
            })?;
        check(kind)?;
    }
    Ok(())
}

fn check(kind: Option<String>) -> Result<(), ReadError> {
    match kind {
        Some(kind) if matches!(kind.as_str(), "List" | "PodList" | "Pod") => Ok(()),
        Some(kind) => Err(ReadError::NotPods(format!("kind {kind:?}"))),
        None => Err(ReadError::NotPods("something without a kind".to_owned())),
    }
}

fn json_error(error: serde_json::Error) -> ReadError {
    if error.is_io() {
        return ReadError::Io(error.into());
    }
    let (line, column) = (error.line() as u64, error.column() as u64);
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    ReadError::Syntax { line, column, message }
}

/// Reads a list or a pod, and gives its kind, which kubectl prints after the items.
struct Document<'b> {
    items: &'b mut Items,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of pods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let mut pod = Item::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => pod.kind = map.next_value()?,
                "items" => map.next_value_seed(List { items: &mut *self.items })?,
                "metadata" => pod.metadata = map.next_value()?,
                "spec" => pod.spec = map.next_value()?,
                "status" => pod.status = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = pod.kind.clone();
        if kind.as_deref() == Some("Pod") {
            self.items.add(Some(pod));
        }
        Ok(kind)
    }
}

/// The items of a list.
struct List<'b> {
    items: &'b mut Items,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence of pods")
    }

    /// Go writes an empty list as null.
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            self.items.add(item);
        }
        Ok(())
    }
}

const WANTED: &str = "expected is what `kubectl get pods -A -o json` prints";

const BUFFER_BYTES: usize = 256 * 1024;

/// Some 20,000 pods with all that kubectl prints of them: text and table are in memory at the same time.
const MAX_YAML_BYTES: u64 = 256 * 1024 * 1024;
