//! A whole otel-agent: metrics and logs go through podstamp as well, each to its own upstream.

use std::process::Command;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use podstamp_core::interface::Signal;
use podstamp_test_support::blocking::grpc::{Grpc, INVALID_ARGUMENT};
use podstamp_test_support::blocking::http::{Client, JSON, PROTOBUF, export};
use podstamp_test_support::blocking::raw::{Raw, Received};
use podstamp_test_support::spans;
use prost::Message;

use crate::fake_agent::FakeAgent;
use crate::sdks::PYTHON;
use crate::served::{Served, Setup, fixture};

/// DeepFlow's pipeline for load balancers, and both others with its k8sattributes.
fn serve(agent: &FakeAgent, backend: &Raw) -> Served {
    let exporters = format!(
        "exporters:\n  otlphttp:\n    traces_endpoint: {}\n  otlphttp/backend:\n    endpoint: http://{}/base\n",
        agent.url(),
        backend.address
    );
    let pipelines = "      receivers: [otlp]\n      exporters: [otlphttp]\n    metrics: {receivers: [otlp], processors: [k8sattributes], exporters: [otlphttp/backend]}\n    \
                     logs: {receivers: [otlp], processors: [resource/pre, k8sattributes], exporters: [otlphttp/backend]}\n";
    let config = format!("{}\n{pipelines}{exporters}", fixture("deepflow-load-balancer.yaml").trim_end());
    Setup { config, ..Setup::default() }.pods(spans::pods(&[("web-1", "10.244.1.1")])).serve()
}

fn backend() -> Raw {
    Raw::answering(|stream| {
        use std::io::Write;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    })
}

fn resource() -> Option<Resource> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let attributes = vec![text("service.name", "shop"), text("k8s.pod.name", "web-1")];
    Some(Resource { attributes, ..Resource::default() })
}

fn metrics() -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        time_unix_nano: 1_700_000_000_000_000_000,
        value: Some(Number::AsInt(-7)),
        ..NumberDataPoint::default()
    };
    let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
    let metric = Metric { name: "queue.length".to_owned(), data, ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: resource(), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn logs() -> ExportLogsServiceRequest {
    let body = Some(AnyValue { value: Some(Value::StringValue("listening".to_owned())) });
    let record = LogRecord { severity_number: 9, body, trace_id: vec![7; 16], ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }
}

/// Takes what was stamped off again, which has to be there.
fn unstamped(resource: &mut Option<Resource>) {
    let attributes = &mut resource.as_mut().unwrap().attributes;
    let text = |key: &str| {
        let found = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
        if let Value::StringValue(text) = found { Some(text) } else { None }
    };
    assert_eq!(text("k8s.pod.ip").as_deref(), Some("10.244.1.1"), "{attributes:?}");
    assert_eq!(text("k8s.pod.uid").as_deref(), Some("uid-of-web-1"));
    assert_eq!(text("app.host.ip"), None, "that is for deepflow-agent");
    attributes.retain(|attribute| !["k8s.pod.ip", "k8s.pod.uid"].contains(&&*attribute.key));
}

fn assert_metrics(received: &Received) {
    assert_eq!(received.line, "POST /base/v1/metrics HTTP/1.1");
    assert_eq!(received.header("content-type"), Some("application/x-protobuf"));
    let mut request = ExportMetricsServiceRequest::decode(&*received.body).unwrap();
    unstamped(&mut request.resource_metrics[0].resource);
    assert_eq!(request, metrics());
}

fn assert_logs(received: &Received) {
    assert_eq!(received.line, "POST /base/v1/logs HTTP/1.1");
    let mut request = ExportLogsServiceRequest::decode(&*received.body).unwrap();
    unstamped(&mut request.resource_logs[0].resource);
    assert_eq!(request, logs());
}

#[test]
fn metrics_and_logs_are_stamped_and_sent_on_in_every_protocol() {
    let (agent, backend) = (FakeAgent::start(), backend());
    let served = serve(&agent, &backend);
    let mut client = Client::connect(served.address);
    let grpc = Grpc::connect(served.grpc);
    let (metrics, logs) = (metrics(), logs());
    for (header, metrics, logs) in [
        (PROTOBUF, metrics.encode_to_vec(), logs.encode_to_vec()),
        (JSON, serde_json::to_vec(&metrics).unwrap(), serde_json::to_vec(&logs).unwrap()),
    ] {
        for (path, body) in [("/v1/metrics", metrics), ("/v1/logs", logs)] {
            let response = client.send("POST", path, &[header], &body);
            assert_eq!(response.status, 200, "{path} {}", response.message());
            assert_eq!(response.header("content-type"), Some(header.1));
        }
    }
    let called = grpc.export_to(Signal::Metrics, &metrics.encode_to_vec());
    assert_eq!(called.code(), 0);
    assert_eq!(
        ExportMetricsServiceResponse::decode(&called.body[5..]),
        Ok(ExportMetricsServiceResponse::default())
    );
    let called = grpc.export_to(Signal::Logs, &logs.encode_to_vec());
    assert_eq!(called.code(), 0);
    assert_eq!(
        ExportLogsServiceResponse::decode(&called.body[5..]),
        Ok(ExportLogsServiceResponse::default())
    );

    let received = backend.received();
    let (of_metrics, of_logs): (Vec<_>, Vec<_>) =
        received.iter().partition(|request| request.line.contains("metrics"));
    assert_eq!((of_metrics.len(), of_logs.len()), (3, 3));
    of_metrics.into_iter().for_each(assert_metrics);
    of_logs.into_iter().for_each(assert_logs);
    assert_eq!(agent.records().len(), 0, "the agent gets traces alone");
    // Traces are as ever.
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    assert_eq!(agent.agent().totals().spans, 1);
    let count = |signal: &str| {
        let labels = [&*format!("signal=\"{signal}\""), "outcome=\"accepted\""];
        served.metric("podstamp_signal_requests_total", &labels)
    };
    assert_eq!((count("metrics"), count("logs"), count("traces")), (3.0, 3.0, 1.0));
}

#[test]
fn what_cannot_be_read_of_a_signal_is_refused_in_every_protocol() {
    let (agent, backend) = (FakeAgent::start(), backend());
    let served = serve(&agent, &backend);
    let cut = &[0x0a, 2, 0x0a, 5];
    let mut client = Client::connect(served.address);
    let response = client.send("POST", "/v1/metrics", &[PROTOBUF], cut);
    assert_eq!(response.status, 400);
    assert!(response.message().contains("resource_metrics[0]"), "{}", response.message());
    let response = client.send("POST", "/v1/logs", &[JSON], br#"{"resourceLogs": [7]}"#);
    assert_eq!(response.status, 400);
    assert!(response.message().contains("resourceLogs[0]"), "{}", response.message());
    let called = Grpc::connect(served.grpc).export_to(Signal::Metrics, cut);
    assert_eq!(called.code(), INVALID_ARGUMENT);
    assert_eq!(backend.requests(), 0);
}

/// Metrics and logs of an SDK, in the encodings that it has.
#[test]
fn python_sdk_sends_metrics_and_logs() {
    let Some(mut program) = PYTHON.program() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sdks/python/telemetry.py");
    let python = program.get_program().to_owned();
    for protocol in ["grpc", "http/protobuf"] {
        let (agent, backend) = (FakeAgent::start(), backend());
        let served = serve(&agent, &backend);
        let to = if protocol == "grpc" { served.grpc } else { served.address };
        program = Command::new(&python);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
            program.env_remove(name);
        }
        let output = program
            .arg(script)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{to}"))
            .env("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,k8s.pod.name=web-1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{protocol}: {}", String::from_utf8_lossy(&output.stderr));
        let received = backend.received();
        let mut metrics = Vec::new();
        let mut records = Vec::new();
        for request in &received {
            if request.line.contains("/v1/metrics") {
                for mut resource in
                    ExportMetricsServiceRequest::decode(&*request.body).unwrap().resource_metrics
                {
                    unstamped(&mut resource.resource);
                    let all = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
                    metrics.extend(all.map(|metric| metric.name));
                }
            } else {
                for mut resource in ExportLogsServiceRequest::decode(&*request.body).unwrap().resource_logs {
                    unstamped(&mut resource.resource);
                    records.extend(resource.scope_logs.into_iter().flat_map(|scope| scope.log_records));
                }
            }
        }
        metrics.sort();
        assert_eq!(metrics, ["checkouts", "latency", "queue.length"], "{protocol}");
        let bodies: Vec<_> = records.iter().filter_map(|record| record.body.clone()?.value).collect();
        assert!(bodies.contains(&Value::StringValue("nothing on the shelf: 缺貨".to_owned())), "{bodies:?}");
    }
}
