//! The spans that the programs under `sdks/` make: the same in every language.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

const STEPS: usize = 1_200;

/// Every span once, with all that was said of it.
pub(crate) fn assert_shop(arrived: &[ResourceSpans]) {
    let scopes = arrived.iter().flat_map(|resource| &resource.scope_spans);
    let all: Vec<_> = scopes
        .flat_map(|scope| {
            let named = scope.scope.as_ref().unwrap();
            assert_eq!((&*named.name, &*named.version), ("shop", "1.2.3"));
            &scope.spans
        })
        .collect();
    let by_name: BTreeMap<_, _> = all.iter().map(|span| (span.name.as_str(), *span)).collect();
    assert_eq!((all.len(), by_name.len()), (STEPS + 5, STEPS + 5), "every span once");
    assert!((0..STEPS).all(|step| by_name.contains_key(&*format!("step {step}"))));

    let checkout = by_name["checkout"];
    for (name, kind) in
        [("checkout", 2), ("load cart", 1), ("GET /stock", 3), ("order placed", 4), ("order taken", 5)]
    {
        let span = by_name[name];
        assert_eq!((span.kind, &span.trace_id), (kind, &checkout.trace_id), "{name}");
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8), "{name}");
        let parent: &[u8] = if name == "checkout" { &[] } else { &checkout.span_id };
        assert_eq!(span.parent_span_id, parent, "{name}");
        assert!(
            span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano,
            "{name}"
        );
    }
    assert_attributes(checkout);
    let (placed, taken, stock) = (by_name["order placed"], by_name["order taken"], by_name["GET /stock"]);
    assert_eq!(taken.links[0].span_id, placed.span_id);
    assert_eq!(stock.links[0].span_id, checkout.span_id);
    assert_eq!(stock.links[0].attributes, [attribute("why", text("same cart"))]);

    let status =
        |span: &Span| span.status.clone().map_or((0, String::new()), |status| (status.code, status.message));
    assert_eq!(status(taken), (1, String::new()));
    assert_eq!(status(checkout), (2, "out of stock: 缺貨".to_owned()));
    assert_eq!(checkout.events.len(), 2);
    assert_eq!(checkout.events[0].name, "cart read");
    assert_eq!(checkout.events[0].attributes, [attribute("items", Value::IntValue(3))]);
    let exception = &checkout.events[1];
    assert_eq!(exception.name, "exception");
    assert!(
        exception.attributes.contains(&attribute("exception.message", text("nothing on the shelf: 缺貨")))
    );
}

fn assert_attributes(checkout: &Span) {
    let double = Value::DoubleValue;
    let int = Value::IntValue;
    for (key, value) in [
        ("text", text("naïve café 缺貨 🛒")),
        ("empty", text("")),
        ("long", text(&"長".repeat(20_000))),
        ("true", Value::BoolValue(true)),
        ("int", int(9_007_199_254_740_991)),
        ("negative", int(-42)),
        ("double", double(0.1)),
        ("texts", array(vec![text("a"), text("ß"), text("")])),
        ("bools", array(vec![Value::BoolValue(true), Value::BoolValue(false)])),
        ("ints", array(vec![int(1), int(-2)])),
        ("doubles", array(vec![double(0.5), double(1.5e-300)])),
    ] {
        let found = checkout.attributes.iter().find(|attribute| attribute.key == key);
        assert_eq!(found, Some(&attribute(key, value)));
    }
    assert_eq!(checkout.attributes.len(), 11);
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn array(values: Vec<Value>) -> Value {
    Value::ArrayValue(ArrayValue {
        values: values.into_iter().map(|value| AnyValue { value: Some(value) }).collect(),
    })
}
