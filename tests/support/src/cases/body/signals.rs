//! Bodies of metrics and logs: each resource has one data point or record, which nothing changes.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use prost::Message;
use serde_json::json;

use super::{START, any_value, key_value, plain_attributes, prost_resource};
use crate::cases::Resource;

pub(super) fn metrics(resources: &[Resource]) -> Vec<u8> {
    let resource_metrics = resources.iter().map(|resource| ResourceMetrics {
        resource: prost_resource(resource),
        scope_metrics: scope_metrics(),
        ..ResourceMetrics::default()
    });
    ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() }.encode_to_vec()
}

pub(super) fn logs(resources: &[Resource]) -> Vec<u8> {
    let resource_logs = resources.iter().map(|resource| ResourceLogs {
        resource: prost_resource(resource),
        scope_logs: scope_logs(),
        ..ResourceLogs::default()
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec()
}

pub(super) fn decode_metrics(body: &[u8]) -> Vec<Resource> {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let resources = request.resource_metrics.into_iter().map(|mut metrics| {
        metrics.scope_metrics.iter_mut().for_each(|scope| drop_empty(&mut scope.scope));
        assert_eq!(metrics.scope_metrics, scope_metrics());
        let attributes = metrics.resource.map(plain_attributes);
        Resource { attributes, kinds: Vec::new(), spans: Vec::new() }
    });
    resources.collect()
}

pub(super) fn decode_logs(body: &[u8]) -> Vec<Resource> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let resources = request.resource_logs.into_iter().map(|mut logs| {
        logs.scope_logs.iter_mut().for_each(|scope| drop_empty(&mut scope.scope));
        assert_eq!(logs.scope_logs, scope_logs());
        let attributes = logs.resource.map(plain_attributes);
        Resource { attributes, kinds: Vec::new(), spans: Vec::new() }
    });
    resources.collect()
}

/// A Collector writes a scope where there was none: that says as much.
fn drop_empty(scope: &mut Option<InstrumentationScope>) {
    if *scope == Some(InstrumentationScope::default()) {
        *scope = None;
    }
}

fn scope_metrics() -> Vec<ScopeMetrics> {
    let point = NumberDataPoint {
        // A kind or a peer that the guard would change in a span.
        attributes: vec![key_value("net.peer.ip", &json!("::1"))],
        time_unix_nano: START,
        value: Some(Value::AsInt(7)),
        ..NumberDataPoint::default()
    };
    let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
    let metric = Metric { name: "queue.length".to_owned(), data, ..Metric::default() };
    vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }]
}

fn scope_logs() -> Vec<ScopeLogs> {
    let record = LogRecord {
        time_unix_nano: u64::MAX,
        severity_number: 9,
        body: Some(any_value(&json!("listening"))),
        attributes: vec![key_value("net.peer.ip", &json!("::1"))],
        ..LogRecord::default()
    };
    vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }]
}
