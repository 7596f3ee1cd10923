//! Tests of associations by the attributes that they lead to.

use serde_json::{Value, json};

use crate::directory::Pod;
use crate::pipeline::Pipeline;
use crate::pipeline::fixture::{Table, pipeline, pod, run};

/// A `k8sattributes` step that extracts name and address, with more settings.
fn step(more: Value) -> Pipeline {
    let mut settings = json!({"extract": {"metadata": ["k8s.pod.name", "k8s.pod.ip"]}});
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    pipeline(&json!({"k8sattributes": settings}), &["k8sattributes"])
}

fn by(sources: &[&[&str]]) -> Pipeline {
    let source = |name: &&str| match *name {
        "connection" => json!({"from": "connection", "name": "ignored"}),
        name => json!({"from": "resource_attribute", "name": name}),
    };
    let entry = |names: &&[&str]| json!({"sources": names.iter().map(source).collect::<Vec<_>>()});
    step(json!({"pod_association": sources.iter().map(entry).collect::<Vec<_>>()}))
}

fn table() -> Table {
    Table {
        pods: vec![pod("item-1", &["10.1.0.7", "fd00::7"]), pod("shop-1", &["10.1.0.8"])],
        nodes: vec!["10.0.0.1".parse().unwrap()],
        ..Table::default()
    }
}

/// The pod that was found, and `k8s.pod.ip` afterwards.
fn find(pipeline: &Pipeline, table: &Table, peer: &str, attributes: &[(&str, &str)]) -> (String, String) {
    let (written, found) = run(pipeline, table, peer, attributes);
    let ip = written.iter().find_map(|attribute| attribute.strip_prefix("k8s.pod.ip="));
    (found.unwrap_or_default(), ip.unwrap_or_default().to_owned())
}

#[test]
fn without_an_association_the_collectors_built_in_order_counts() {
    let pipeline = step(json!({}));
    let table = table();
    for (peer, attributes, expected) in [
        ("10.1.0.7", &[][..], ("item-1", "10.1.0.7")),
        ("10.1.0.7", &[("k8s.pod.ip", "10.1.0.8")], ("shop-1", "10.1.0.8")),
        ("10.1.0.7", &[("ip", "10.1.0.8")], ("shop-1", "10.1.0.8")),
        ("10.1.0.7", &[("host.name", "10.1.0.8")], ("item-1", "10.1.0.7")),
        ("unknown", &[("host.name", "10.1.0.8")], ("shop-1", "10.1.0.8")),
        ("unknown", &[("host.name", "shop-1")], ("", "")),
        ("10.1.0.7", &[("k8s.pod.ip", "10.9.9.9")], ("", "10.9.9.9")),
        ("10.1.0.7", &[("k8s.pod.ip", "nonsense")], ("item-1", "nonsense")),
        ("::ffff:10.1.0.9", &[("ip", "::ffff:10.1.0.8")], ("shop-1", "10.1.0.8")),
        ("fd00::7", &[], ("item-1", "fd00::7")),
    ] {
        let (pod, ip) = find(&pipeline, &table, peer, attributes);
        assert_eq!((pod.as_str(), ip.as_str()), expected, "{peer} {attributes:?}");
    }
}

#[test]
fn the_first_entry_that_leads_to_one_pod_decides() {
    let twins = || Table {
        pods: vec![pod("item-1", &["10.1.0.7"]), pod("item-1", &["10.1.0.9"])],
        ..Table::default()
    };
    for (sources, table, attributes, expected) in [
        // Deliberately unlike the Collector: a value that leads nowhere does not end the search (contrib#41844).
        (
            &[&["k8s.deployment.name"][..], &["connection"]][..],
            table(),
            &[("k8s.deployment.name", "x")][..],
            "item-1",
        ),
        (&[&["k8s.pod.name"], &["connection"]], table(), &[("k8s.pod.name", "gone")], ""),
        (&[&["k8s.pod.name"], &["connection"]], table(), &[("k8s.pod.name", "shop-1")], "shop-1"),
        (&[&["k8s.pod.name"], &["connection"]], table(), &[("k8s.pod.name", "")], "item-1"),
        (&[&["k8s.pod.name"]], twins(), &[("k8s.pod.name", "item-1")], ""),
        (&[&["k8s.pod.name"], &["connection"]], twins(), &[("k8s.pod.name", "item-1")], "item-1"),
        (&[&["k8s.pod.uid"]], table(), &[("k8s.pod.uid", "uid-shop-1")], "shop-1"),
        (&[&["k8s.pod.hostname"]], table(), &[("k8s.pod.hostname", "shop-1")], "shop-1"),
        (&[&["k8s.deployment.name"]], table(), &[("k8s.deployment.name", "shop")], "shop-1"),
        (&[&["k8s.node.name"]], table(), &[("k8s.node.name", "node-1")], ""),
        (&[&["host.name"]], table(), &[("host.name", "10.1.0.8")], "shop-1"),
        (&[&["host.name"]], table(), &[("host.name", "shop-1")], ""),
        // All sources of an entry must have a value, and agree.
        (&[&["k8s.pod.name", "connection"]], table(), &[("k8s.pod.name", "item-1")], "item-1"),
        (&[&["k8s.pod.name", "connection"]], table(), &[("k8s.pod.name", "shop-1")], ""),
        (&[&["k8s.pod.name", "k8s.node.name"]], table(), &[("k8s.pod.name", "shop-1")], ""),
    ] {
        let found = find(&by(sources), &table, "10.1.0.7", attributes).0;
        assert_eq!(found, expected, "{sources:?} {attributes:?}");
    }
}

#[test]
fn a_name_is_looked_for_in_the_resources_namespace_where_it_has_one() {
    let other = Pod { namespace: "other".into(), ..pod("item-1", &["10.1.0.9"]) };
    let table = Table { pods: vec![pod("item-1", &["10.1.0.7"]), other], ..Table::default() };
    let name = ("k8s.pod.name", "item-1");
    for sources in [&["k8s.pod.name"][..], &["k8s.pod.name", "k8s.namespace.name"]] {
        let attributes = [name, ("k8s.namespace.name", "other")];
        assert_eq!(find(&by(&[sources]), &table, "10.1.0.1", &attributes).1, "10.1.0.9");
        assert_eq!(find(&by(&[sources]), &table, "10.1.0.1", &[name]).0, "");
    }
}

#[test]
fn only_texts_identify_a_pod() {
    let table = Table { pods: vec![pod("1", &["10.1.0.7"])], ..Table::default() };
    let insert = json!({"attributes": [{"key": "k8s.pod.name", "value": 1, "action": "insert"}]});
    let processors = json!({
        "resource": insert,
        "k8sattributes": {"pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]}]},
    });
    let pipeline = pipeline(&processors, &["resource", "k8sattributes"]);
    assert_eq!(run(&pipeline, &table, "10.1.0.7", &[]).1, None);
}

#[test]
fn extracted_labels_and_annotations_identify_a_pod() {
    let pipeline = step(json!({
        "extract": {
            "labels": [{"key": "app", "tag_name": "my.app"}],
            "annotations": [{"key": "team"}],
        },
        "pod_association": [
            {"sources": [{"from": "resource_attribute", "name": "my.app"}]},
            {"sources": [{"from": "resource_attribute", "name": "k8s.pod.annotations.team"}, {"from": "connection"}]},
        ],
    }));
    let table = table();
    assert_eq!(find(&pipeline, &table, "10.1.0.7", &[("my.app", "shop-1")]).0, "shop-1");
    assert_eq!(find(&pipeline, &table, "10.1.0.7", &[("k8s.pod.annotations.team", "blue")]).0, "item-1");
    assert_eq!(find(&pipeline, &table, "10.1.0.7", &[("k8s.pod.annotations.team", "red")]).0, "");
}

#[test]
fn where_no_pod_is_found_the_connection_is_written_only_if_it_can_be_one() {
    let wholly = || Table { covers_cluster: true, ..table() };
    for (table, peer, expected) in [
        (table(), "10.9.9.9", "10.9.9.9"),
        (wholly(), "10.9.9.9", ""),
        (table(), "10.0.0.1", ""),
        (table(), "127.0.0.6", ""),
        (table(), "fe80::1", ""),
        (table(), "unknown", ""),
    ] {
        assert_eq!(find(&step(json!({})), &table, peer, &[]).1, expected, "{peer}");
        assert_eq!(find(&by(&[&["connection"]]), &table, peer, &[]).1, expected, "{peer}");
        assert_eq!(
            find(&by(&[&["k8s.pod.name"]]), &table, peer, &[("k8s.pod.name", "gone")]).1,
            "",
            "not asked for"
        );
    }
}

#[test]
fn addresses_that_no_pod_has_are_not_looked_up() {
    let table = table();
    find(&step(json!({})), &table, "127.0.0.6", &[("ip", "0.0.0.0"), ("host.name", "fe80::1")]);
    assert_eq!(table.asked.take(), [""; 0]);
}

#[test]
fn pods_on_the_hosts_network_are_found_by_name_and_never_by_address() {
    let hosted = Pod { host_network: true, ..pod("proxy-1", &["10.0.0.1"]) };
    let table = Table { pods: vec![hosted], nodes: vec!["10.0.0.1".parse().unwrap()], ..Table::default() };
    let pipeline = by(&[&["k8s.pod.name"], &["connection"]]);
    assert_eq!(find(&pipeline, &table, "10.0.0.1", &[]).0, "");
    let (pod, ip) = find(&pipeline, &table, "10.9.9.9", &[("k8s.pod.name", "proxy-1")]);
    assert_eq!((pod.as_str(), ip.as_str()), ("proxy-1", "10.0.0.1"), "its status.podIP is the node's");
}

#[test]
fn pods_that_are_filtered_or_excluded_count_as_not_found() {
    let table = Table {
        pods: vec![pod("jaeger-agent-x", &["10.1.0.7"]), pod("shop-1", &["10.1.0.8"])],
        ..Table::default()
    };
    let by_connection = |more: Value| find(&step(more), &table, "10.1.0.8", &[]).0;
    assert_eq!(find(&step(json!({})), &table, "10.1.0.7", &[]).0, "", "excluded by default");
    assert_eq!(by_connection(json!({})), "shop-1");
    assert_eq!(by_connection(json!({"exclude": {"pods": [{"name": "^shop"}]}})), "");
    assert_eq!(by_connection(json!({"filter": {"node": "node-1", "namespace": "shop"}})), "shop-1");
    assert_eq!(by_connection(json!({"filter": {"node": "node-2"}})), "");
    assert_eq!(by_connection(json!({"filter": {"labels": [{"key": "app", "value": "shop-1"}]}})), "shop-1");
    assert_eq!(by_connection(json!({"filter": {"labels": [{"key": "app", "op": "does-not-exist"}]}})), "");
    let running =
        json!({"filter": {"fields": [{"key": "status.phase", "value": "Running", "op": "not-equals"}]}});
    assert_eq!(by_connection(running), "");
}
