//! Whether a value differs from the Collector's default.

use serde_json::Value;

use super::quantity;

/// Whether a value says something: it is neither null nor empty nor the default. As in print-config, which prints all
/// keys, a section does where a key in it does.
pub(crate) fn says_something(value: &Value, default: Option<&Value>) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag != default.and_then(Value::as_bool).unwrap_or_default(),
        Value::Number(number) => {
            number.as_f64() != default.map_or(Some(0.0), Value::as_f64)
                && default.is_none_or(|default| !is_same(value, default))
        }
        Value::String(text) => !text.is_empty() && default.is_none_or(|default| !is_same(value, default)),
        Value::Array(items) => !items.is_empty() && default != Some(value),
        Value::Object(map) => map.iter().any(|(key, value)| match default.map(|default| default.get(key)) {
            // A section that may be left out has it, to say that it is meant.
            Some(Some(Value::Null)) if key == ENABLED => false,
            default => says_something(value, default.flatten()),
        }),
    }
}

/// `1m` and `60s` are the same, and so are 60,000,000,000 nanoseconds.
fn is_same(value: &Value, default: &Value) -> bool {
    let duration = |value: &Value| match value {
        Value::String(text) => quantity::duration(text).ok(),
        Value::Number(number) => quantity::nanoseconds(number),
        _ => None,
    };
    value == default || duration(value).is_some_and(|value| duration(default) == Some(value))
}

/// Turns a section off that is written.
pub(crate) const ENABLED: &str = "enabled";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_empty_and_default_say_nothing() {
        let default = json!({
            "on": true, "count": 5, "time": "1m30s", "list": ["a"], "none": null,
            "optional": {"enabled": null, "size": 1}, "plain": {"enabled": true},
        });
        for value in [
            json!({}),
            json!(null),
            json!(""),
            json!([]),
            json!({"on": true, "count": 5.0, "time": "90s", "list": ["a"], "none": ""}),
            json!({"time": 90_000_000_000_u64}),
            json!({"on": null, "count": null, "time": "", "list": [], "other": false, "number": 0}),
            json!({"optional": {"enabled": true, "size": 1}, "plain": {"enabled": true}}),
        ] {
            assert!(!says_something(&value, Some(&default)), "{value}");
        }
        for value in [
            json!({"on": false}),
            json!({"count": 6}),
            json!({"time": "1m"}),
            json!({"list": ["a", "b"]}),
            json!({"none": "x"}),
            json!({"optional": {"size": 2}}),
            json!({"plain": {"enabled": false}}),
            json!({"other": true}),
        ] {
            assert!(says_something(&value, Some(&default)), "{value}");
        }
    }
}
