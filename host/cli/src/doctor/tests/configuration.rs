//! podstamp's own configuration, from a file, a ConfigMap, or nowhere.

use serde_json::json;

use super::shop::{CONFIG, Shop, config_map, examined, podstamp};
use crate::doctor::Doctor;
use crate::doctor::check;
use crate::doctor::finding::State::{Failed, Fine, Skipped, Warning};
use crate::doctor::standpoint::Process;
use crate::exit::Exit;

#[tokio::test]
async fn the_config_map_of_the_podstamp_in_the_cluster_is_read_from_a_laptop() {
    let shop = Shop::open().await;
    let found = shop.examine().await;
    found.expect(check::CONFIGURATION, Fine, &["ConfigMap podstamp/podstamp has no faults"]);
    found.expect(check::PIPELINE, Fine, &["traces go to http://deepflow-agent.deepflow/api/v1/otel/trace"]);
    found.expect(check::PODS_SOURCE, Fine, &["the Kubernetes API"]);
    let entry =
        |text: &str| config_map("podstamp", "podstamp", json!({"podstamp.yaml": text, "other.yaml": "a: 1"}));
    shop.cluster.apply(entry(&CONFIG.replace("attributes:", "attributez:")));
    let found = shop.examine().await;
    found.expect(check::CONFIGURATION, Failed, &["has ", "processors.resource.attributez: "]);
    assert_eq!(found.of(check::CONFIGURATION).exit, Exit::Usage);
    found.expect(check::PIPELINE, Skipped, &["`configuration` has to be right first"]);
    shop.cluster.apply(config_map("podstamp", "podstamp", json!({"other.yaml": "a: 1", "more.yaml": ""})));
    shop.examine().await.expect(
        check::CONFIGURATION,
        Failed,
        &["has the entries more.yaml, other.yaml; wanted is podstamp.yaml"],
    );
    shop.cluster.delete("ConfigMap", "podstamp", "podstamp");
    shop.examine().await.expect(check::CONFIGURATION, Failed, &["ConfigMap podstamp/podstamp is not there"]);
    shop.cluster.refuse("/api/v1/namespaces/podstamp/configmaps", 403, "forbidden");
    shop.examine().await.expect(check::CONFIGURATION, Skipped, &["cannot be read from here", "--config"]);
}

#[tokio::test]
async fn variables_of_the_config_map_are_those_of_podstamps_pod() {
    let shop = Shop::open().await;
    let text = CONFIG.replace("k8sattributes: {}", "k8sattributes: {filter: {node_from_env_var: NODE_NAME}}");
    shop.cluster.apply(config_map("podstamp", "podstamp", json!({"podstamp.yaml": text})));
    shop.examine().await.expect(check::CONFIGURATION, Warning, &["NODE_NAME"]);
    for (node, number) in [("n1", 1), ("n2", 2)] {
        let mut pod = podstamp(node, number);
        let source = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}});
        pod["spec"]["containers"][0]["env"] = json!([{"name": "NODE_NAME", "valueFrom": source}]);
        shop.cluster.apply(pod);
    }
    let found = shop.examine().await;
    found.expect(check::CONFIGURATION, Fine, &["has no faults"]);
    found.expect(check::PODS_SOURCE, Fine, &["those of node n1"]);
    found.expect(check::PODS, Fine, &["3 on node n1"]);
}

/// As in the place of an otel-agent: its ConfigMap stays as it is, and another one says where to listen.
#[tokio::test]
async fn several_config_maps_and_renamed_entries_are_read_as_the_pod_mounts_them() {
    let shop = Shop::open().await;
    for (node, number) in [("n1", 1), ("n2", 2)] {
        let mut pod = podstamp(node, number);
        pod["spec"]["containers"][0]["args"] =
            json!(["serve", "--config=/etc/podstamp/podstamp.yaml", "--config", "/conf/agent.yaml"]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([
            {"name": "config", "mountPath": "/etc/podstamp/"},
            {"name": "own", "mountPath": "/conf"},
        ]);
        pod["spec"]["volumes"] = json!([
            {"name": "config", "configMap": {"name": "podstamp"}},
            {"name": "own", "configMap": {
                "name": "otel-agent-conf", "items": [{"key": "otel-agent-config", "path": "agent.yaml"}],
            }},
        ]);
        shop.cluster.apply(pod);
    }
    let url = "http://deepflow-agent.deepflow:81/api/v1/otel/trace";
    let text = format!("exporters: {{otlphttp: {{traces_endpoint: '{url}'}}}}");
    shop.cluster.apply(config_map(
        "podstamp",
        "otel-agent-conf",
        json!({"otel-agent-config": text, "other": "a"}),
    ));
    let found = shop.examine().await;
    let both = "ConfigMap podstamp/podstamp with ConfigMap podstamp/otel-agent-conf has no faults";
    found.expect(check::CONFIGURATION, Fine, &[both]);
    found.expect(check::PIPELINE, Fine, &[url]);
    let options = Doctor { admin: None, ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    let exec = "podstamp doctor --config /etc/podstamp/podstamp.yaml --config /conf/agent.yaml";
    found.expect(check::READY, Skipped, &[exec]);
    // A file of the image is nobody's ConfigMap.
    for (node, number) in [("n1", 1), ("n2", 2)] {
        let mut pod = podstamp(node, number);
        pod["spec"]["containers"][0]["args"] = json!(["serve", "--config=/etc/other.yaml"]);
        shop.cluster.apply(pod);
    }
    let told = ["/etc/other.yaml from elsewhere than a ConfigMap"];
    shop.examine().await.expect(check::CONFIGURATION, Skipped, &told);
}

/// As in the place of an otel-agent: what it says itself, and that agent's ConfigMap, whose entry has another name as a file.
#[tokio::test]
async fn several_config_maps_are_read_as_the_one_configuration_that_they_make() {
    let shop = Shop::open().await;
    let items = json!([{"key": "agent-config", "path": "agent.yaml"}]);
    for (node, number) in [("n1", 1), ("n2", 2)] {
        let mut pod = podstamp(node, number);
        let container = &mut pod["spec"]["containers"][0];
        container["args"] =
            json!(["serve", "--config=/etc/podstamp/podstamp.yaml", "--config=/conf/agent.yaml"]);
        container["volumeMounts"] = json!([
            {"name": "theirs", "mountPath": "/conf"},
            {"name": "config", "mountPath": "/etc/podstamp"},
        ]);
        pod["spec"]["volumes"] = json!([
            {"name": "config", "configMap": {"name": "podstamp"}},
            {"name": "theirs", "configMap": {"name": "agent-conf", "items": items}},
        ]);
        shop.cluster.apply(pod);
    }
    let own = json!({"podstamp.yaml": "podstamp: {admin: {endpoint: '0.0.0.0:8888'}}"});
    shop.cluster.apply(config_map("podstamp", "podstamp", own));
    let theirs = |text: &str| config_map("podstamp", "agent-conf", json!({"agent-config": text}));
    shop.cluster.apply(theirs(CONFIG));
    let found = shop.examine().await;
    let place = "ConfigMap podstamp/podstamp with ConfigMap podstamp/agent-conf";
    found.expect(check::CONFIGURATION, Fine, &[place, "has no faults"]);
    found.expect(check::PIPELINE, Fine, &["traces go to http://deepflow-agent.deepflow/api/v1/otel/trace"]);
    shop.cluster.apply(theirs("a: ["));
    let found = shop.examine().await;
    found.expect(check::CONFIGURATION, Failed, &["ConfigMap podstamp/agent-conf: line 1, "]);
}

#[tokio::test]
async fn a_file_is_checked_as_check_does() {
    let shop = Shop::open().await;
    let of = async |text: &str| {
        let options = Doctor { config: vec![shop.file(text)], ..shop.options() };
        examined(&options, &Process::default()).await
    };
    of(CONFIG).await.expect(check::CONFIGURATION, Fine, &["podstamp.yaml has no faults"]);
    of("a: [\n").await.expect(check::CONFIGURATION, Failed, &["is no configuration"]);
    let warned = of(&CONFIG.replace("podstamp: {", "podstamp: {trusted_proxies: [0.0.0.0/0], ")).await;
    warned.expect(check::CONFIGURATION, Warning, &["config-trusts-everybody"]);
    let unguarded = of(&CONFIG.replace("podstamp: {", "podstamp: {guard: {enabled: false}, ")).await;
    unguarded.expect(check::PIPELINE, Warning, &["with the guard off", "podstamp.guard.enabled"]);
    let options = Doctor { config: vec!["/does/not/exist".into()], ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::CONFIGURATION, Failed, &["/does/not/exist cannot be read"]);
    assert_eq!(found.of(check::CONFIGURATION).exit, Exit::NoInput);
}

#[tokio::test]
async fn where_pods_come_from_is_told() {
    let shop = Shop::open().await;
    let of = async |pods: &str| {
        let config = CONFIG.replace("pods: {from: kubernetes}", pods);
        let options = Doctor { config: vec![shop.file(&config)], ..shop.options() };
        examined(&options, &Process::default()).await
    };
    let found = of("pods: {file: /pods.json}").await;
    found.expect(check::PODS_SOURCE, Fine, &["the file /pods.json"]);
    found.expect(check::PERMISSIONS, Skipped, &["not needed: pods come from the file /pods.json"]);
    let found = of("pods: {from: 'http://podstamp-pods:8888'}").await;
    found.expect(check::PODS_SOURCE, Fine, &["the podstamp at http://podstamp-pods:8888"]);
    found.expect(check::PERMISSIONS, Skipped, &[]);
    let found = of("pods: {}").await;
    found.expect(check::PODS_SOURCE, Fine, &["the Kubernetes API"]);
}

#[tokio::test]
async fn without_a_cluster_the_rest_is_examined_all_the_same() {
    let shop = Shop::open().await;
    let path = shop.folder.path().join("alone.yaml");
    let text = CONFIG
        .replace("http://deepflow-agent.deepflow/api/v1/otel/trace", &shop.agent.url())
        .replace("pods: {from: kubernetes}", "")
        .replace("0.0.0.0:8888", &shop.admin.address().to_string());
    std::fs::write(&path, &text).unwrap();
    let options = Doctor { config: vec![path.clone()], no_span: true, ..Doctor::default() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Skipped, &["runs in no cluster", "--kubeconfig"]);
    found.expect(check::PODS_SOURCE, Warning, &["none: spans are stamped with what they say of themselves"]);
    found.expect(check::AGENT, Fine, &["one podstamp"]);
    found.expect(check::READY, Fine, &["is ready"]);
    found.expect(check::SPAN, Skipped, &["--no-span"]);
    std::fs::write(&path, text.replace("podstamp: {", "podstamp: {pods: {from: kubernetes}, ")).unwrap();
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Failed, &["pods are to come from there"]);
    let found = examined(&Doctor { no_span: true, ..Doctor::default() }, &Process::default()).await;
    found.expect(check::CONFIGURATION, Fine, &["that of `podstamp serve` without --config"]);
}
