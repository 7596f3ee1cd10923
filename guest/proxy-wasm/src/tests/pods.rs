//! Pods from a podstamp.

use podstamp_core::directory::{Field, Fields};
use podstamp_pods::{Coverage, KeptKeys, PodParts, Slot, Table, listing};
use serde_json::json;

use super::proxy::{Stream, answer_call, buffer, metric, proxy, root, tick};
use super::requests::{HTTP, stamped};
use crate::abi::Buffer;

/// A root that gets its pods from a podstamp, and finds them by their name.
fn with_pods() -> u32 {
    with_pods_by("k8s.pod.name")
}

/// The same, with pods that are found by another attribute.
fn with_pods_by(attribute: &str) -> u32 {
    let document = json!({
        "processors": {"k8sattributes": {
            "pod_association": [{"sources": [{"from": "resource_attribute", "name": attribute}]}],
            "extract": {"metadata": ["k8s.pod.ip"]},
        }},
        "exporters": {"otlphttp": {"traces_endpoint": "http://agent/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"processors": ["k8sattributes"], "exporters": ["otlphttp"]}}},
        "podstamp": {"proxy_wasm": {"pods": {"cluster": "podstamp"}}},
    });
    root(&document.to_string()).unwrap()
}

/// A table with one pod.
fn table(address: [u8; 4]) -> Table {
    let fields = Fields::NONE.with(Field::Namespace).with(Field::Uid);
    let mut table = Table::new(fields, KeptKeys::default(), Coverage::Cluster);
    put(&mut table, "cart-0", address);
    table
}

fn put(table: &mut Table, name: &str, address: [u8; 4]) -> Slot {
    let pod = PodParts {
        name: name.into(),
        uid: format!("uid-{name}").into(),
        ips: vec![address.into()],
        ..PodParts::default()
    };
    table.upsert(&pod).unwrap()
}

/// All pods of a table.
fn listing(address: [u8; 4]) -> String {
    listing::write_full(&table(address), Fields::ALL)
}

/// The path of a call.
fn path(call: usize) -> String {
    let headers = proxy(|proxy| proxy.calls[call].headers.clone());
    let path = headers.into_iter().find(|header| header.name == ":path").unwrap();
    String::from_utf8(path.value).unwrap()
}

/// Sends a span of pod `cart-0`, and tells whether it was stamped with that address.
fn finds(root: u32, address: &str) -> bool {
    let attribute = b"\x0a\x0ck8s.pod.name\x12\x08\x0a\x06cart-0";
    let resource = [b"\x0a\x18".as_slice(), attribute].concat();
    let batch = [b"\x0a\x1c\x0a\x1a".as_slice(), &resource].concat();
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(&batch, true);
    stamped(&buffer(Buffer::RequestBody), address) > 0
}

#[test]
fn pods_come_from_a_podstamp_and_follow_its_changes() {
    let root = with_pods();
    assert!(!finds(root, "10.1.2.3"));
    tick(root, 10);
    let call = proxy(|proxy| proxy.calls[0].clone());
    assert_eq!((call.cluster.as_str(), call.body.len()), ("podstamp", 0));
    assert_eq!(path(0), format!("{ALL}&since="));
    let mut theirs = table([10, 1, 2, 3]);
    answer_call(root, 1, &[(":status", "200")], listing::write_full(&theirs, Fields::ALL).as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.1.2.3"));
    assert_eq!((metric("podstamp_pods"), metric("podstamp_pods_bytes") > 100), (1, true));

    // It asks again after the interval and not before, and says what it has.
    tick(root, 100);
    assert!(proxy(|proxy| proxy.tick) > 9_000);
    tick(root, 5_000);
    assert_eq!(proxy(|proxy| proxy.calls.len()), 1);
    tick(root, 5_000);
    assert_eq!(path(1), format!("{ALL}&since={}", theirs.version()));
    let delta =
        |theirs: &Table, since: u64, slots: &[Slot]| listing::write_delta(theirs, Fields::ALL, since, slots);
    let known = theirs.version().number;
    answer_call(root, 2, &[(":status", "200")], delta(&theirs, known, &[]).as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.1.2.3"));
    tick(root, 10_000);
    let changed = [put(&mut theirs, "cart-0", [10, 7, 7, 7]), put(&mut theirs, "cart-1", [10, 1, 2, 3])];
    answer_call(root, 3, &[(":status", "200")], delta(&theirs, known, &changed).as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.7.7.7"));
    assert_eq!(metric("podstamp_pods"), 2);

    // A pod that is gone leaves its place behind.
    tick(root, 10_000);
    assert_eq!(path(3), format!("{ALL}&since={}", theirs.version()));
    let known = theirs.version().number;
    theirs.remove(changed[0]);
    answer_call(root, 4, &[(":status", "200")], delta(&theirs, known, &changed[..1]).as_bytes());
    tick(root, 10);
    assert!(!finds(root, "10.7.7.7"));
    assert_eq!((metric("podstamp_pods"), metric("podstamp_pods_failures_total")), (1, 0));
}

#[test]
fn what_lookups_would_go_faster_with_is_built_between_requests() {
    let root = with_pods_by("k8s.node.name");
    tick(root, 10);
    let fields = Fields::NONE.with(Field::Namespace).with(Field::Uid).with(Field::Node);
    let mut theirs = Table::new(fields, KeptKeys::default(), Coverage::Cluster);
    let address = [10, 1, 2, 3].into();
    let pod =
        PodParts { name: "cart-0".into(), ips: vec![address], node: "n1".into(), ..PodParts::default() };
    theirs.upsert(&pod).unwrap();
    answer_call(root, 1, &[(":status", "200")], listing::write_full(&theirs, Fields::ALL).as_bytes());
    tick(root, 10);
    let bytes = metric("podstamp_pods_bytes");
    tick(root, 10);
    assert_eq!(metric("podstamp_pods_bytes"), bytes, "nobody has asked for a node yet");

    let on_node = b"\x0a\x19\x0a\x17\x0a\x15\x0a\x0dk8s.node.name\x12\x04\x0a\x02n1";
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(on_node, true);
    assert_eq!(stamped(&buffer(Buffer::RequestBody), "10.1.2.3"), 2, "k8s.pod.ip and app.host.ip");
    tick(root, 10);
    assert!(metric("podstamp_pods_bytes") > bytes);
}

#[test]
fn another_podstamps_pods_take_the_place_of_those_before_in_one_step() {
    let root = with_pods();
    tick(root, 10);
    answer_call(root, 1, &[(":status", "200")], listing([10, 1, 2, 3]).as_bytes());
    tick(root, 10);
    tick(root, 10_000);
    answer_call(root, 2, &[(":status", "200")], listing([10, 7, 7, 7]).as_bytes());
    assert!(finds(root, "10.1.2.3"), "until it is read");
    tick(root, 10);
    assert!(finds(root, "10.7.7.7"));
    assert_eq!(metric("podstamp_pods_failures_total"), 0);
}

#[test]
fn a_change_of_pods_that_are_not_these_leaves_them_and_all_are_asked_for() {
    let root = with_pods();
    tick(root, 10);
    answer_call(root, 1, &[(":status", "200")], listing([10, 1, 2, 3]).as_bytes());
    tick(root, 10);
    tick(root, 10_000);
    let mut others = table([10, 7, 7, 7]);
    let known = others.version().number;
    let changed = put(&mut others, "cart-0", [10, 8, 8, 8]);
    let delta = listing::write_delta(&others, Fields::ALL, known, &[changed]);
    answer_call(root, 2, &[(":status", "200")], delta.as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.1.2.3"));
    assert_eq!(metric("podstamp_pods_failures_total"), 1);
    tick(root, 1_000);
    assert_eq!(path(2), format!("{ALL}&since="));
    answer_call(root, 3, &[(":status", "200")], listing::write_full(&others, Fields::ALL).as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.8.8.8"));
    tick(root, 10_000);
    assert_eq!(path(3), format!("{ALL}&since={}", others.version()));
}

#[test]
fn pods_that_cannot_be_had_leave_those_that_there_are() {
    let root = with_pods();
    tick(root, 10);
    answer_call(root, 1, &[(":status", "200")], listing([10, 1, 2, 3]).as_bytes());
    tick(root, 10);
    tick(root, 10_000);
    for (attempt, (headers, body)) in [
        (vec![(":status", "404")], "no pods here"),
        (vec![], ""),
        (vec![(":status", "200")], "<html>"),
        (vec![(":status", "200")], &listing([10, 7, 7, 7]).replace("\t1\t", "\t9\t")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(proxy(|proxy| proxy.calls.len()), attempt + 2);
        answer_call(root, attempt as u32 + 2, &headers, body.as_bytes());
        tick(root, 10);
        assert_eq!(
            metric("podstamp_pods_failures_total"),
            attempt as i64 + 1,
            "{:?}",
            proxy(|proxy| proxy.log.clone())
        );
        assert!(finds(root, "10.1.2.3"));
        // Sooner than the interval.
        tick(root, 1_000);
    }
    assert!(proxy(|proxy| proxy.log.iter().any(|line| line.contains("404: no pods here"))));
}

/// What is asked for, ahead of the version.
const ALL: &str = "/pods?fields=namespace,uid,hostname,containers";
