//! Notices about processors.

use serde_json::{Value, json};

use super::{balanced, notices, parsed, simple, simple_with};
use crate::interface::Level;

fn order(document: &mut Value, processors: &[&str]) {
    document["service"]["pipelines"]["traces"]["processors"] = json!(processors);
}

fn warnings(document: &Value) -> Vec<String> {
    let notices = parsed(document).notices.into_iter();
    notices.filter(|notice| notice.level == Level::Warning).map(|notice| notice.message).collect()
}

#[test]
fn reading_what_a_later_step_writes_is_warned_about() {
    let mut document = simple();
    assert_eq!(warnings(&document), [""; 0]);
    order(&mut document, &["resource", "k8sattributes"]);
    let expected = "processors.resource.attributes[0].from_attribute: `k8s.pod.ip` is written by `k8sattributes`, which \
                    runs after this: processors run in the order of service.pipelines.traces.processors, so put \
                    `k8sattributes` ahead";
    assert_eq!(warnings(&document), [expected]);

    let mut document = balanced();
    assert_eq!(warnings(&document), [""; 0]);
    order(&mut document, &["resource/pre", "resource/post", "k8sattributes"]);
    let found = warnings(&document);
    assert!(found.len() == 1 && found[0].starts_with("processors.resource/post.attributes[0]"), "{found:?}");
}

#[test]
fn attributes_of_labels_count_and_ones_that_are_there_already_do_not() {
    let mut document = simple();
    document["processors"]["k8sattributes"] = json!({
        "extract": {"metadata": ["k8s.pod.name"], "labels": [{"key": "app", "tag_name": "app"}]},
    });
    document["processors"]["resource"] = json!({"attributes": [
        {"key": "a", "from_attribute": "app", "action": "insert"},
        {"key": "b", "from_attribute": "k8s.node.name", "action": "insert"},
        {"key": "k8s.pod.name", "from_attribute": "host.name", "action": "insert"},
        {"key": "c", "from_attribute": "k8s.pod.name", "action": "insert"},
    ]});
    order(&mut document, &["resource", "k8sattributes"]);
    let found = warnings(&document);
    assert!(found.len() == 1 && found[0].contains("attributes[0].from_attribute: `app`"), "{found:?}");

    document["processors"]["k8sattributes/first"] = document["processors"]["k8sattributes"].clone();
    order(&mut document, &["k8sattributes/first", "resource", "k8sattributes"]);
    assert_eq!(warnings(&document), [""; 0]);
}

#[test]
fn stamping_an_address_that_nobody_extracts_is_told() {
    let stamp = |document: &Value| {
        let notices = parsed(document).notices.into_iter();
        notices.filter(|notice| notice.key == "config-pod-ip").map(|notice| notice.level).collect::<Vec<_>>()
    };
    assert_eq!(stamp(&simple()), [Level::Info]);
    assert_eq!(stamp(&simple_with("podstamp.guard.repair_host_ip", json!(false))), [Level::Warning]);
    let with = |settings| stamp(&simple_with("processors.k8sattributes", settings));
    assert_eq!(with(json!({"extract": {"metadata": ["k8s.pod.ip"]}})), []);
    assert_eq!(with(json!({"passthrough": true})), []);
    assert_eq!(stamp(&balanced()), []);
}

#[test]
fn settings_that_change_nothing_here_are_told() {
    for (settings, expected) in [
        (
            json!({"kube_api_qps": 5}),
            "kube_api_qps: has no effect here: podstamp asks the Kubernetes API once",
        ),
        (json!({"wait_for_metadata": true, "pod_delete_grace_period": "1m", "watch_sync_period": "10s"}), ""),
        (json!({"auth_type": "kubeConfig", "kube_config_path": "/x", "context": "y"}), ""),
        (
            json!({"extract": {"metadata": ["k8s.statefulset.name"]}}),
            "extract.metadata: has no effect here: of these podstamp's directory knows none: `k8s.statefulset.name`",
        ),
        (json!({"extract": {"otel_annotations": true}}), "extract.otel_annotations: has no effect here"),
        (json!({"extract": {"deployment_name_from_replicaset": true}}), ""),
        (
            json!({"extract": {"labels": [{"key": "a", "from": "namespace"}]}}),
            "extract.labels[0]: has no effect",
        ),
        (
            json!({"extract": {"labels": [{"key_regex": "a.*", "tag_name": "b"}]}}),
            "extract.labels[0].tag_name: has no",
        ),
        (
            json!({"pod_association": [{"sources": [{"from": "resource_attribute", "name": "container.id"}]}]}),
            "",
        ),
        (
            json!({"pod_association": [{"sources": [
                {"from": "resource_attribute", "name": "k8s.pod.uid"},
                {"from": "resource_attribute", "name": "k8s.container.name"},
                {"from": "resource_attribute", "name": "k8s.namespace.name"},
            ]}]}),
            "",
        ),
        (
            json!({"pod_association": [
                {"sources": [{"from": "resource_attribute", "name": "container.image.name"}]},
                {"sources": [{"from": "connection"}]},
            ]}),
            "pod_association[0]: has no effect here: podstamp's directory does not know `container.image.name`",
        ),
        (
            json!({"pod_association": [
                {"sources": [{"from": "resource_attribute", "name": "k8s.container.name"}]},
                {"sources": [{"from": "connection"}]},
            ]}),
            "pod_association[0]: has no effect here: `k8s.container.name` alone tells no pod",
        ),
    ] {
        let found = notices(&simple_with("processors.k8sattributes", settings.clone()));
        match expected {
            "" => assert_eq!(found, [""; 0], "{settings}"),
            expected => {
                let expected = format!("Info processors.k8sattributes.{expected}");
                assert!(found.len() == 1 && found[0].starts_with(&expected), "{settings} {found:?}");
            }
        }
    }
}

#[test]
fn processors_outside_the_pipeline_are_told_and_not_looked_at() {
    let document = simple_with("processors.resource/unused", json!({"whatever": true}));
    assert_eq!(
        notices(&document),
        ["Warning processors.resource/unused: the traces pipeline does not use it"]
    );
    let document = simple_with("processors.tail_sampling", json!({"whatever": true}));
    let found = notices(&document);
    assert!(
        found[0].starts_with(
            "Info processors.tail_sampling: has no effect here: podstamp has no such processor,"
        ),
        "{found:?}"
    );
}

#[test]
fn headers_are_read_where_the_receiver_includes_metadata() {
    let mut document = simple();
    document["processors"]["resource"]["attributes"] = json!([
        {"key": "a", "from_context": "metadata.X-Tenant", "action": "insert"},
        {"key": "b", "from_context": "x-tenant", "action": "insert"},
        {"key": "c", "from_context": "X-Other", "action": "insert"},
        {"key": "d", "from_context": "client.address", "action": "insert"},
        {"key": "e", "from_context": "auth.subject", "action": "insert"},
    ]);
    let found = warnings(&document);
    let path = |index| format!("processors.resource.attributes[{index}].from_context");
    let expected = "there is never a value: set include_metadata: true under receivers.otlp.protocols.http";
    assert_eq!(found, [format!("{}, {}, {}: {expected}", path(0), path(1), path(2))]);
    assert!(parsed(&document).request_headers.is_empty());

    document["receivers"] = json!({"otlp": {"protocols": {"http": {"include_metadata": true}}}});
    let config = parsed(&document);
    assert!(config.include_metadata);
    assert_eq!(config.request_headers, ["x-other", "x-tenant"]);
    assert_eq!(warnings(&document), [""; 0]);
}

#[test]
fn an_entry_that_needs_several_answers_at_once_is_told() {
    let told = |sources: Value| {
        let settings =
            json!({"pod_association": [{"sources": sources}, {"sources": [{"from": "connection"}]}]});
        notices(&simple_with("processors.k8sattributes", settings))
    };
    let attribute = |name: &str| json!({"from": "resource_attribute", "name": name});
    let warning =
        "Warning processors.k8sattributes.pod_association[0].sources: an entry finds a pod only where all";
    for sources in [
        json!([attribute("k8s.pod.ip"), attribute("k8s.pod.uid"), {"from": "connection"}]),
        json!([attribute("k8s.pod.ip"), {"from": "connection"}]),
    ] {
        assert!(told(sources.clone()).iter().any(|notice| notice.starts_with(warning)), "{sources}");
    }
    for sources in [
        json!([attribute("k8s.pod.name"), attribute("k8s.namespace.name")]),
        json!([attribute("k8s.pod.name"), {"from": "connection"}]),
        json!([attribute("container.id"), attribute("k8s.container.name")]),
    ] {
        assert_eq!(told(sources.clone()), [""; 0], "{sources}");
    }
}
