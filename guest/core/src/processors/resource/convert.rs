//! The `convert` action.

use super::text::as_text;
use crate::resource::Value;

/// The type to convert to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Int,
    Double,
    String,
}

impl Target {
    /// The converted value; `None` where the value stays, since it needs no conversion or allows none.
    pub(crate) fn convert<'a>(self, value: &Value<'a>) -> Option<Value<'a>> {
        match (self, value) {
            (Self::Int, Value::String(text)) => text.parse().ok().map(Value::Int),
            // The fraction is cut off. Beyond 64 bits Go's result depends on the processor; here it is the nearest integer.
            (Self::Int, Value::Double(number)) => Some(Value::Int(*number as i64)),
            (Self::Int, Value::Bool(flag)) => Some(Value::Int(i64::from(*flag))),
            (Self::Double, Value::String(text)) => parse_float(text).map(Value::Double),
            (Self::Double, Value::Int(number)) => Some(Value::Double(*number as f64)),
            (Self::Double, Value::Bool(flag)) => Some(Value::Double(f64::from(u8::from(*flag)))),
            (Self::String, Value::String(_)) => None,
            (Self::String, other) => as_text(other).map(Value::string),
            (Self::Int | Self::Double, _) => None,
        }
    }
}

/// Reads a number as Go's `ParseFloat` does, except hexadecimal ones, which stay texts.
fn parse_float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    // Rust reads 1e999 as infinite where Go calls it out of range.
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    (number.is_finite() || !has_digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_converted_as_go_converts_them() {
        let text = Value::string;
        for (target, from, expected) in [
            (Target::Int, text("42"), Some(Value::Int(42))),
            (Target::Int, text("+7"), Some(Value::Int(7))),
            (Target::Int, text("-9223372036854775808"), Some(Value::Int(i64::MIN))),
            (Target::Int, text("9223372036854775808"), None),
            (Target::Int, text("4.2"), None),
            (Target::Int, text("0x10"), None),
            (Target::Int, text(" 1"), None),
            (Target::Int, text(""), None),
            (Target::Int, Value::Double(-3.99), Some(Value::Int(-3))),
            (Target::Int, Value::Bool(true), Some(Value::Int(1))),
            (Target::Int, Value::Int(5), None),
            (Target::Int, Value::Empty, None),
            (Target::Double, text("1.5e3"), Some(Value::Double(1500.0))),
            (Target::Double, text("-Inf"), Some(Value::Double(f64::NEG_INFINITY))),
            (Target::Double, text("1e999"), None),
            (Target::Double, text("one"), None),
            (Target::Double, Value::Int(3), Some(Value::Double(3.0))),
            (Target::Double, Value::Bool(false), Some(Value::Double(0.0))),
            (Target::Double, Value::Bytes(b"1".into()), None),
            (Target::String, text("x"), None),
            (Target::String, Value::Bool(true), Some(text("true"))),
            (Target::String, Value::Int(-5), Some(text("-5"))),
            (Target::String, Value::Empty, Some(text(""))),
            (Target::String, Value::Bytes(b"foob".into()), Some(text("Zm9vYg=="))),
            (Target::String, Value::Array(b"\x01".into()), None),
        ] {
            assert_eq!(target.convert(&from), expected, "{target:?} {from:?}");
        }
    }
}
