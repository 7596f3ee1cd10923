//! Attributes as the agent understood them.

use serde_json::json;

use crate::message::{AnyValue, KeyValue, any_value};

/// One attribute of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its key; nothing keeps a resource from having the same key twice.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None, or of a type that is newer than the agent.
    Empty,
    /// Text.
    String(String),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// A list of values.
    Array(Vec<Self>),
    /// A list of attributes.
    Map(Vec<Attribute>),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Attribute {
    /// `{"key": .., "value": ..}`, as in OTLP/JSON.
    pub fn to_json(&self) -> serde_json::Value {
        json!({ "key": self.key, "value": self.value.to_json() })
    }
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// `{"stringValue": ..}` and so on, as in OTLP/JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Empty => json!({}),
            Self::String(text) => json!({ "stringValue": text }),
            Self::Bool(truth) => json!({ "boolValue": truth }),
            Self::Int(number) => json!({ "intValue": number.to_string() }),
            Self::Double(number) if number.is_finite() => json!({ "doubleValue": number }),
            Self::Double(number) if number.is_nan() => json!({ "doubleValue": "NaN" }),
            Self::Double(number) => {
                json!({ "doubleValue": if number.is_sign_positive() { "Infinity" } else { "-Infinity" } })
            }
            Self::Array(values) => {
                let values: Vec<_> = values.iter().map(Self::to_json).collect();
                json!({ "arrayValue": { "values": values } })
            }
            Self::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(Attribute::to_json).collect();
                json!({ "kvlistValue": { "values": entries } })
            }
            Self::Bytes(bytes) => json!({ "bytesValue": base64(bytes) }),
        }
    }
}

impl From<KeyValue> for Attribute {
    fn from(message: KeyValue) -> Self {
        Self { key: message.key, value: message.value.map_or(Value::Empty, Value::from) }
    }
}

impl From<AnyValue> for Value {
    /// Recurses no deeper than prost did when it decoded the message.
    fn from(message: AnyValue) -> Self {
        match message.value {
            None => Self::Empty,
            Some(any_value::Value::String(text)) => Self::String(text),
            Some(any_value::Value::Bool(truth)) => Self::Bool(truth),
            Some(any_value::Value::Int(number)) => Self::Int(number),
            Some(any_value::Value::Double(number)) => Self::Double(number),
            Some(any_value::Value::Array(array)) => {
                Self::Array(array.values.into_iter().map(Self::from).collect())
            }
            Some(any_value::Value::KeyValueList(list)) => {
                Self::Map(list.values.into_iter().map(Attribute::from).collect())
            }
            Some(any_value::Value::Bytes(bytes)) => Self::Bytes(bytes),
        }
    }
}

/// Base64 with padding, which OTLP/JSON asks for.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = match (group >> (18 - 6 * position)) as u8 & 63 {
                _ if position > chunk.len() => b'=',
                digit @ 0..=25 => b'A' + digit,
                digit @ 26..=51 => b'a' + (digit - 26),
                digit @ 52..=61 => b'0' + (digit - 52),
                62 => b'+',
                _ => b'/',
            };
            text.push(char::from(digit));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_padded_base64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn every_type_keeps_its_name_in_json() {
        let value = Value::Array(vec![
            Value::Empty,
            Value::Bool(true),
            Value::Int(-7),
            Value::Double(0.5),
            Value::Double(f64::NEG_INFINITY),
            Value::Map(vec![Attribute { key: "k".into(), value: Value::String("v".into()) }]),
        ]);
        let expected = json!({ "arrayValue": { "values": [
            {}, { "boolValue": true }, { "intValue": "-7" }, { "doubleValue": 0.5 }, { "doubleValue": "-Infinity" },
            { "kvlistValue": { "values": [{ "key": "k", "value": { "stringValue": "v" } }] } },
        ] } });
        assert_eq!(value.to_json(), expected);
    }
}
