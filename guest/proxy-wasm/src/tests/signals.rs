//! Metrics and logs.

use serde_json::{Value, json};

use super::proxy::{Stream, buffer, header, metric, proxy, root};
use super::requests::{BATCH, document, inline, stamped};
use crate::abi::{Action, Buffer, Headers};

/// The same pipeline and one of metrics, and more of the section `podstamp` and of the exporter of metrics.
fn with_metrics(own: &Value, exporter: &Value) -> Option<u32> {
    let mut document: Value = serde_json::from_str(&document(own)).unwrap();
    document["processors"]["resource/m"] =
        json!({"attributes": [{"key": "stamped", "value": "10.1.2.3", "action": "insert"}]});
    document["exporters"]["otlphttp/m"] = json!({"endpoint": "http://prometheus/base"});
    document["exporters"]["otlphttp/m"]
        .as_object_mut()
        .unwrap()
        .extend(exporter.as_object().unwrap().clone());
    document["service"]["pipelines"]["metrics"] =
        json!({"receivers": ["otlp"], "processors": ["resource/m"], "exporters": ["otlphttp/m"]});
    root(&document.to_string())
}

fn of(signal: &str) -> Vec<(&'static str, String)> {
    vec![
        (":method", "POST".to_owned()),
        (":path", format!("/v1/{signal}")),
        ("content-type", "application/x-protobuf".to_owned()),
    ]
}

fn begin(root: u32, headers: &[(&'static str, String)]) -> (Stream, Action) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Stream::begin(root, &headers, false)
}

fn grpc(content_type: &str) -> Vec<(&'static str, String)> {
    vec![
        (":method", "POST".to_owned()),
        (":path", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export".to_owned()),
        ("content-type", content_type.to_owned()),
    ]
}

#[test]
fn a_signal_with_a_pipeline_is_stamped_as_it_passes() {
    for (times, headers) in (1..).zip([of("metrics"), grpc("application/x-protobuf")]) {
        let root = with_metrics(&json!({}), &json!({})).unwrap();
        let (stream, action) = begin(root, &headers);
        assert_eq!(action, Action::Continue);
        assert_eq!(header(Headers::Request, ":path").as_deref(), Some("/base/v1/metrics"));
        assert_eq!(stream.body(BATCH, true), Action::Continue);
        assert_eq!(stamped(&buffer(Buffer::RequestBody), "10.1.2.3"), 2);
        stream.respond("via_upstream", &[(":status", "200"), ("content-length", "0")], None);
        assert_eq!(metric("podstamp_requests_total.outcome.accepted.code.200"), times);
        assert_eq!(metric("podstamp_spans_total.outcome.accepted"), 0, "there are none");
    }
}

/// What has no pipeline, comes without the bridge, is only copied or cannot be sent from here.
#[test]
fn what_is_not_stamped_passes_untouched() {
    let passes = |root: Option<u32>, headers: &[(&'static str, String)], said: &str| {
        let (stream, action) = begin(root.unwrap(), headers);
        assert_eq!(action, Action::Continue);
        assert_eq!(header(Headers::Request, ":path"), Some(headers[1].1.clone()));
        assert_eq!(stream.body(BATCH, true), Action::Continue);
        assert_eq!(buffer(Buffer::RequestBody), BATCH);
        let log = proxy(|proxy| proxy.log.join("\n"));
        assert!(log.contains(said), "{said} is not in\n{log}");
    };
    let none = json!({});
    passes(with_metrics(&none, &none), &of("logs"), "");
    passes(Some(inline()), &of("metrics"), "");
    passes(with_metrics(&none, &none), &grpc("application/grpc"), "metrics over gRPC pass as they are");
    let tee = json!({"proxy_wasm": {"mode": "tee", "cluster": "agent"}});
    passes(with_metrics(&tee, &none), &of("metrics"), "copies are made of traces alone");
}

#[test]
fn what_of_its_exporter_is_the_proxys_to_do_is_told() {
    with_metrics(&json!({}), &json!({"compression": "gzip", "timeout": "7s"})).unwrap();
    let log = proxy(|proxy| proxy.log.join("\n"));
    for place in ["exporters.otlphttp/m.compression", "exporters.otlphttp/m: has no effect here: timeout"] {
        assert!(log.contains(place), "{place} is not in\n{log}");
    }
}
