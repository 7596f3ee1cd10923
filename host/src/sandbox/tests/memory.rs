//! The memory of an instance, over many calls.

use super::*;

/// Finds one pod, whatever is asked.
struct OnePod;

impl Directory for OnePod {
    fn find(&self, _: &[Term<'_>], _: Details) -> Lookup {
        let pairs = |kind: &str| vec![(format!("{kind}-hash"), "1".to_owned())];
        Lookup::Found(Box::new(Pod {
            name: "web-1".into(),
            namespace: "shop".into(),
            uid: "u1".into(),
            ips: vec![[10, 1, 2, 3].into()],
            labels: pairs("label"),
            annotations: pairs("annotation"),
            ..Pod::default()
        }))
    }
}

/// A document with one processor of that kind.
fn document(name: &str, processor: Value) -> Value {
    json!({
        "processors": {name: processor},
        "exporters": {"otlphttp": {"traces_endpoint": "http://127.0.0.1:1/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"processors": [name], "exporters": ["otlphttp"]}}},
    })
}

fn resource(action: Value) -> Value {
    document("resource", json!({"attributes": [action]}))
}

fn kubernetes(section: Value) -> Value {
    document("k8sattributes", section)
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}

/// A request with one attribute of its resource, and one span with a name of so many bytes.
fn request(key: &str, value: &str, name: usize) -> Vec<u8> {
    let any_value = field(1, value.as_bytes());
    let attribute = [field(1, key.as_bytes()), field(2, &any_value)].concat();
    let resource = field(1, &field(1, &attribute));
    let span = field(5, &vec![b'x'; name]);
    let scope_spans = field(2, &field(2, &span));
    field(1, &[resource, scope_spans].concat())
}

#[test]
fn memory_stays_flat_over_a_thousand_large_calls_with_each_kind_of_rule() {
    let guest = Guest::embedded(LIMITS).unwrap();
    // The key and its text are longer from call to call, so that nothing fits where something like it was before.
    for (kind, document) in [
        ("pattern of delete", resource(json!({"pattern": "^(secret|token).*(?:x|y)?$", "action": "delete"}))),
        ("pattern of hash", resource(json!({"pattern": "^(secret|token).*(?:x|y)?$", "action": "hash"}))),
        (
            "extract",
            resource(
                json!({"key": "secret.0", "pattern": "^(?P<a>.*)-(?P<b>(?:x|y)*)$", "action": "extract"}),
            ),
        ),
        ("convert", resource(json!({"key": "secret.0", "action": "convert", "converted_type": "int"}))),
        (
            "key_regex of labels",
            kubernetes(
                json!({"extract": {"labels": [{"key_regex": "(.*)-(hash|x*)", "tag_name": "l.$1", "from": "pod"}]}}),
            ),
        ),
        (
            "key_regex of annotations",
            kubernetes(json!({"extract": {"annotations": [{"key_regex": "(.*)-(hash|x*)", "from": "pod"}]}})),
        ),
        ("name of exclude", kubernetes(json!({"exclude": {"pods": [{"name": "^(stock|cart)-.*(a|b)$"}]}}))),
        (
            "filter of labels",
            kubernetes(json!({"filter": {"labels": [{"key": "label-hash", "op": "exists"}]}})),
        ),
        ("the default", serde_json::from_str(podstamp_core::config::DEFAULT_DOCUMENT).unwrap()),
    ] {
        let plan = Plan::new(guest.clone(), document.to_string(), Arc::new(OnePod));
        let (mut instance, _) = plan.instantiate().unwrap();
        let mut early = 0;
        for call in 0..1_000 {
            let key = format!("secret.{}", call % 2);
            let text = "tok\u{fc}n-xy".repeat(1 + call / 100);
            let prepared = instance.prepare(&incoming(request(&key, &text, 128 << 10))).unwrap();
            assert!(matches!(prepared.verdict, Verdict::Forward(_)), "{kind}: {prepared:?}");
            assert!(instance.has_room(0), "{kind}: it holds too much after {call} calls");
            if call == 10 {
                early = instance.memory();
            }
        }
        // A cache that grew may have cost the memory of a call or two, each of them less than a MiB.
        assert!(instance.memory() <= early + (4 << 20), "{kind}: {} after {early}", instance.memory());
    }
}

fn keeping(memory: usize, body: usize) -> Sandbox {
    let component = std::fs::read(podstamp_test_guests::FAULTY).unwrap();
    let guest = Guest::compile(&component, Settings { memory, body, ..LIMITS }).unwrap();
    Sandbox::new(&guest, String::new(), Arc::new(OnePod)).unwrap()
}

fn kept(size: usize) -> ReceivedRequest {
    let mut body = b"keep".to_vec();
    body.resize(size, 0);
    incoming(body)
}

#[test]
fn an_instance_that_keeps_more_than_its_calls_explain_is_replaced_before_it_runs_out() {
    let sandbox = keeping(64 << 20, 4 << 20);
    for _ in 0..200 {
        sandbox.prepare(&kept(1 << 20)).unwrap();
        let memory = sandbox.lock().idle.first().unwrap().memory();
        assert!(memory < 32 << 20, "{memory}");
    }
}

#[test]
fn a_call_that_ran_out_of_memory_that_others_left_is_made_again_in_another_instance() {
    let sandbox = keeping(24 << 20, 16 << 20);
    for _ in 0..5 {
        sandbox.prepare(&kept(10 << 20)).unwrap();
    }
    // What no instance has room for fails, and once.
    assert_eq!(sandbox.prepare(&kept(40 << 20)).unwrap_err(), Failure::MemoryLimit(24 << 20));
    sandbox.prepare(&kept(10 << 20)).unwrap();
}
