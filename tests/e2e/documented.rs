//! DeepFlow's documented configurations, pasted whole.

mod configuration;
mod metrics;

use podstamp_test_support::blocking::http::{Client, export};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Setup, exporter, fixture, fixture_path, run};

const PODS: [(&str, &str); 5] = [
    ("web-1", "10.244.1.1"),
    ("item-1", "10.244.1.2"),
    ("order-1", "10.244.1.3"),
    ("stock-1", "10.244.1.4"),
    ("user-1", "10.244.1.5"),
];

#[test]
fn the_documented_configurations_pass_the_check() {
    for name in ["deepflow-simple.yaml", "deepflow-load-balancer.yaml", "otel-agent-configmap.yaml"] {
        let output = run(["check", "--config", fixture_path(name).to_str().unwrap()], b"");
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{name}: {stdout}{stderr}");
        assert!(!stderr.contains("k8sattributes runs after"), "{name}: {stderr}");
    }
}

#[test]
fn five_pods_behind_one_connection_get_their_own_addresses() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&PODS)).serve();
    let services: Vec<_> = PODS.iter().map(|(pod, _)| (pod.trim_end_matches("-1"), *pod)).collect();
    let mut connection = Client::connect(served.address);
    assert_eq!(connection.export(&spans::export(&services)).status, 200);
    for service in &services {
        assert_eq!(connection.export(&spans::export(&[*service])).status, 200);
    }
    let mut expected: Vec<_> = PODS
        .iter()
        .flat_map(|(pod, address)| vec![(pod.trim_end_matches("-1").to_owned(), (*address).to_owned()); 2])
        .collect();
    expected.sort();
    assert_eq!(agent.placed(), expected);
    assert_eq!(served.metric("podstamp_requests_total", &["200"]), 6.0);
}

#[test]
fn the_simple_pipeline_stamps_from_an_address_that_is_there_and_marks_the_rest_unknown() {
    let agent = FakeAgent::start();
    // As DeepFlow's page has it, but for the address of the agent.
    let config = fixture("deepflow-simple.yaml")
        .replace("http://deepflow-agent.deepflow/api/v1/otel/trace", &agent.url());
    let served = Setup { config, ..Setup::default() }.pods(spans::pods(&PODS)).serve();
    let answer = export(served.address, &spans::export(&[("shop", "nobody")]));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-protobuf")));
    assert!(answer.body.is_empty());
    // The connection is from loopback, which cannot be a pod's address: unknown, rather than a wrong pod.
    assert_eq!(agent.placed(), [("shop".to_owned(), "0.0.0.0".to_owned())]);
}

#[test]
fn a_whole_configmap_serves() {
    let agent = FakeAgent::start();
    let manifest = fixture("otel-agent-configmap.yaml")
        .replace("http://deepflow-agent.deepflow/api/v1/otel/trace", &agent.url());
    let body = spans::export(&[("shop", "web-1")]);
    let folder = tempfile::TempDir::new().unwrap();
    let (config, pods) = (folder.path().join("manifest.yaml"), folder.path().join("pods.json"));
    std::fs::write(&config, manifest).unwrap();
    std::fs::write(&pods, spans::pods(&PODS)).unwrap();
    let (config, pods) = (config.to_str().unwrap(), pods.to_str().unwrap());
    let output = run(["rewrite", "--config", config, "--pods", pods, "--peer", "10.244.1.1"], &body);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.windows(10).any(|window| window == b"10.244.1.1"));
    assert!(!output.stdout.windows(9).any(|window| window == b"127.0.0.1"));
}

#[test]
fn a_wrong_order_is_warned_about() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("config.yaml");
    let text =
        fixture("deepflow-simple.yaml").replace("[k8sattributes, resource]", "[resource, k8sattributes]");
    assert_ne!(text, fixture("deepflow-simple.yaml"));
    std::fs::write(&config, text).unwrap();
    let output = run(["check", "--config", config.to_str().unwrap()], b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("k8s.pod.ip") && stderr.contains("k8sattributes"), "{stderr}");
}

#[test]
fn all_faults_are_reported_at_once_each_with_its_path() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "processors:\n  resource:\n    attributes:\n      - key: a\n        action: inzert\n      - action: insert\n  nonsense:\n{}service:\n  pipelines:\n    traces:\n      processors: [resource, nonsense]\n      exporters: [otlphttp]\n",
        exporter("ftp://nowhere/")
    );
    std::fs::write(&config, text).unwrap();
    let output = run(["check", "--config", config.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(64));
    let stdout = String::from_utf8_lossy(&output.stdout);
    for path in [
        "processors.resource.attributes[0].action",
        "processors.resource.attributes[1]",
        "service.pipelines.traces.processors[1]",
        "exporters.otlphttp.traces_endpoint",
    ] {
        assert!(stdout.lines().any(|line| line.starts_with(path)), "{path} in\n{stdout}");
    }
}

#[test]
fn the_standalone_example_works_as_its_readme_says() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/standalone");
    let (config, pods) = (example.join("otel-agent.yaml"), example.join("pods.json"));
    let (config, pods) = (config.to_str().unwrap(), pods.to_str().unwrap());
    let checked = run(["check", "--config", config], b"");
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    let listed: serde_json::Value = serde_json::from_slice(&std::fs::read(pods).unwrap()).unwrap();
    let plain =
        listed["items"].as_array().unwrap().iter().find(|pod| pod["spec"]["hostNetwork"] != true).unwrap();
    let (name, address) =
        (plain["metadata"]["name"].as_str().unwrap(), plain["status"]["podIP"].as_str().unwrap());
    let output = run(["rewrite", "--config", config, "--pods", pods], &spans::export(&[("shop", name)]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.windows(address.len()).any(|window| window == address.as_bytes()));
}
