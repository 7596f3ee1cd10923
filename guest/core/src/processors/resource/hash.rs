//! The `hash` action's hash.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::resource::Value;

/// SHA-256 of a value in lower-case hex, over the bytes that the Collector takes: numbers are eight bytes, little-endian. An
/// empty text and values of other kinds give an empty text, as in the Collector.
pub(crate) fn sha256<'a>(value: &Value<'_>) -> Value<'a> {
    let digest = match value {
        Value::String(text) if !text.is_empty() => Sha256::digest(text.as_bytes()),
        Value::Bool(flag) => Sha256::digest([u8::from(*flag)]),
        Value::Int(number) => Sha256::digest(number.to_le_bytes()),
        Value::Double(number) => Sha256::digest(number.to_bits().to_le_bytes()),
        Value::String(_) | Value::Empty | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
            return Value::string("");
        }
    };
    let mut hex = String::with_capacity(2 * digest.len());
    for byte in digest {
        // Writing to a String cannot fail.
        _ = write!(hex, "{byte:02x}");
    }
    Value::string(hex)
}
