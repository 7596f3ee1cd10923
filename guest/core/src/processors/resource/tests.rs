//! Tests of the actions against the Collector's results.

use serde_json::json;

use crate::context::Context;
use crate::interface::{Header, Request, Signal};
use crate::pipeline::Pipeline;
use crate::pipeline::fixture::{Table, pipeline};
use crate::resource::{Resource, Value};

fn actions(attributes: serde_json::Value) -> Pipeline {
    pipeline(&json!({"resource": {"attributes": attributes}}), &["resource"])
}

/// The attributes that one pipeline makes of `before`, for a client at 10.0.0.9 that sends `x-tenant` twice.
fn run<'a>(actions: &Pipeline, before: &[(&'a str, Value<'a>)]) -> Vec<(String, Value<'static>)> {
    run_from(actions, before, "10.0.0.9")
}

fn run_from<'a>(
    actions: &Pipeline,
    before: &[(&'a str, Value<'a>)],
    peer: &str,
) -> Vec<(String, Value<'static>)> {
    let headers = [Header::new("x-tenant", "blue"), Header::new("x-tenant", "green")];
    let request = Request {
        signal: Signal::Traces,
        path: "/",
        peer: peer.parse().ok(),
        headers: &headers,
        body: b"",
        now: None,
    };
    let table = Table::default();
    let context = Context::new(&request, request.peer, &table, true);
    let mut resource = Resource::default();
    for (key, value) in before {
        resource.insert(*key, value.clone());
    }
    assert!(actions.run(&mut resource, &context).pod.as_deref().is_none());
    resource.iter().map(|(key, value)| (key.to_owned(), value.clone().into_owned())).collect()
}

fn text(text: &str) -> Value<'_> {
    Value::string(text)
}

#[test]
fn each_action_does_what_the_collector_does() {
    type Attributes<'a> = &'a [(&'a str, Value<'a>)];
    let int = Value::Int;
    let cases: &[(serde_json::Value, Attributes<'_>, Attributes<'_>)] = &[
        // insert: only where the key is missing; one with an empty value is not.
        (json!({"key": "a", "value": "x", "action": "insert"}), &[], &[("a", text("x"))]),
        (json!({"key": "a", "value": "x", "action": "INSERT"}), &[("a", text(""))], &[("a", text(""))]),
        (json!({"key": "a", "value": "", "action": "insert"}), &[], &[("a", text(""))]),
        (json!({"key": "a", "value": 5, "action": "insert"}), &[], &[("a", int(5))]),
        (json!({"key": "a", "value": true, "action": "insert"}), &[], &[("a", Value::Bool(true))]),
        (json!({"key": "a", "value": 2.5, "action": "insert"}), &[], &[("a", Value::Double(2.5))]),
        (
            json!({"key": "a", "value": [1], "action": "insert"}),
            &[],
            &[("a", Value::Array(b"\x0a\x02\x18\x01".into()))],
        ),
        // from_attribute: the value with its type; nothing where it is missing.
        (
            json!({"key": "a", "from_attribute": "b", "action": "insert"}),
            &[("b", int(7))],
            &[("b", int(7)), ("a", int(7))],
        ),
        (
            json!({"key": "a", "from_attribute": "b", "action": "insert"}),
            &[("b", text(""))],
            &[("b", text("")), ("a", text(""))],
        ),
        (json!({"key": "a", "from_attribute": "b", "action": "insert"}), &[], &[]),
        (
            json!({"key": "a", "from_attribute": "b", "default_value": "d", "action": "insert"}),
            &[],
            &[("a", text("d"))],
        ),
        (json!({"key": "a", "default_value": 3, "action": "upsert"}), &[("a", text("x"))], &[("a", int(3))]),
        (
            json!({"key": "a", "value": "v", "default_value": "d", "action": "insert"}),
            &[],
            &[("a", text("v"))],
        ),
        // from_context
        (
            json!({"key": "a", "from_context": "metadata.X-Tenant", "action": "insert"}),
            &[],
            &[("a", text("blue;green"))],
        ),
        (
            json!({"key": "a", "from_context": "x-tenant", "action": "insert"}),
            &[],
            &[("a", text("blue;green"))],
        ),
        (json!({"key": "a", "from_context": "metadata.missing", "action": "insert"}), &[], &[]),
        (
            json!({"key": "a", "from_context": "metadata.missing", "default_value": "d", "action": "insert"}),
            &[],
            &[("a", text("d"))],
        ),
        (
            json!({"key": "a", "from_context": "client.address", "action": "insert"}),
            &[],
            &[("a", text("10.0.0.9"))],
        ),
        (json!({"key": "a", "from_context": "auth.subject", "action": "insert"}), &[], &[]),
        // update: only where the key is there.
        (json!({"key": "a", "value": "x", "action": "update"}), &[], &[]),
        (json!({"key": "a", "value": "x", "action": "update"}), &[("a", int(1))], &[("a", text("x"))]),
        (
            json!({"key": "a", "from_attribute": "b", "action": "update"}),
            &[("a", text("kept"))],
            &[("a", text("kept"))],
        ),
        // upsert: always.
        (json!({"key": "a", "value": "x", "action": "upsert"}), &[], &[("a", text("x"))]),
        (json!({"key": "a", "value": "x", "action": "Upsert"}), &[("a", text("y"))], &[("a", text("x"))]),
        // delete
        (json!({"key": "a", "action": "delete"}), &[("a", int(1)), ("ab", int(2))], &[("ab", int(2))]),
        (json!({"key": "a", "action": "delete"}), &[], &[]),
        (
            json!({"pattern": "b$", "action": "delete"}),
            &[("a", int(1)), ("ab", int(2)), ("bc", int(3))],
            &[("a", int(1)), ("bc", int(3))],
        ),
        (json!({"key": "a", "pattern": "^b", "action": "delete"}), &[("a", int(1)), ("bc", int(3))], &[]),
        // extract: texts only; groups become attributes, empty ones where a group did not match.
        (
            json!({"key": "a", "pattern": "^(?P<x>\\w+)-(?P<y>\\d+)?", "action": "extract"}),
            &[("a", text("shop-")), ("x", int(1))],
            &[("a", text("shop-")), ("x", text("shop")), ("y", text(""))],
        ),
        (
            json!({"key": "a", "pattern": "(?P<a>[0-9]+)", "action": "extract"}),
            &[("a", text("shop-17-x"))],
            &[("a", text("17"))],
        ),
        (
            json!({"key": "a", "pattern": "(?P<x>z)", "action": "extract"}),
            &[("a", text("y"))],
            &[("a", text("y"))],
        ),
        (json!({"key": "a", "pattern": "(?P<x>1)", "action": "extract"}), &[("a", int(1))], &[("a", int(1))]),
        (json!({"key": "a", "pattern": "(?P<x>1)", "action": "extract"}), &[], &[]),
        // convert: a value that cannot be converted stays.
        (
            json!({"key": "a", "converted_type": "int", "action": "convert"}),
            &[("a", text("12"))],
            &[("a", int(12))],
        ),
        (
            json!({"key": "a", "converted_type": "int", "action": "convert"}),
            &[("a", text("x"))],
            &[("a", text("x"))],
        ),
        (
            json!({"key": "a", "converted_type": "double", "action": "convert"}),
            &[("a", text("1e1"))],
            &[("a", Value::Double(10.0))],
        ),
        (
            json!({"key": "a", "converted_type": "string", "action": "convert"}),
            &[("a", Value::Map(b"\x0a\x0b\x0a\x01k\x12\x06\x0a\x04\"<x>".into()))],
            &[("a", text(r#"{"k":"\"\u003cx\u003e"}"#))],
        ),
        (json!({"key": "a", "converted_type": "string", "action": "convert"}), &[], &[]),
    ];
    for (action, before, after) in cases {
        let expected: Vec<_> =
            after.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into_owned())).collect();
        assert_eq!(run(&actions(json!([action])), before), expected, "{action} on {before:?}");
    }
}

#[test]
fn hashes_are_those_of_the_collector() {
    // The hashes are from sha256sum over the bytes that Go's hasher takes.
    let hash = |value: Value<'static>| {
        let hashed = run(&actions(json!([{"key": "a", "action": "hash"}])), &[("a", value)]);
        hashed[0].1.as_str().unwrap().to_owned()
    };
    for (value, expected) in [
        (text("hello"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        (Value::Bool(true), "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"),
        (Value::Bool(false), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (Value::Int(1), "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8"),
        (Value::Double(1.0), "6c3c396ed6b5c36dcae172271f462051b1266b851e92df3deea8ac65478fd712"),
        (text(""), ""),
        (Value::Empty, ""),
        (Value::Bytes(b"x".into()), ""),
        (Value::Array(b"".into()), ""),
    ] {
        assert_eq!(hash(value.clone()), expected, "{value:?}");
    }
}

#[test]
fn hashing_by_a_pattern_takes_every_key_that_matches() {
    let before = [("user.id", text("hello")), ("user.name", text("hello")), ("service", text("hello"))];
    let hashed = run(&actions(json!([{"pattern": "^user", "action": "hash"}])), &before);
    let changed: Vec<_> = hashed.iter().map(|(_, value)| *value != text("hello")).collect();
    assert_eq!(changed, [true, true, false]);
}

#[test]
fn actions_run_in_their_order_and_see_what_went_ahead() {
    let actions = actions(json!([
        {"key": "b", "from_attribute": "a", "action": "insert"},
        {"key": "a", "action": "delete"},
        {"key": "a", "value": "new", "action": "insert"},
        {"key": "b", "from_attribute": "a", "action": "update"},
    ]));
    assert_eq!(
        run(&actions, &[("a", text("old"))]),
        [("b".to_owned(), text("new")), ("a".to_owned(), text("new")),]
    );
}

#[test]
fn an_unknown_client_address_is_inserted_as_an_empty_text() {
    let actions = actions(json!([{"key": "a", "from_context": "client.address", "action": "insert"}]));
    assert_eq!(run_from(&actions, &[], "unknown"), [("a".to_owned(), text(""))]);
}
