//! Pipelines over resources.

use serde_json::json;

use super::fixture::{Table, pipeline, pod, resource, run};
use super::*;
use crate::directory::{Keys, Text};
use crate::interface::{Request, Signal};

#[test]
fn attributes_are_written_only_where_they_are_missing_or_empty() {
    let metadata = [
        "k8s.pod.name",
        "k8s.pod.uid",
        "k8s.pod.ip",
        "k8s.pod.hostname",
        "k8s.pod.start_time",
        "k8s.namespace.name",
        "k8s.node.name",
        "k8s.deployment.name",
    ];
    let pipeline =
        pipeline(&json!({"k8sattributes": {"extract": {"metadata": metadata}}}), &["k8sattributes"]);
    let mut item = pod("item-1", &["10.1.0.7"]);
    item.deployment = Text::default();
    let table = Table { pods: vec![item], ..Table::default() };
    let before = [("k8s.namespace.name", "mine"), ("k8s.pod.uid", ""), ("k8s.node.name", "")];
    let (attributes, _) = run(&pipeline, &table, "10.1.0.7", &before);
    let expected = [
        "k8s.namespace.name=mine",
        "k8s.pod.uid=uid-item-1",
        "k8s.node.name=node-1",
        "k8s.pod.ip=10.1.0.7",
        "k8s.pod.name=item-1",
        "k8s.pod.hostname=item-1",
        "k8s.pod.start_time=2026-01-02T03:04:05Z",
    ];
    assert_eq!(attributes, expected, "there is no deployment to write");
}

#[test]
fn labels_and_annotations_are_written_by_key_or_by_pattern() {
    let extract = json!({
        "metadata": [],
        "labels": [
            {"key": "app"},
            {"key": "app", "tag_name": "service.name"},
            {"key": "missing"},
            {"key_regex": "app.kubernetes.io/(.*)", "tag_name": "k8s.$1"},
            {"key_regex": "tier", "from": "pod"},
        ],
        "annotations": [{"key_regex": "te.*"}, {"key": "team", "tag_name": "owner"}],
    });
    let pipeline = pipeline(&json!({"k8sattributes": {"extract": extract}}), &["k8sattributes"]);
    let mut item = pod("item-1", &["10.1.0.7"]);
    for (key, value) in
        [("app.kubernetes.io/version", "5.7"), ("tier", "back"), ("tier2", "x"), ("empty", "")]
    {
        item.labels.push((key.to_owned(), value.to_owned()));
    }
    let table = Table { pods: vec![item], ..Table::default() };
    let (attributes, _) = run(&pipeline, &table, "10.1.0.7", &[]);
    let expected = [
        "k8s.pod.labels.app=item-1",
        "service.name=item-1",
        "k8s.version=5.7",
        "k8s.pod.labels.tier=back",
        "k8s.pod.annotations.team=blue",
        "owner=blue",
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn passthrough_writes_the_address_and_asks_nobody() {
    let passthrough = |association| {
        let settings = json!({"passthrough": true, "pod_association": association});
        pipeline(&json!({"k8sattributes": settings}), &["k8sattributes"])
    };
    let table = Table { pods: vec![pod("item-1", &["10.1.0.7"])], covers_cluster: true, ..Table::default() };
    let named = json!([
        {"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]},
        {"sources": [{"from": "connection"}]},
    ]);
    for (association, peer, before, expected) in [
        (json!(null), "10.9.9.9", &[][..], &["k8s.pod.ip=10.9.9.9"][..]),
        (json!(null), "10.9.9.9", &[("k8s.pod.ip", "")], &["k8s.pod.ip=10.9.9.9"]),
        (json!(null), "10.9.9.9", &[("k8s.pod.ip", "10.1.0.7")], &["k8s.pod.ip=10.1.0.7"]),
        (json!(null), "10.9.9.9", &[("ip", "10.1.0.7")], &["ip=10.1.0.7", "k8s.pod.ip=10.1.0.7"]),
        (json!(null), "127.0.0.6", &[], &[]),
        (named, "10.9.9.9", &[("k8s.pod.name", "x")], &["k8s.pod.name=x", "k8s.pod.ip=10.9.9.9"]),
    ] {
        let (attributes, found) = run(&passthrough(association), &table, peer, before);
        assert_eq!(
            (attributes.as_slice(), found),
            (&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..], None)
        );
    }
    assert_eq!(table.asked.take(), [""; 0]);
}

#[test]
fn each_identifier_is_looked_up_once_a_request() {
    let metadata = json!(["k8s.pod.name", "k8s.pod.ip"]);
    let association = json!([
        {"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]},
        {"sources": [{"from": "connection"}]},
    ]);
    let settings = json!({"extract": {"metadata": metadata}, "pod_association": association});
    let pipeline = pipeline(&json!({"k8sattributes": settings}), &["k8sattributes"]);
    let table =
        Table { pods: vec![pod("item-1", &["10.1.0.7"]), pod("shop-1", &["10.1.0.8"])], ..Table::default() };
    let request = Request {
        signal: Signal::Traces,
        path: "/",
        peer: "10.1.0.7".parse().ok(),
        headers: &[],
        body: b"",
        now: None,
    };
    let context = Context::new(&request, request.peer, &table, false);
    for _ in 0..100 {
        for (name, expected) in [("shop-1", "shop-1"), ("gone", ""), ("", "item-1")] {
            let mut resource = resource(&[("k8s.pod.name", name)]);
            let pod = pipeline.run(&mut resource, &context).pod;
            assert_eq!(pod.as_ref().map_or("", |pod| &pod.name), expected);
            assert!(!matches!(pod, Some(Associated::Own(_))));
        }
    }
    assert_eq!(table.asked.take(), ["[Name(\"shop-1\")]", "[Name(\"gone\")]", "[Ip(10.1.0.7)]"]);
}

#[test]
fn steps_run_in_their_order_and_the_last_association_is_returned() {
    let association = json!([{"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]}]);
    let insert =
        json!({"attributes": [{"key": "k8s.pod.name", "from_attribute": "host.name", "action": "insert"}]});
    let processors = json!({
        "resource/pre": insert,
        "k8sattributes": {"pod_association": association},
        "k8sattributes/2": {"extract": {"metadata": ["k8s.pod.ip"]}},
    });
    let table =
        Table { pods: vec![pod("item-1", &["10.1.0.7"]), pod("shop-1", &["10.1.0.8"])], ..Table::default() };
    let found =
        |order: &[&str], peer| run(&pipeline(&processors, order), &table, peer, &[("host.name", "shop-1")]).1;
    assert_eq!(found(&["resource/pre", "k8sattributes"], "10.1.0.8").as_deref(), Some("shop-1"));
    assert_eq!(found(&["k8sattributes", "resource/pre"], "10.1.0.8"), None);
    let both = ["resource/pre", "k8sattributes", "k8sattributes/2"];
    assert_eq!(found(&both, "10.1.0.8").as_deref(), Some("shop-1"));
    assert_eq!(found(&both, "10.1.0.7"), None, "the second one found another pod");
    assert_eq!(found(&[], "10.1.0.8"), None);
}

#[test]
fn a_directory_needs_what_pods_are_found_filtered_and_described_by() {
    let nothing =
        json!({"extract": {"metadata": []}, "pod_association": [{"sources": [{"from": "connection"}]}]});
    let by = |name: &str| {
        let source = json!({"from": "resource_attribute", "name": name});
        json!({"extract": {"metadata": []}, "pod_association": [{"sources": [source]}]})
    };
    let with = |key: &str, value: serde_json::Value| {
        let mut settings = nothing.clone();
        settings[key] = value;
        settings
    };
    let extract = |key: &str, value: serde_json::Value| {
        let mut extract = json!({"metadata": []});
        extract[key] = value;
        with("extract", extract)
    };
    for (settings, expected) in [
        (nothing.clone(), "namespace,uid,hostname,containers"),
        (by("k8s.pod.ip"), "namespace,uid,hostname,containers"),
        (by("k8s.pod.uid"), "namespace,uid,hostname,containers"),
        (by("k8s.pod.name"), "namespace,uid,hostname,containers"),
        (by("k8s.node.name"), "namespace,uid,node,hostname,containers"),
        (by("k8s.pod.hostname"), "namespace,uid,hostname,containers"),
        (by("k8s.deployment.name"), "namespace,uid,hostname,deployment,containers"),
        (with("filter", json!({"namespace": "shop"})), "namespace,uid,hostname,containers"),
        (with("filter", json!({"node": "node-1"})), "namespace,uid,node,hostname,containers"),
        (
            with("filter", json!({"labels": [{"key": "tier", "value": "web"}]})),
            "namespace,uid,hostname,labels,containers",
        ),
        (
            with("filter", json!({"fields": [{"key": "status.phase", "value": "Running", "op": "equals"}]})),
            "namespace,uid,hostname,phase,containers",
        ),
        (with("exclude", json!({"pods": [{"name": "agent"}]})), "namespace,uid,hostname,containers"),
        (
            extract(
                "metadata",
                json!(["k8s.pod.name", "k8s.pod.ip", "k8s.pod.start_time", "k8s.pod.hostname"]),
            ),
            "namespace,uid,hostname,containers",
        ),
        (extract("labels", json!([{"key": "app"}])), "namespace,uid,hostname,labels,containers"),
        (
            extract("annotations", json!([{"key_regex": ".*"}])),
            "namespace,uid,hostname,annotations,containers",
        ),
        (with("passthrough", json!(true)), ""),
    ] {
        let pipeline = pipeline(&json!({"k8sattributes": settings.clone()}), &["k8sattributes"]);
        assert_eq!(pipeline.fields().to_string(), expected, "{settings}");
    }
    let both = pipeline(
        &json!({"k8sattributes": by("k8s.node.name"), "k8sattributes/2": by("k8s.pod.name")}),
        &["k8sattributes", "k8sattributes/2"],
    );
    assert_eq!(both.fields().to_string(), "namespace,uid,node,hostname,containers");
    assert_eq!(pipeline(&json!({"resource": {"attributes": []}}), &[]).fields(), Fields::NONE);
}

#[test]
fn only_the_labels_and_annotations_that_a_rule_names_are_kept() {
    let settings = json!({
        "extract": {"labels": [{"key": "app"}], "annotations": [{"key_regex": "a.*"}]},
        "filter": {"labels": [{"key": "tier", "value": "web"}]},
    });
    let kept = |settings| pipeline(&json!({"k8sattributes": settings}), &["k8sattributes"]).kept_keys();
    let labels = Keys::from_iter(["app", "tier"].map(str::to_owned));
    assert_eq!(kept(settings.clone()), KeptKeys { labels: labels.clone(), annotations: Keys::All });
    let filter = json!({"extract": {"labels": [{"key": "app"}]}, "filter": settings["filter"]});
    assert_eq!(kept(filter), KeptKeys { labels, annotations: Keys::None });
    assert_eq!(kept(json!({})), KeptKeys::default());
    // For a processor that the pipeline does not use, nothing is kept.
    let unused = pipeline(&json!({"k8sattributes": settings.clone()}), &[]);
    assert_eq!(unused.kept_keys(), KeptKeys::default());
    let mut passing = settings;
    passing["passthrough"] = json!(true);
    assert_eq!(kept(passing), KeptKeys::default());
}
