//! What counts as a claim, and which pods agree.

use serde_json::json;

use crate::directory::Pod;
use crate::pipeline::Pipeline;
use crate::pipeline::fixture::{Table, pipeline, pod, run};

/// DeepFlow's pipeline for load balancers.
fn load_balancer() -> Pipeline {
    let copy =
        json!({"attributes": [{"key": "k8s.pod.name", "from_attribute": "host.name", "action": "insert"}]});
    let source = |name: &str| json!({"sources": [{"from": "resource_attribute", "name": name}]});
    let association = json!([
        source("k8s.pod.name"),
        source("k8s.pod.ip"),
        source("k8s.pod.uid"),
        {"sources": [{"from": "connection"}]},
    ]);
    let metadata = json!(["k8s.pod.name", "k8s.pod.uid", "k8s.pod.ip"]);
    let processors = json!({
        "resource": copy,
        "k8sattributes": {"extract": {"metadata": metadata}, "pod_association": association},
    });
    pipeline(&processors, &["resource", "k8sattributes"])
}

fn table() -> Table {
    Table {
        pods: vec![
            pod("item-1", &["10.1.0.7", "fd00::7"]),
            pod("relay-1", &["10.1.0.8"]),
            Pod { hostname: "primary".into(), ..pod("mysql-7d9f", &["10.1.0.9"]) },
            Pod { host_network: true, ..pod("proxy-1", &["10.0.0.1"]) },
            pod("pending-1", &[]),
        ],
        nodes: vec!["10.0.0.1".parse().unwrap()],
        containers: vec![("uid-item-1", "app", "0123abcd"), ("uid-relay-1", "app", "4567abcd")],
        covers_cluster: true,
        ..Table::default()
    }
}

const RELAY: &str = "10.1.0.8";

/// Checks which pod is found for a resource that came through the relay, and which attributes it gets.
#[track_caller]
fn check(attributes: &[(&str, &str)], expected: &str, added: &[&str]) {
    let (written, found) = run(&load_balancer(), &table(), RELAY, attributes);
    assert_eq!(found.unwrap_or_default(), expected, "{attributes:?}");
    let came: Vec<_> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let more: Vec<_> = written.iter().filter(|attribute| !came.contains(attribute)).collect();
    assert_eq!(more, added, "{attributes:?}");
}

#[test]
fn through_a_relay_a_pod_counts_only_if_it_agrees_with_every_claim() {
    let relay = ["k8s.pod.ip=10.1.0.8", "k8s.pod.name=relay-1", "k8s.pod.uid=uid-relay-1"];
    check(&[("service.name", "item")], "relay-1", &relay);
    let item = ["k8s.pod.ip=10.1.0.7", "k8s.pod.name=item-1"];
    check(&[("k8s.pod.uid", "uid-item-1")], "item-1", &item);
    for claim in [
        &[("k8s.pod.uid", "uid-gone")][..],
        &[("k8s.pod.name", "gone")],
        &[("k8s.pod.ip", "10.9.9.9")],
        &[("app.host.ip", "10.9.9.9")],
        &[("k8s.pod.name", "item-1"), ("k8s.pod.uid", "uid-relay-1")],
        &[("k8s.pod.name", "item-1"), ("k8s.pod.ip", RELAY)],
        &[("k8s.pod.uid", "uid-item-1"), ("app.host.ip", RELAY)],
        &[("k8s.pod.name", "item-1"), ("k8s.namespace.name", "other")],
    ] {
        check(claim, "", &[]);
    }
}

#[test]
fn pods_without_an_address_of_their_own_are_found_and_get_no_other() {
    check(&[("k8s.pod.uid", "uid-pending-1")], "pending-1", &["k8s.pod.name=pending-1"]);
    let proxy = ["k8s.pod.ip=10.0.0.1", "k8s.pod.name=proxy-1"];
    check(&[("k8s.pod.uid", "uid-proxy-1")], "proxy-1", &proxy);
}

#[test]
fn a_host_name_counts_where_nothing_else_tells_the_pod() {
    // `laptop` names no pod, so that the host name says nothing.
    let relay = ["k8s.pod.name=laptop", "k8s.pod.ip=10.1.0.8", "k8s.pod.uid=uid-relay-1"];
    check(&[("host.name", "laptop")], "relay-1", &relay);
    // `primary` is the host name that another pod was given.
    check(&[("host.name", "primary")], "", &["k8s.pod.name=primary"]);
    // A Collector on the way has put its own host name there: the pod name that was copied from it is replaced.
    let item = ["k8s.pod.name=item-1", "k8s.pod.ip=10.1.0.7"];
    check(&[("host.name", "relay-1"), ("k8s.pod.uid", "uid-item-1")], "item-1", &item);
    let by_address = ["k8s.pod.name=item-1", "k8s.pod.uid=uid-item-1"];
    check(&[("host.name", "relay-1"), ("k8s.pod.ip", "10.1.0.7")], "item-1", &by_address);
    let by_list = [("host.name", "relay-1"), ("k8s.pod.ip", "fd00:0::7,10.1.0.7")];
    check(&by_list, "item-1", &by_address);
    // `k8s.pod.name` came from the client, and is no copy.
    let named = [("host.name", "relay-1"), ("k8s.pod.name", "item-1")];
    check(&named, "item-1", &["k8s.pod.ip=10.1.0.7", "k8s.pod.uid=uid-item-1"]);
    check(&[("host.name", "gone"), ("k8s.pod.name", "gone")], "", &[]);
}

#[test]
fn an_address_that_was_taken_from_the_connection_is_no_claim() {
    let copy =
        json!({"attributes": [{"key": "k8s.pod.ip", "from_context": "client.address", "action": "insert"}]});
    let association = json!([{"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]}]);
    let settings = json!({"extract": {"metadata": ["k8s.pod.name"]}, "pod_association": association});
    let processors = json!({"resource": copy, "k8sattributes": settings});
    let pipeline = pipeline(&processors, &["resource", "k8sattributes"]);
    let (_, found) = run(&pipeline, &table(), RELAY, &[("k8s.pod.uid", "uid-item-1")]);
    assert_eq!(found.as_deref(), Some("item-1"));
}

#[test]
fn a_nodes_address_says_nothing_of_a_pod_that_is_known_by_more() {
    let attributes = [("k8s.pod.ip", "10.0.0.1"), ("k8s.pod.uid", "uid-item-1")];
    check(&attributes, "item-1", &["k8s.pod.name=item-1"]);
    check(&[("k8s.pod.ip", "10.0.0.1")], "", &[]);
    let hosted = [("k8s.pod.ip", "10.0.0.1"), ("host.name", "item-1")];
    check(&hosted, "item-1", &["k8s.pod.name=item-1", "k8s.pod.uid=uid-item-1"]);
    check(&[("app.host.ip", "10.0.0.1"), ("k8s.pod.uid", "uid-item-1")], "", &[]);
}

#[test]
fn nothing_more_is_asked_where_nothing_more_is_claimed() {
    for attributes in [&[("service.name", "relay")][..], &[("host.name", "relay-1")]] {
        let table = table();
        run(&load_balancer(), &table, RELAY, attributes);
        assert_eq!(table.asked.take().len(), 1, "{attributes:?}");
    }
}

#[test]
fn a_container_leads_to_its_pod_and_contradicts_others() {
    let relay = ["k8s.pod.ip=10.1.0.8", "k8s.pod.name=relay-1", "k8s.pod.uid=uid-relay-1"];
    check(&[("container.id", "containerd://4567abcd")], "relay-1", &relay);
    check(&[("container.id", "0123abcd")], "", &[]);
    check(&[("container.id", "9999abcd")], "", &[]);
    // The container was restarted, and is not known yet.
    let named = [("container.id", "9999abcd"), ("k8s.pod.uid", "uid-relay-1")];
    check(&named, "relay-1", &["k8s.pod.ip=10.1.0.8", "k8s.pod.name=relay-1"]);
    // The sandbox's id in place of the container's.
    let renamed = ["k8s.pod.name=relay-1", "k8s.pod.ip=10.1.0.8", "k8s.pod.uid=uid-relay-1"];
    check(&[("container.id", "9999abcd"), ("host.name", "relay-1")], "relay-1", &renamed);
    let item = ["k8s.pod.name=item-1", "k8s.pod.ip=10.1.0.7", "k8s.pod.uid=uid-item-1"];
    check(&[("container.id", "9999abcd"), ("host.name", "item-1")], "item-1", &item);
    check(&[("container.id", "9999abcd"), ("host.name", "laptop")], "", &["k8s.pod.name=laptop"]);
    let anothers = [("container.id", "0123abcd"), ("k8s.pod.uid", "uid-relay-1")];
    check(&anothers, "", &[]);
    // `container.id` counts for more than `host.name`.
    let moved = [("container.id", "4567abcd"), ("host.name", "item-1")];
    check(&moved, "relay-1", &renamed);
}
