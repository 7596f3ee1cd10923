//! `examples/collector`, in the Collector that they are for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::kubernetes::Kubernetes;
use podstamp_test_support::runtime::otelcol;
use serde_json::{Value, json};

use super::process::{Collector, written};
use super::traffic;
use crate::fake_agent::FakeAgent;
use crate::served::fixture;

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/collector").join(name)
}

#[test]
fn the_collector_takes_each_example_as_it_is() {
    let Some(binary) = otelcol() else { return };
    for name in EXAMPLES {
        let output =
            Command::new(&binary).args(["validate", "--config"]).arg(example(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let there = fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path());
    let there = there.filter(|path| path.extension().is_some_and(|end| end == "yaml")).count();
    assert_eq!(there, EXAMPLES.len(), "of each file something is to be said here");
}

/// The Collector's own k8sattributes finds the pods, and podstamp behind it makes their addresses of what that writes.
#[test]
fn what_k8sattributes_finds_ahead_of_podstamp_is_stamped() {
    let Some(binary) = otelcol() else { return };
    let (agent, kubernetes) = (FakeAgent::start(), Kubernetes::serve(&fixture("pods.json")));
    let text = fs::read_to_string(example("own-watch.yaml")).unwrap();
    let mut config: Value = serde_saphyr::from_str(&text).unwrap();
    config["receivers"]["otlp"]["protocols"] = json!({"http": {"endpoint": "127.0.0.1:0"}});
    config["processors"]["k8sattributes"]["auth_type"] = "kubeConfig".into();
    config["processors"]["k8sattributes"]["wait_for_metadata"] = true.into();
    config["processors"]["batch"]["timeout"] = "10ms".into();
    config["exporters"]["otlphttp"]["traces_endpoint"] = agent.url().into();
    config["exporters"]["otlphttp"]["compression"] = "none".into();
    config["service"]["telemetry"] = json!({"metrics": {"level": "none"}});
    let collector = Collector::start(&binary, &written(&config), &[("KUBECONFIG", &kubernetes.config())]);
    let cases = traffic::cases();
    for (name, address) in STAMPED {
        agent.agent().forget_records();
        let before = agent.agent().totals().spans;
        let case = cases.iter().find(|(case, _)| case == name).unwrap();
        let body = traffic::request(std::slice::from_ref(case));
        assert_eq!(Client::connect(collector.http("otlp")).export(&body).status, 200);
        agent.wait_for_spans(before + 1);
        assert_eq!(agent.placed().pop().unwrap().1, *address, "{name}");
    }
}

/// Cases of the traffic, and the addresses that they are stamped with.
const STAMPED: &[(&str, &str)] = &[
    ("pod uid", "10.244.2.40"),
    ("pod ip", "10.244.2.23"),
    ("app.host.ip of another pod", "10.244.2.23"),
    ("unknown host name", "0.0.0.0"),
    ("nothing", "0.0.0.0"),
    ("no resource", "0.0.0.0"),
];

const EXAMPLES: [&str; 3] = ["central-pods.yaml", "load-balancer.yaml", "own-watch.yaml"];
