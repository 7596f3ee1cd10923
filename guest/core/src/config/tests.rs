//! Whole documents. What single values take is tested beside their readers.

mod auth;
mod collector;
mod delivery;
mod documented;
mod faults;
mod processors;
mod signals;
mod transport;

use serde_json::{Value, json};

use super::*;
use crate::guard::Rules;
use crate::interface::Level;
use crate::pipeline::fixture::{Table, pod, run};

fn parsed(document: &Value) -> Config {
    match parse(document) {
        Ok(config) => config,
        Err(faults) => panic!("{faults:#?}"),
    }
}

fn faults(document: &Value) -> Vec<String> {
    match parse(document) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// The simple configuration with one place set to something else.
fn simple_with(pointer: &str, value: Value) -> Value {
    let mut document = simple();
    let mut place = &mut document;
    for key in pointer.split('.') {
        place = match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[key],
        };
    }
    *place = value;
    document
}

/// Its notices, without those of the simple configuration itself.
fn notices(document: &Value) -> Vec<String> {
    let usual = parsed(&simple()).notices;
    let notices = parsed(document).notices.into_iter().filter(|notice| !usual.contains(notice));
    notices.map(|notice| format!("{:?} {}", notice.level, notice.message)).collect()
}

fn keys(config: &Config) -> Vec<(Level, &str)> {
    config.notices.iter().map(|notice| (notice.level, &*notice.key)).collect()
}

/// The first configuration in DeepFlow's documentation, its three parts put together.
fn simple() -> Value {
    json!({
        "exporters": {"otlphttp": {
            "traces_endpoint": "http://deepflow-agent.deepflow/api/v1/otel/trace",
            "tls": {"insecure": true},
            "retry_on_failure": {"enabled": true},
        }},
        "processors": {
            "k8sattributes": null,
            "resource": {"attributes": [
                {"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"},
            ]},
        },
        "service": {"pipelines": {"traces": {
            "processors": ["k8sattributes", "resource"],
            "exporters": ["otlphttp"],
        }}},
    })
}

/// The second one, for load balancers and NodePorts: it shows no exporters.
fn balanced() -> Value {
    let mut document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
    let root = document.as_object_mut().unwrap();
    root.remove("exporters");
    root["service"]["pipelines"]["traces"].as_object_mut().unwrap().remove("exporters");
    document
}

#[test]
fn the_simple_configuration_of_deepflow_runs_as_it_stands() {
    let config = parsed(&simple());
    assert_eq!(config.traces.exporter.url, "http://deepflow-agent.deepflow/api/v1/otel/trace");
    assert_eq!(config.traces.exporter.url_key, "exporters.otlphttp.traces_endpoint");
    assert_eq!((config.traces.exporter.is_agent, config.traces.rules), (true, Rules::AGENT));
    assert_eq!(config.traces.exporter.retry, Retry::default());
    assert_eq!(config.receiver.http.as_ref().unwrap().endpoint, "127.0.0.1:4318");
    assert_eq!(keys(&config), [(Level::Info, "config-default"), (Level::Info, "config-pod-ip")]);
    let stamp = &config.notices[1].message;
    assert!(stamp.starts_with("processors.resource.attributes[0].from_attribute: "), "{stamp}");
    assert!(stamp.contains("contrib#43862"), "{stamp}");

    assert_eq!(config.fields().to_string(), "namespace,uid,node,hostname,deployment,containers");
    let table = Table { pods: vec![pod("item-1", &["10.1.0.7"])], ..Table::default() };
    let (attributes, found) = run(&config.traces.pipeline, &table, "10.1.0.7", &[("service.name", "item")]);
    assert_eq!(found.as_deref(), Some("item-1"));
    let expected = [
        "service.name=item",
        "k8s.namespace.name=shop",
        "k8s.pod.name=item-1",
        "k8s.pod.uid=uid-item-1",
        "k8s.pod.start_time=2026-01-02T03:04:05Z",
        "k8s.deployment.name=item",
        "k8s.node.name=node-1",
    ];
    assert_eq!(attributes, expected, "k8s.pod.ip is not in the default list, so the guard has to stamp");
}

#[test]
fn the_load_balancer_configuration_of_deepflow_runs_as_it_stands() {
    let config = parsed(&balanced());
    assert_eq!(config.traces.exporter.url, "http://127.0.0.1:38086/api/v1/otel/trace");
    assert_eq!(config.traces.exporter.url_key, "service.pipelines.traces.exporters");
    assert!(config.traces.exporter.is_agent);
    assert_eq!(keys(&config), [(Level::Info, "config-default"); 2]);

    assert_eq!(config.fields().to_string(), "namespace,uid,hostname,containers");
    let pods = vec![pod("item-1", &["10.1.0.7"]), pod("shop-1", &["10.1.0.8"])];
    let table = Table { pods, ..Table::default() };
    let (attributes, found) = run(&config.traces.pipeline, &table, "10.2.0.1", &[("host.name", "shop-1")]);
    assert_eq!(found.as_deref(), Some("shop-1"));
    let expected = [
        "host.name=shop-1",
        "k8s.pod.name=shop-1",
        "k8s.pod.ip=10.1.0.8",
        "k8s.pod.uid=uid-shop-1",
        "app.host.ip=10.1.0.8",
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn the_default_document_is_the_load_balancer_configuration() {
    let config = parsed(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap());
    assert_eq!(config.traces.exporter.url, DEFAULT_URL);
    assert_eq!(config.traces.exporter.url_key, "exporters.otlphttp.traces_endpoint");
    assert_eq!(keys(&config), [(Level::Info, "config-default")]);
}

#[test]
fn a_whole_otel_agent_configuration_runs_as_it_stands() {
    // deepflow-demo's open-telemetry.yaml, and what its successors add.
    let mut document = simple();
    document["extensions"] = json!({"health_check": {}, "zpages": {}, "memory_ballast": {"size_mib": 512}});
    document["receivers"] = json!({
        "otlp": {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317"}, "http": {"endpoint": "0.0.0.0:4318"}}},
        "prometheus": {"config": {"anything": "at all"}},
    });
    document["processors"]["batch"] = json!({"timeout": "10s"});
    document["processors"]["memory_limiter"] = json!({"check_interval": "2s", "limit_mib": 1800});
    document["exporters"]["logging"] = json!({"loglevel": "debug"});
    document["service"] = json!({
        "extensions": ["health_check", "zpages", "memory_ballast"],
        "telemetry": {"metrics": {"level": "basic"}},
        "pipelines": {
            "traces": {
                "receivers": ["otlp"],
                "processors": ["k8sattributes", "resource", "memory_limiter", "batch"],
                "exporters": ["otlphttp", "logging"],
            },
            "metrics": {"receivers": ["prometheus"], "exporters": ["logging"]},
        },
    });
    let config = parsed(&document);
    assert_eq!(config.receiver.http.as_ref().unwrap().endpoint, "0.0.0.0:4318");
    let paths: Vec<_> = config.notices.iter().filter_map(|notice| notice.message.split(':').next()).collect();
    let expected = [
        "service.telemetry",
        "service.pipelines.metrics",
        "receivers.prometheus",
        "exporters.logging",
        "extensions.health_check",
        "extensions.memory_ballast",
        "extensions.zpages",
        "processors.resource.attributes[0].from_attribute",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn notices_never_hold_the_value_of_a_header() {
    let document = simple_with("exporters.otlphttp.headers", json!({"Authorization": "Bearer s3cret"}));
    let config = parsed(&document);
    assert_eq!(
        config.traces.exporter.headers,
        [crate::interface::Header::new("authorization", "Bearer s3cret")]
    );
    assert!(!format!("{config:?}").contains("s3cret"));
    let document = simple_with(
        "exporters.otlphttp.headers",
        json!({"a b": "s3cret", "x": "s3cret\r\n", "y": ["s3cret"]}),
    );
    let faults = faults(&document);
    assert_eq!(faults.len(), 3);
    assert!(!faults.concat().contains("s3cret"), "{faults:?}");
}
