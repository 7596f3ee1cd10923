//! Pipelines of metrics and logs.

use serde_json::{Value, json};

use super::{faults, notices, parsed, simple};
use crate::directory::{KeptKeys, Keys};
use crate::guard::Rules;
use crate::signal::Signal;

/// The simple configuration with a pipeline more, and exporters for it.
fn with(id: &str, pipeline: Value) -> Value {
    let mut document = simple();
    document["receivers"] = json!({"otlp": {"protocols": {"http": {"logs_url_path": "logs"}, "grpc": null}}});
    document["exporters"]["otlphttp/far"] = json!({"endpoint": "https://far:4318/base/"});
    document["exporters"]["otlphttp/named"] = json!({
        "metrics_endpoint": "http://prometheus:9090/api/v1/otlp/v1/metrics",
        "logs_endpoint": "http://loki:3100/otlp/v1/logs?x=1",
    });
    document["exporters"]["debug"] = json!(null);
    document["exporters"]["prometheus"] = json!({"endpoint": ":9464"});
    document["processors"]["batch"] = json!(null);
    document["processors"]["resource/env"] =
        json!({"attributes": [{"key": "env", "value": "test", "action": "upsert"}]});
    document["service"]["pipelines"]["traces"]["receivers"] = json!(["otlp"]);
    document["service"]["pipelines"][id] = pipeline;
    document
}

fn url(document: &Value, signal: Signal) -> Option<String> {
    parsed(document).carried(signal).map(|carried| carried.exporter.url.clone())
}

#[test]
fn a_pipeline_of_metrics_or_logs_has_processors_and_exporters_of_its_own() {
    for (id, signal, other, exporter, expected) in [
        ("metrics", Signal::Metrics, Signal::Logs, "otlphttp/far", "https://far:4318/base/v1/metrics"),
        ("logs/app", Signal::Logs, Signal::Metrics, "otlphttp/far", "https://far:4318/base/v1/logs"),
        (
            "metrics",
            Signal::Metrics,
            Signal::Logs,
            "otlphttp/named",
            "http://prometheus:9090/api/v1/otlp/v1/metrics",
        ),
        ("logs", Signal::Logs, Signal::Metrics, "otlphttp/named", "http://loki:3100/otlp/v1/logs?x=1"),
    ] {
        let document = with(
            id,
            json!({"receivers": ["otlp"], "processors": ["batch", "resource/env"], "exporters": ["debug", exporter]}),
        );
        let config = parsed(&document);
        let carried = config.carried(signal).unwrap();
        assert_eq!(carried.exporter.url, expected);
        assert_eq!((carried.rules, carried.exporter.connections), (Rules::OTHER, 0));
        assert!(!carried.exporter.is_agent && carried.copies.is_empty());
        assert_ne!(format!("{:?}", carried.pipeline), format!("{:?}", config.traces.pipeline));
        assert!(config.carried(other).is_none());
        assert_eq!(config.signals().collect::<Vec<_>>(), [Signal::Traces, signal]);
        let path = if signal == Signal::Logs { "/logs" } else { "/v1/metrics" };
        assert_eq!(config.receiver.path(signal), path);
        let told = notices(&document).join("\n");
        assert!(
            !told.contains("resource/env") && !told.contains(&format!("service.pipelines.{id}")),
            "{told}"
        );
    }
}

#[test]
fn several_exporters_of_a_signal_get_copies() {
    let pipeline = json!({"receivers": ["otlp"], "exporters": ["otlphttp/far", "otlphttp/named"]});
    let config = parsed(&with("logs", pipeline));
    let logs = config.logs.unwrap();
    assert_eq!(logs.exporter.id, "otlphttp/far");
    let copies: Vec<_> = logs.copies.iter().map(|copy| copy.url.as_str()).collect();
    assert_eq!(copies, ["http://loki:3100/otlp/v1/logs?x=1"]);
}

#[test]
fn what_podstamp_cannot_carry_is_a_notice_and_never_a_fault() {
    let receivers = json!(["otlp"]);
    for (level, pipeline, expected) in [
        (
            "Info",
            json!({"receivers": receivers, "exporters": ["prometheus"]}),
            "has no `prometheus` exporter",
        ),
        ("Info", json!({"receivers": receivers, "exporters": ["debug"]}), "names no `otlphttp`"),
        ("Info", json!({"receivers": receivers, "exporters": []}), "is missing: where do metrics go?"),
        ("Info", json!(null), "is missing: where do metrics go?"),
        (
            "Warning",
            json!({"receivers": receivers, "exporters": ["otlphttp"]}),
            "metrics_endpoint: is missing",
        ),
        ("Warning", json!({"receivers": receivers, "exporters": ["otlphttp/bad"]}), "is no URL"),
        ("Warning", json!({"receivers": receivers, "exporters": ["otlphttp/agent"]}), "and nothing else"),
        (
            "Warning",
            json!({"receivers": receivers, "exporters": ["otlphttp/unset"]}),
            "otlphttp/unset.headers.a has",
        ),
        ("Warning", json!({"receivers": ["otlp/2"], "exporters": ["otlphttp/far"]}), "receives elsewhere"),
        (
            "Warning",
            json!({"receivers": ["otlp", "prometheus"], "exporters": ["otlphttp/far"]}),
            "no `prometheus`",
        ),
        (
            "Warning",
            json!({"receivers": receivers, "processors": ["filter"], "exporters": ["otlphttp/far"]}),
            "podstamp has no `filter` processor",
        ),
        (
            "Warning",
            json!({"receivers": receivers, "processors": ["resource/bad"], "exporters": ["otlphttp/far"]}),
            "processors.resource/bad.attributes[0]",
        ),
    ] {
        let mut document = with("metrics", pipeline);
        document["receivers"]["prometheus"] = json!({});
        document["receivers"]["otlp/2"] = json!({"protocols": {"grpc": null}});
        document["processors"]["filter"] = json!({});
        document["processors"]["resource/bad"] = json!({"attributes": [{"key": "a", "action": "inster"}]});
        document["exporters"]["otlphttp/bad"] = json!({"metrics_endpoint": "far"});
        document["exporters"]["otlphttp/agent"] =
            json!({"metrics_endpoint": "http://agent/api/v1/otel/trace"});
        document["exporters"]["otlphttp/unset"] =
            json!({"endpoint": "http://far", "headers": {"a": "${env:TOKEN}"}});
        assert_eq!(url(&document, Signal::Metrics), None);
        let notices = notices(&document);
        let begin = format!("{level} service.pipelines.metrics: ");
        let told = notices.iter().filter(|notice| notice.starts_with(&begin));
        let told: Vec<_> = told.collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{expected} {notices:#?}");
    }
}

#[test]
fn two_pipelines_of_a_signal_run_neither() {
    let pipeline = json!({"receivers": ["otlp"], "exporters": ["otlphttp/far"]});
    let mut document = with("metrics", pipeline.clone());
    document["service"]["pipelines"]["metrics/2"] = pipeline;
    assert_eq!(url(&document, Signal::Metrics), None);
    let expected = "Warning service.pipelines.metrics, service.pipelines.metrics/2: is not carried: podstamp runs one \
                    pipeline of metrics: merge them";
    assert!(notices(&document).iter().any(|notice| notice == expected), "{:#?}", notices(&document));
    // One that could not run anyway is in nobody's way.
    document["service"]["pipelines"]["metrics/2"]["exporters"] = json!(["prometheus"]);
    assert_eq!(url(&document, Signal::Metrics).as_deref(), Some("https://far:4318/base/v1/metrics"));
}

#[test]
fn keys_for_a_signal_without_a_pipeline_have_no_effect() {
    let mut document = with("metrics", json!({"receivers": ["otlp"], "exporters": ["prometheus"]}));
    document["exporters"]["otlphttp"]["metrics_endpoint"] = json!("http://x/");
    let told = notices(&document).join("\n");
    let only = "have no effect here: podstamp carries traces only";
    assert!(told.contains(only) && told.contains("exporters.otlphttp.metrics_endpoint"), "{told}");
    document["service"]["pipelines"]["metrics"]["exporters"] = json!(["otlphttp"]);
    let told = notices(&document).join("\n");
    assert!(!told.contains("metrics_endpoint"), "{told}");
    let unread = "Info receivers.otlp.protocols.http.logs_url_path: has no effect here: no pipeline sends it through podstamp";
    assert!(told.contains(unread), "{told}");
}

#[test]
fn paths_that_two_signals_would_share_carry_traces() {
    let mut document = with("logs", json!({"receivers": ["otlp"], "exporters": ["otlphttp/far"]}));
    document["receivers"]["otlp"]["protocols"]["http"]["logs_url_path"] = json!("/v1/traces");
    assert_eq!(url(&document, Signal::Logs), None);
    assert!(notices(&document).join("\n").contains("the receiver takes another signal at /v1/traces"));
}

#[test]
fn what_pipelines_need_of_pods_is_kept_for_all_of_them() {
    let mut document = with(
        "metrics",
        json!({"receivers": ["otlp"], "processors": ["k8sattributes/labels"], "exporters": ["otlphttp/far"]}),
    );
    document["processors"]["k8sattributes/labels"] =
        json!({"extract": {"labels": [{"key": "app"}], "metadata": ["k8s.pod.name"]}});
    let config = parsed(&document);
    let app = KeptKeys { labels: Keys::Only(["app".to_owned()].into()), annotations: Keys::None };
    assert_eq!((config.kept_keys(), config.traces.pipeline.kept_keys()), (app, KeptKeys::default()));
    assert!(config.fields().to_string().contains("labels"), "{}", config.fields());
}

#[test]
fn exporters_to_one_host_share_the_connections_of_the_agent() {
    let mut document = with("metrics", json!({"receivers": ["otlp"], "exporters": ["otlphttp/same"]}));
    document["exporters"]["otlphttp/same"] = json!({"endpoint": "http://deepflow-agent.deepflow"});
    let config = parsed(&document);
    assert_eq!(config.metrics.unwrap().exporter.connections, 1);
    document["podstamp"] = json!({"guard": {"check": "full", "enabled": true}});
    document["service"]["pipelines"]["metrics"]["exporters"] = json!(["otlphttp/far"]);
    let metrics = parsed(&document).metrics.unwrap();
    assert_eq!(
        (metrics.exporter.connections, metrics.rules),
        (0, Rules { check_full: true, ..Rules::OTHER })
    );
}

#[test]
fn a_fault_that_traces_share_stays_one() {
    let mut document = with("metrics", json!({"receivers": ["otlp"], "exporters": ["otlphttp/far"]}));
    document["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = json!("nowhere");
    let faults = faults(&document);
    assert!(faults.len() == 1 && faults[0].contains("`nowhere` is no address"), "{faults:?}");
}
