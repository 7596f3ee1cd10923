use serde_json::{Value, json};

use super::*;
use crate::config::parse;

fn config(processors: &[Value]) -> Config {
    let named: Vec<_> = (0..processors.len()).map(|index| format!("k8sattributes/{index}")).collect();
    let sections: serde_json::Map<_, _> = named.iter().cloned().zip(processors.iter().cloned()).collect();
    let document = json!({
        "receivers": {"otlp": {"protocols": {"http": null}}},
        "processors": sections,
        "exporters": {"otlphttp": {"traces_endpoint": "http://127.0.0.1:38086/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "processors": named, "exporters": ["otlphttp"]}}},
    });
    parse(&document).unwrap()
}

fn selector(processors: &[Value]) -> (Option<String>, String, String) {
    let Selector { namespace, fields, labels } = config(processors).kubernetes().unwrap().selector;
    (namespace, fields, labels)
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_document_without_processors_asks_as_its_surroundings_allow() {
    let config = config(&[]);
    assert!(!config.looks_up_pods());
    let kubernetes = config.kubernetes().unwrap();
    assert_eq!((kubernetes.auth_type, kubernetes.selector.is_all()), (None, true));
    assert_eq!((kubernetes.pod_delete_grace_period, kubernetes.wait_for_metadata_timeout), (120_000, 10_000));
}

#[test]
fn a_processor_that_passes_addresses_through_asks_for_nothing() {
    let passing = config(&[json!({"passthrough": true, "auth_type": "kubeConfig"})]);
    assert_eq!((passing.looks_up_pods(), passing.kubernetes().unwrap().auth_type), (false, None));
}

#[test]
fn what_processors_say_is_read_in_the_collectors_terms() {
    let config = config(&[json!({
        "auth_type": "kubeConfig", "kube_config_path": "/etc/kube", "context": "shop",
        "wait_for_metadata": true, "wait_for_metadata_timeout": "1m", "pod_delete_grace_period": 5_000_000_000_u64,
        "watch_sync_period": "30s",
    })]);
    let expected = Kubernetes {
        auth_type: Some(AuthType::KubeConfig),
        kube_config_path: Some(text("/etc/kube")),
        context: Some(text("shop")),
        selector: Selector::default(),
        wait_for_metadata: true,
        wait_for_metadata_timeout: 60_000,
        pod_delete_grace_period: 5_000,
        watch_sync_period: 30_000,
    };
    assert_eq!(config.kubernetes().unwrap(), expected);
}

#[test]
fn several_processors_have_one_table_that_suits_them_all() {
    let merged = config(&[
        json!({"pod_delete_grace_period": "5m", "watch_sync_period": "1m"}),
        json!({"wait_for_metadata": true, "wait_for_metadata_timeout": "20s"}),
        json!({"passthrough": true, "auth_type": "none"}),
    ]);
    let merged = merged.kubernetes().unwrap();
    assert!(merged.wait_for_metadata);
    assert_eq!(merged.wait_for_metadata_timeout, 20_000);
    assert_eq!((merged.pod_delete_grace_period, merged.watch_sync_period), (300_000, 60_000));
}

#[test]
fn processors_that_ask_in_different_ways_are_a_fault() {
    for (key, one, other) in [
        ("auth_type", json!("none"), json!("serviceAccount")),
        ("context", json!("a"), json!("b")),
        ("kube_config_path", json!("/a"), json!(null)),
    ] {
        let fault = config(&[json!({key: one}), json!({key: other})]).kubernetes().unwrap_err();
        assert_eq!(fault.path, format!("processors.k8sattributes/1.{key}"));
        assert!(fault.message.contains("processors.k8sattributes/0"), "{fault}");
    }
}

#[test]
fn the_api_server_tests_what_a_selector_can_say() {
    let filter = json!({"filter": {
        "node": "node-1", "namespace": "shop",
        "fields": [{"key": "status.phase", "value": "Running"}, {"key": "metadata.name", "value": "x", "op": "not-equals"}],
        "labels": [
            {"key": "app", "value": "cart"}, {"key": "tier", "value": "db", "op": "not-equals"},
            {"key": "example.com/team", "op": "exists"}, {"key": "debug", "op": "does-not-exist"},
            {"key": "odd", "value": "a,b=c"},
        ],
    }});
    let fields = "spec.nodeName=node-1,status.phase=Running,metadata.name!=x";
    let labels = "app=cart,tier!=db,example.com/team,!debug";
    assert_eq!(selector(&[filter]), (Some(text("shop")), text(fields), text(labels)));
    assert_eq!(selector(&[json!({"exclude": {"pods": [{"name": "x"}]}})]), (None, text(""), text("")));
}

#[test]
fn only_what_all_processors_agree_on_is_left_to_the_api_server() {
    let on_node = |rest: Value| json!({"filter": {"node": "node-1", "labels": rest}});
    let app = json!([{"key": "app", "value": "cart"}]);
    assert_eq!(
        selector(&[on_node(app.clone()), on_node(json!([]))]),
        (None, text("spec.nodeName=node-1"), text(""))
    );
    assert_eq!(
        selector(&[json!({"filter": {"namespace": "a"}}), json!({"filter": {"namespace": "b"}})]),
        (None, text(""), text(""))
    );
    assert_eq!(selector(&[on_node(app), json!({})]), (None, text(""), text("")));
}

#[test]
fn two_namespaces_at_once_stay_conditions() {
    let filter = json!({"filter": {
        "namespace": "shop", "fields": [{"key": "metadata.namespace", "value": "bank"}],
    }});
    assert_eq!(
        selector(&[filter]),
        (None, text("metadata.namespace=shop,metadata.namespace=bank"), text(""))
    );
    let node = config(&[json!({"filter": {"node": "n.1"}})]).kubernetes().unwrap();
    assert_eq!((node.selector.node(), node.selector.is_all()), (Some("n.1"), false));
}
