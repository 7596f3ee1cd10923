//! `otel-agent.yaml`, which takes the place of DeepFlow's otel-agent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use podstamp_core::config::{self, Config};
use serde_json::{Value, json};

use super::{container, documents, examples, manifest, name, of_kind};
use crate::served::{fixture, fixture_path, podstamp};

/// Configurations that clusters have in ConfigMap otel-agent-conf: those of DeepFlow's documents, and that of its demo.
const CONFIGURATIONS: [&str; 3] =
    ["deepflow-simple.yaml", "deepflow-load-balancer.yaml", "otel-agent-configmap.yaml"];

/// What the drop-in says ahead of them.
fn own() -> String {
    let documents = manifest("otel-agent.yaml");
    let maps = of_kind(&documents, "ConfigMap");
    let [map] = maps[..] else { panic!("{maps:?}") };
    map["data"]["podstamp.yaml"].as_str().unwrap().to_owned()
}

fn read(theirs: &str) -> Config {
    let texts =
        [("podstamp.yaml".to_owned(), own()), ("otel-agent-config.yaml".to_owned(), theirs.to_owned())];
    let loaded = ::podstamp::config::parse_all(&texts, &|_| None).unwrap();
    config::parse(&loaded.document).unwrap()
}

#[test]
fn the_configurations_of_deepflows_documents_pass_as_they_are_and_listen_for_the_cluster() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("podstamp.yaml");
    fs::write(&file, own()).unwrap();
    let conf = examples().join("otel-agent-conf.yaml");
    for theirs in CONFIGURATIONS.map(fixture_path).into_iter().chain([conf]) {
        let files = [file.as_path(), &theirs].map(Path::to_str);
        let output = podstamp(["check", "--config", files[0].unwrap(), "--config", files[1].unwrap()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning: "), "{}: {said}", theirs.display());
        let text = fs::read_to_string(&theirs).unwrap();
        // The page shows its second pipeline without an exporter.
        let agent =
            if text.contains("traces_endpoint") { "deepflow-agent.deepflow" } else { "127.0.0.1:38086" };
        assert!(said.contains(&format!("traces go to http://{agent}/api/v1/otel/trace")), "{said}");
        let config = read(&text);
        let (http, grpc) = (config.receiver.http.unwrap().endpoint, config.receiver.grpc.unwrap().endpoint);
        assert_eq!([&*http, &*grpc], ["0.0.0.0:4318", "0.0.0.0:4317"], "{}", theirs.display());
        assert_eq!(config.admin.as_ref().map(|admin| admin.endpoint.as_str()), Some("0.0.0.0:8888"));
    }
}

/// What a cluster's own configuration says goes ahead.
#[test]
fn a_configuration_that_says_where_to_listen_is_heeded() {
    let theirs =
        fixture("otel-agent-configmap.yaml").replace("grpc:\n", "grpc: {endpoint: '127.0.0.1:14317'}\n");
    assert_eq!(read(&theirs).receiver.grpc.unwrap().endpoint, "127.0.0.1:14317");
}

/// Names, labels and ports of DeepFlow's manifest, by which clients and `kubectl apply` find them.
#[test]
fn names_labels_and_ports_are_those_of_the_otel_agent() {
    let (ours, theirs) = (manifest("otel-agent.yaml"), documents(&fixture("otel-agent-configmap.yaml")));
    let daemon_set = |documents: &[Value]| of_kind(documents, "DaemonSet")[0].clone();
    let (own, before) = (daemon_set(&ours), daemon_set(&theirs));
    assert_eq!(
        (name(&own), &own["metadata"]["namespace"]),
        (name(&before), &before["metadata"]["namespace"])
    );
    // It cannot be changed.
    assert_eq!(own["spec"]["selector"], before["spec"]["selector"]);
    assert_eq!(container(&own)["name"], container(&before)["name"]);
    let volumes = own["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    for volume in before["spec"]["template"]["spec"]["volumes"].as_array().unwrap() {
        assert!(volumes.contains(volume), "{volume}");
    }
    let ports: BTreeSet<_> = container(&own)["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["containerPort"].as_u64().unwrap())
        .collect();
    assert_eq!(ports, [4317, 4318, 8888].into());
    let service = of_kind(&ours, "Service")[0];
    let labels = &own["spec"]["template"]["metadata"]["labels"];
    assert_eq!((name(service), &service["metadata"]["namespace"]), ("otel-agent", &json!("open-telemetry")));
    assert!(
        service["spec"]["selector"].as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
    );
    let ports: BTreeSet<_> = service["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["port"].as_u64().unwrap())
        .collect();
    assert_eq!(ports, [4317, 4318, 8888].into());
    // The cluster's own stays as it is.
    assert!(of_kind(&ours, "ConfigMap").iter().all(|map| name(map) != "otel-agent-conf"));
    let conf = manifest("otel-agent-conf.yaml");
    assert_eq!(name(&conf[0]), "otel-agent-conf");
    assert!(conf[0]["data"]["otel-agent-config"].is_string());
}

#[test]
fn the_files_are_where_they_are_looked_for() {
    let documents = manifest("otel-agent.yaml");
    let container = container(of_kind(&documents, "DaemonSet")[0]);
    let arguments =
        ["serve", "--config=/etc/podstamp/podstamp.yaml", "--config=/conf/otel-agent-config.yaml"];
    assert_eq!((&container["command"], &container["args"]), (&json!(["/podstamp"]), &json!(arguments)));
    let mounts: Vec<_> =
        container["volumeMounts"].as_array().unwrap().iter().map(|mount| &mount["mountPath"]).collect();
    assert_eq!(mounts, ["/conf", "/etc/podstamp"]);
}

#[test]
fn it_runs_the_version_of_the_chart_with_the_same_rights() {
    let documents = manifest("otel-agent.yaml");
    let image = format!("podstamp:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(container(of_kind(&documents, "DaemonSet")[0])["image"], image);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]);
    assert_eq!(of_kind(&documents, "ClusterRole")[0]["rules"], rules);
    let chart = manifest("agent.yaml");
    let of = |documents: &[Value]| container(of_kind(documents, "DaemonSet")[0]).clone();
    for key in ["image", "resources", "securityContext"] {
        assert_eq!(of(&documents)[key], of(&chart)[key], "{key}");
    }
    let pod = |documents: &[Value]| of_kind(documents, "DaemonSet")[0]["spec"]["template"]["spec"].clone();
    for key in ["securityContext", "tolerations", "terminationGracePeriodSeconds"] {
        assert_eq!(pod(&documents)[key], pod(&chart)[key], "{key}");
    }
}
