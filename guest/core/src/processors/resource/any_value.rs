//! `AnyValue` and its kin (opentelemetry-proto, common/v1): from JSON to bytes, and from bytes to parts.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::bounds::MAX_DEPTH;
use crate::resource::Value;
use crate::wire::{
    FIXED64, LENGTH, VARINT, fixed, length_delimited, put_field, put_varint, skip, tag, varint,
};

/// A configured value, where `null` is `Empty`. The error says what cannot be a value.
pub(crate) fn from_json(json: &Json) -> Result<Value<'static>, &'static str> {
    from_nested(json, MAX_DEPTH)
}

fn from_nested(json: &Json, depth: u32) -> Result<Value<'static>, &'static str> {
    let depth = depth.checked_sub(1).ok_or("is nested too deep")?;
    Ok(match json {
        Json::Null => Value::Empty,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) if !json.is_u64() => Value::Double(number),
            _ => return Err("is a whole number beyond 64 bits"),
        },
        Json::String(text) => Value::string(text.clone()),
        Json::Array(items) => {
            let mut bytes = Vec::new();
            for item in items {
                put_field(&mut bytes, 1, &encode(&from_nested(item, depth)?));
            }
            Value::Array(bytes.into())
        }
        Json::Object(map) => {
            let mut bytes = Vec::new();
            for (key, value) in map {
                let mut pair = Vec::new();
                put_field(&mut pair, 1, key.as_bytes());
                put_field(&mut pair, 2, &encode(&from_nested(value, depth)?));
                put_field(&mut bytes, 1, &pair);
            }
            Value::Map(bytes.into())
        }
    })
}

/// The bytes of an AnyValue.
fn encode(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Empty => {}
        Value::String(text) => put_field(&mut out, STRING, text.as_bytes()),
        Value::Bool(flag) => {
            put_varint(&mut out, u64::from(BOOL << 3 | u32::from(VARINT)));
            out.push(u8::from(*flag));
        }
        Value::Int(number) => {
            put_varint(&mut out, u64::from(INT << 3 | u32::from(VARINT)));
            put_varint(&mut out, number.cast_unsigned());
        }
        Value::Double(number) => {
            put_varint(&mut out, u64::from(DOUBLE << 3 | u32::from(FIXED64)));
            out.extend(number.to_le_bytes());
        }
        Value::Array(bytes) => put_field(&mut out, ARRAY, bytes),
        Value::Map(bytes) => put_field(&mut out, MAP, bytes),
        Value::Bytes(bytes) => put_field(&mut out, BYTES, bytes),
    }
    out
}

/// The items of an ArrayValue; `None` where its bytes are malformed.
pub(crate) fn items(bytes: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut items = Vec::new();
    each_field(bytes, |field| {
        if let (1, Content::Bytes(bytes)) = field {
            items.push(decode(bytes)?);
        }
        Some(())
    })?;
    Some(items)
}

/// Keys and values of a KeyValueList; `None` where its bytes are malformed.
pub(crate) fn entries(bytes: &[u8]) -> Option<Vec<(&str, Value<'_>)>> {
    let mut entries = Vec::new();
    each_field(bytes, |field| {
        if let (1, Content::Bytes(pair)) = field {
            let (mut key, mut value) = ("", Value::Empty);
            each_field(pair, |field| {
                match field {
                    (1, Content::Bytes(bytes)) => key = std::str::from_utf8(bytes).ok()?,
                    (2, Content::Bytes(bytes)) => value = decode(bytes)?,
                    _ => {}
                }
                Some(())
            })?;
            entries.push((key, value));
        }
        Some(())
    })?;
    Some(entries)
}

/// Reads an AnyValue: of several fields the last counts.
fn decode(bytes: &[u8]) -> Option<Value<'_>> {
    let mut value = Value::Empty;
    each_field(bytes, |field| {
        value = match field {
            (STRING, Content::Bytes(bytes)) => Value::string(std::str::from_utf8(bytes).ok()?),
            (BOOL, Content::Varint(number)) => Value::Bool(number != 0),
            (INT, Content::Varint(number)) => Value::Int(number.cast_signed()),
            (DOUBLE, Content::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (ARRAY, Content::Bytes(bytes)) => Value::Array(Cow::Borrowed(bytes)),
            (MAP, Content::Bytes(bytes)) => Value::Map(Cow::Borrowed(bytes)),
            (BYTES, Content::Bytes(bytes)) => Value::Bytes(Cow::Borrowed(bytes)),
            (STRING..=BYTES, _) => return None,
            _ => return Some(()),
        };
        Some(())
    })?;
    Some(value)
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Other,
}

fn each_field<'a>(bytes: &'a [u8], mut visit: impl FnMut((u32, Content<'a>)) -> Option<()>) -> Option<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (field, wire, after) = tag(rest).ok()?;
        let (content, next) = match wire {
            VARINT => varint(after).map(|(number, next)| (Content::Varint(number), next)).ok()?,
            LENGTH => length_delimited(after).map(|(bytes, next)| (Content::Bytes(bytes), next)).ok()?,
            FIXED64 => {
                let bits = after.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))?;
                (Content::Fixed64(bits), fixed(after, 8).ok()?)
            }
            _ => (Content::Other, skip(field, wire, after, MAX_DEPTH).ok()?),
        };
        visit((field, content))?;
        rest = next;
    }
    Some(())
}

/// Fields of AnyValue.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const MAP: u32 = 6;
const BYTES: u32 = 7;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Proto;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    fn any(value: Proto) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn pair(key: &str, value: Proto) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
    }

    #[test]
    fn configured_arrays_and_maps_are_what_prost_would_write() {
        let list = ArrayValue {
            values: vec![
                any(Proto::IntValue(-1)),
                any(Proto::StringValue("x".to_owned())),
                any(Proto::DoubleValue(0.5)),
                any(Proto::BoolValue(false)),
                AnyValue { value: None },
            ],
        };
        let map = KeyValueList {
            values: vec![pair("a", Proto::ArrayValue(list.clone())), pair("b", Proto::BoolValue(true))],
        };
        let document = json!({"a": [-1, "x", 0.5, false, null], "b": true});
        assert_eq!(from_json(&document), Ok(Value::Map(map.encode_to_vec().into())));
        let Ok(Value::Array(bytes)) = from_json(&document["a"]) else { panic!("no array") };
        assert_eq!(*bytes, list.encode_to_vec());
        let read = items(&bytes).unwrap();
        assert_eq!(
            read,
            [Value::Int(-1), Value::string("x"), Value::Double(0.5), Value::Bool(false), Value::Empty]
        );
    }

    #[test]
    fn what_is_no_value_is_told() {
        assert!(from_json(&json!(u64::MAX)).is_err());
        let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(from_json(&deep), Err("is nested too deep"));
    }

    #[test]
    fn broken_bytes_give_nothing() {
        for bytes in [&b"\x0a"[..], b"\x0a\x02\x08", b"\x0a\x03\x0a\x01\xff", b"\x0a\x02\x08\x01", b"\x07"] {
            assert_eq!(items(bytes), None, "{bytes:?}");
        }
        assert_eq!(entries(b"\x0a\x03\x0a\x01\xff"), None);
    }
}
