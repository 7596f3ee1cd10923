//! Values as text, as the Collector's pdata writes them (`Value.AsString`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::any_value::{entries, items};
use crate::base64;
use crate::bounds::MAX_DEPTH;
use crate::resource::Value;

/// A value's text; `None` where the value's bytes are malformed.
pub(crate) fn as_text(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Empty => String::new(),
        Value::String(text) => text.clone().into_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => match float(*number) {
            Ok(text) => text,
            // pdata writes out the error of Go's JSON encoder.
            Err(name) => format!("json: unsupported value: {name}"),
        },
        Value::Bytes(bytes) => base64::encode(bytes),
        Value::Array(_) | Value::Map(_) => {
            let mut out = String::new();
            match write_json(&mut out, value, MAX_DEPTH) {
                Ok(()) => out,
                // pdata drops the error of Go's JSON encoder.
                Err(Failed::NotJson) => String::new(),
                Err(Failed::Malformed) => return None,
            }
        }
    })
}

enum Failed {
    /// A number that JSON cannot write.
    NotJson,
    /// Bytes that are not a message of that kind, or one nested too deep.
    Malformed,
}

fn write_json(out: &mut String, value: &Value<'_>, depth: u32) -> Result<(), Failed> {
    let depth = depth.checked_sub(1).ok_or(Failed::Malformed)?;
    match value {
        Value::Empty => out.push_str("null"),
        Value::String(text) => write_quoted(out, text),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) => out.push_str(&float(*number).map_err(|_| Failed::NotJson)?),
        Value::Bytes(bytes) => write_quoted(out, &base64::encode(bytes)),
        Value::Array(bytes) => {
            out.push('[');
            for (index, item) in items(bytes).ok_or(Failed::Malformed)?.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item, depth)?;
            }
            out.push(']');
        }
        Value::Map(bytes) => {
            out.push('{');
            // Go sorts the keys; of a repeated one the last counts.
            let sorted: BTreeMap<_, _> = entries(bytes).ok_or(Failed::Malformed)?.into_iter().collect();
            for (index, (key, value)) in sorted.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_quoted(out, key);
                out.push(':');
                write_json(out, value, depth)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A number as Go's JSON encoder and JavaScript write it. The error is the name of a number that JSON lacks.
fn float(number: f64) -> Result<String, &'static str> {
    if number.is_nan() {
        return Err("NaN");
    }
    if number.is_infinite() {
        return Err(if number > 0.0 { "+Inf" } else { "-Inf" });
    }
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Ok(number.to_string());
    }
    let text = format!("{number:e}");
    Ok(if size < 1.0 { text } else { text.replace('e', "e+") })
}

/// A text as Go's JSON encoder writes it, which also escapes what HTML would read as markup.
fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::any_value::from_json;
    use super::*;

    #[test]
    fn doubles_look_as_in_javascript() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
        ] {
            assert_eq!(as_text(&Value::Double(number)).as_deref(), Some(expected));
        }
        assert_eq!(as_text(&Value::Double(f64::NAN)).as_deref(), Some("json: unsupported value: NaN"));
        assert_eq!(as_text(&Value::Double(f64::INFINITY)).as_deref(), Some("json: unsupported value: +Inf"));
    }

    #[test]
    fn arrays_and_maps_become_json_with_sorted_keys() {
        let document = json!({"b": [1, 2.5, true, null, "<a&\"\u{2028}\n\u{1}\">"], "a": {"x": {}}, "é": []});
        let value = from_json(&document).unwrap();
        let expected =
            r#"{"a":{"x":{}},"b":[1,2.5,true,null,"\u003ca\u0026\"\u2028\n\u0001\"\u003e"],"é":[]}"#;
        assert_eq!(as_text(&value).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_malformed_or_nested_too_deep_has_no_text() {
        assert_eq!(as_text(&Value::Map(b"\x0a\x05\x0a".into())), None);
        let mut bytes = Vec::new();
        for _ in 0..200 {
            // AnyValue { array_value: bytes } as the only item of the next ArrayValue.
            let mut any = Vec::new();
            crate::wire::put_field(&mut any, 5, &bytes);
            bytes.clear();
            crate::wire::put_field(&mut bytes, 1, &any);
        }
        assert_eq!(as_text(&Value::Array(bytes.into())), None);
    }
}
