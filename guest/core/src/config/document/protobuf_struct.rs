//! A document as `google.protobuf.Struct` in its own bytes, which is what Envoy hands to a plugin.

use serde_json::{Map, Number, Value};

use crate::bounds::MAX_DEPTH;
use crate::wire::{self, FIXED64, LENGTH, VARINT};

/// Reads a serialized `google.protobuf.Struct`. None where the bytes are none.
pub fn from_struct(bytes: &[u8]) -> Option<Value> {
    read_struct(bytes, MAX_DEPTH)
}

fn read_struct(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut map = Map::new();
    for_lengths(bytes, |number, entry| {
        let (mut key, mut value) = (String::new(), Value::Null);
        for_lengths(entry, |number, content| {
            match number {
                1 => key = wire::text(content).ok()?.to_owned(),
                2 => value = read_value(content, depth.checked_sub(1)?)?,
                _ => {}
            }
            Some(())
        })?;
        if number == 1 {
            map.insert(key, value);
        }
        Some(())
    })?;
    Some(Value::Object(map))
}

fn read_list(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut list = Vec::new();
    for_lengths(bytes, |number, content| {
        if number == 1 {
            list.push(read_value(content, depth.checked_sub(1)?)?);
        }
        Some(())
    })?;
    Some(Value::Array(list))
}

/// `google.protobuf.Value`: one of null, number, text, truth, struct and list.
fn read_value(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut value = Value::Null;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, kind, after) = wire::tag(rest).ok()?;
        rest = wire::skip(number, kind, after, depth).ok()?;
        value = match (number, kind) {
            (1, VARINT) => Value::Null,
            (2, FIXED64) => number_of(f64::from_le_bytes(*after.first_chunk()?)),
            (4, VARINT) => Value::Bool(wire::varint(after).ok()?.0 != 0),
            (3 | 5 | 6, LENGTH) => {
                let (content, _) = wire::length_delimited(after).ok()?;
                match number {
                    3 => Value::String(wire::text(content).ok()?.to_owned()),
                    5 => read_struct(content, depth)?,
                    _ => read_list(content, depth)?,
                }
            }
            _ => value,
        };
    }
    Some(value)
}

/// A Struct has only doubles, where a document means whole numbers.
fn number_of(number: f64) -> Value {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
        return Value::Number(whole.into());
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Calls with the content of each field that has a length, and passes over the others.
fn for_lengths<'b>(bytes: &'b [u8], mut call: impl FnMut(u32, &'b [u8]) -> Option<()>) -> Option<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, kind, after) = wire::tag(rest).ok()?;
        rest = wire::skip(number, kind, after, MAX_DEPTH).ok()?;
        if kind == LENGTH {
            call(number, wire::length_delimited(after).ok()?.0)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::put_field;

    fn value(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        match value {
            Value::Null => bytes.extend([0x08, 0]),
            Value::Number(number) => {
                bytes.push(0x11);
                bytes.extend(number.as_f64().unwrap().to_le_bytes());
            }
            Value::String(text) => put_field(&mut bytes, 3, text.as_bytes()),
            Value::Bool(bool) => bytes.extend([0x20, u8::from(*bool)]),
            Value::Object(_) => put_field(&mut bytes, 5, &structure(value)),
            Value::Array(list) => {
                let mut items = Vec::new();
                list.iter().for_each(|item| put_field(&mut items, 1, &self::value(item)));
                put_field(&mut bytes, 6, &items);
            }
        }
        bytes
    }

    fn structure(document: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, item) in document.as_object().unwrap() {
            let mut entry = Vec::new();
            put_field(&mut entry, 1, key.as_bytes());
            put_field(&mut entry, 2, &value(item));
            put_field(&mut bytes, 1, &entry);
        }
        bytes
    }

    #[test]
    fn documents_come_back() {
        let document = json!({
            "processors": {"k8sattributes": null, "resource": {"attributes": [{"key": "a", "value": 12}, []]}},
            "empty": {}, "number": 1.5, "large": 9_007_199_254_740_991_i64, "no": false, "yes": true, "text": "ä",
        });
        assert_eq!(from_struct(&structure(&document)), Some(document));
        assert_eq!(from_struct(b""), Some(json!({})));
    }

    #[test]
    fn what_is_no_struct_gives_none() {
        let whole = structure(&json!({"a": {"b": ["c", 1]}}));
        for end in 1..whole.len() {
            assert_eq!(from_struct(&whole[..end]), None, "{end}");
        }
        for bytes in [b"processors: {}".as_slice(), b"{\"a\": 1}", &[0xff; 30]] {
            assert_eq!(from_struct(bytes), None, "{bytes:?}");
        }
        let deep = (0..200).fold(json!(1), |inner, _| json!({"a": inner}));
        assert_eq!(from_struct(&structure(&deep)), None);
    }
}
