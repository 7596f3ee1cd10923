//! Metrics and logs: each by its own pipeline, and without the agent's guard.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use super::*;

fn both() -> Filter {
    let document = json!({
        "processors": {"resource/m": {"attributes": [{"key": "m", "value": "1", "action": "insert"}]}},
        "exporters": {
            "otlphttp/agent": {"traces_endpoint": URL},
            "otlphttp/far": {"endpoint": "http://far:4318", "headers": {"x-tenant": "7"}, "timeout": "9s"},
        },
        "service": {"pipelines": {
            "traces": {"exporters": ["otlphttp/agent"]},
            "metrics": {"receivers": ["otlp"], "processors": ["resource/m"], "exporters": ["otlphttp/far"]},
        }},
        "receivers": {"otlp": {"protocols": {"http": null}}},
    });
    Filter::configure(&document).unwrap()
}

fn ask(filter: &Filter, signal: Signal, content_type: &str, body: &[u8]) -> Prepared {
    let headers = [Header::new("content-type", content_type)];
    let peer = "10.1.0.9".parse().ok();
    let request = Request { signal, path: signal.path(), peer, headers: &headers, body, now: Some(1) };
    filter.prepare(&request, &NoPods)
}

#[test]
fn a_signal_goes_to_its_own_upstream_as_its_pipeline_leaves_it() {
    let filter = both();
    for (content_type, body) in [(PROTOBUF, BODY), (JSON, &b"{\"resourceMetrics\":[{}]}"[..])] {
        let prepared = ask(&filter, Signal::Metrics, content_type, body);
        assert_eq!((prepared.report.resources, prepared.report.address_unknown), (1, 0));
        let outbound = forwarded(prepared);
        assert_eq!((outbound.url.as_str(), outbound.timeout), ("http://far:4318/v1/metrics", 9_000));
        assert!(outbound.headers.contains(&Header::new("x-tenant", "7")));
        let sent = outbound.content.into_body(body.to_vec()).unwrap();
        let sent = ExportMetricsServiceRequest::decode(&sent[..]).unwrap();
        let attributes = sent.resource_metrics[0].resource.clone().unwrap().attributes;
        let keys: Vec<_> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["m"], "no app.host.ip: that is what deepflow-agent needs of traces");
    }
    let traces = forwarded(ask(&filter, Signal::Traces, PROTOBUF, BODY));
    assert_eq!(traces.url, URL);
}

#[test]
fn a_signal_without_a_pipeline_is_answered_with_what_to_do() {
    let answer = answered(ask(&both(), Signal::Logs, PROTOBUF, BODY));
    assert_eq!((answer.status, status(&answer).code), (404, 12));
    assert!(status(&answer).message.contains("OTEL_LOGS_EXPORTER=none"), "{}", status(&answer).message);
    let answer = answered(ask(&both(), Signal::Logs, "application/grpc", BODY));
    assert_eq!(header(&answer, "grpc-status"), Some("12"));
}

#[test]
fn what_an_upstream_rejects_is_told_by_the_signals_own_name() {
    let filter = both();
    let attempt = |encoding| Attempt { signal: Signal::Metrics, ..first(encoding) };
    // partial_success { rejected_data_points: 3, error_message: "x" }
    let said = [0x0a, 5, 0x08, 3, 0x12, 1, b'x'];
    let headers = [Header::new("content-type", PROTOBUF)];
    let response = response(200, &headers, &said);
    assert_eq!(answer(filter.conclude(&attempt(Encoding::Protobuf), &response)).body, said);
    let json = answer(filter.conclude(&attempt(Encoding::Json), &response)).body;
    assert_eq!(json, br#"{"partialSuccess":{"errorMessage":"x","rejectedDataPoints":"3"}}"#);
}

#[test]
fn outcomes_name_the_signals_own_upstream_and_key() {
    let filter = both();
    let attempt = Attempt { signal: Signal::Metrics, elapsed: 60_000, ..first(Encoding::Protobuf) };
    for (outcome, key) in [
        (response(404, &[], &[]), "upstream-not-found-metrics"),
        (Outcome::NotConnected("refused"), "upstream-unreachable-metrics"),
        (Outcome::TimedOut, "upstream-timeout-metrics"),
        (Outcome::Closed(BODY), "upstream-closed-metrics"),
    ] {
        let notice = answer(filter.conclude(&attempt, &outcome)).notice.unwrap();
        assert_eq!(notice.key, key);
        assert!(notice.message.contains("http://far:4318/v1/metrics"), "{}", notice.message);
        assert!(!notice.message.contains("deepflow"), "{}", notice.message);
    }
}

#[test]
fn a_body_that_an_upstream_closes_on_is_diagnosed_as_what_it_is() {
    let attempt = Attempt { signal: Signal::Metrics, ..first(Encoding::Protobuf) };
    // A metric with a name of two bytes that are not UTF-8.
    let bad = [0x0a, 8, 0x12, 6, 0x12, 4, 0x0a, 2, 0xff, 0xff];
    let answer = answer(both().conclude(&attempt, &Outcome::Closed(&bad)));
    assert_eq!(answer.status, 400);
    let message = status(&answer).message;
    assert!(message.contains("resource_metrics[0].scope_metrics[0].metrics[0]"), "{message}");
    // As a trace export the body is sound: the same bytes are a trace id there.
    assert_eq!(crate::message::diagnose(&bad), Ok(()));
}
