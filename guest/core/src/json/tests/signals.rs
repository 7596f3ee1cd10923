//! Metrics and logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::diagnose_as;
use crate::json::transcode_as;
use crate::signal::Signal;

fn transcoded(signal: Signal, text: &str) -> Vec<u8> {
    let body = transcode_as(signal, text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(diagnose_as(signal, &body), Ok(()));
    body
}

fn fault(signal: Signal, text: &str) -> String {
    transcode_as(signal, text.as_bytes()).unwrap_err().to_string()
}

fn attribute(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), data: Some(data), ..Metric::default() }
}

#[test]
fn names_with_underscores_and_enums_by_name_are_read_as_in_traces() {
    let sum = r#"{"resource_metrics":[{"scope_metrics":[{"metrics":[{"name":"a","sum":{"is_monotonic":true,
        "aggregation_temporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","data_points":[{"as_int":"3","time_unix_nano":"1"}]}}]}]}]}"#;
    let usual = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"isMonotonic":true,
        "aggregationTemporality":2,"dataPoints":[{"asInt":"3","timeUnixNano":"1"}]}}]}]}]}"#;
    assert_eq!(transcoded(Signal::Metrics, sum), transcoded(Signal::Metrics, usual));
    let record = r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"severity_number":"SEVERITY_NUMBER_ERROR2"}]}]}]}"#;
    let usual = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":18}]}]}]}"#;
    assert_eq!(transcoded(Signal::Logs, record), transcoded(Signal::Logs, usual));
}

#[test]
fn every_field_of_metrics_is_read() {
    let text = r#"{"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeMetrics": [{"scope": {"name": "meter"}, "schemaUrl": "s", "metrics": [
            {"name": "a", "description": "d", "unit": "1", "metadata": [{"key": "m", "value": {"stringValue": "x"}}],
             "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                {"startTimeUnixNano": "1", "timeUnixNano": 2, "asInt": "-7", "flags": 1,
                 "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
                 "exemplars": [
                    {"timeUnixNano": "3", "asDouble": 0, "spanId": "0102030405060708", "traceId":
                     "0102030405060708090a0b0c0d0e0f10",
                     "filteredAttributes": [{"key": "k", "value": {"stringValue": "v"}}]},
                    {"asInt": 9}]},
                {"asInt": 0}]}},
            {"name": "b", "gauge": {"dataPoints": [{"asDouble": 0.5}, {"asDouble": "NaN"}, {}]}},
            {"name": "c", "histogram": {"aggregationTemporality": 1, "dataPoints": [
                {"startTimeUnixNano": 1, "timeUnixNano": 2, "count": "6", "sum": 0, "min": -1.5, "max": 2, "flags": 1,
                 "bucketCounts": ["1", 2, "18446744073709551615"], "explicitBounds": [0.5, 1, "Infinity"],
                 "attributes": [], "exemplars": []}]}},
            {"name": "d", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
                {"startTimeUnixNano": 1, "timeUnixNano": 2, "count": 3, "sum": 4.5, "scale": -10, "zeroCount": "5",
                 "positive": {"offset": -2147483648, "bucketCounts": ["0", 300]}, "negative": {"offset": "2147483647"},
                 "min": 0, "max": 1, "zeroThreshold": 0.25, "flags": 0}]}},
            {"name": "e", "summary": {"dataPoints": [
                {"startTimeUnixNano": 1, "timeUnixNano": 2, "count": 3, "sum": 4, "flags": 1,
                 "quantileValues": [{"quantile": 0.5, "value": 7}, {}]}]}}]}]}]}"#;
    let exemplar = Exemplar {
        filtered_attributes: vec![attribute("k", "v")],
        time_unix_nano: 3,
        span_id: (1..=8).collect(),
        trace_id: (1..=16).collect(),
        value: Some(exemplar::Value::AsDouble(0.0)),
    };
    let whole = Exemplar { value: Some(exemplar::Value::AsInt(9)), ..Exemplar::default() };
    let point = NumberDataPoint {
        attributes: vec![attribute("k", "v")],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: vec![exemplar, whole],
        flags: 1,
        value: Some(number_data_point::Value::AsInt(-7)),
    };
    let point_with = |value| NumberDataPoint { value, ..NumberDataPoint::default() };
    let sum = Sum {
        data_points: vec![point, point_with(Some(number_data_point::Value::AsInt(0)))],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let described = Metric {
        description: "d".to_owned(),
        unit: "1".to_owned(),
        metadata: vec![attribute("m", "x")],
        ..metric("a", Data::Sum(sum))
    };
    let double = |number| point_with(Some(number_data_point::Value::AsDouble(number)));
    let histogram = HistogramDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 6,
        sum: Some(0.0),
        bucket_counts: vec![1, 2, u64::MAX],
        explicit_bounds: vec![0.5, 1.0, f64::INFINITY],
        flags: 1,
        min: Some(-1.5),
        max: Some(2.0),
        ..HistogramDataPoint::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        scale: -10,
        zero_count: 5,
        positive: Some(Buckets { offset: i32::MIN, bucket_counts: vec![0, 300] }),
        negative: Some(Buckets { offset: i32::MAX, bucket_counts: vec![] }),
        min: Some(0.0),
        max: Some(1.0),
        zero_threshold: 0.25,
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 7.0 }, ValueAtQuantile::default()],
        flags: 1,
        ..SummaryDataPoint::default()
    };
    let metrics = vec![
        described,
        metric(
            "b",
            Data::Gauge(Gauge { data_points: vec![double(0.5), double(f64::NAN), point_with(None)] }),
        ),
        metric("c", Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 1 })),
        metric(
            "d",
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 1,
            }),
        ),
        metric("e", Data::Summary(Summary { data_points: vec![summary] })),
    ];
    let scope = InstrumentationScope { name: "meter".to_owned(), ..InstrumentationScope::default() };
    let expected = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", "shop")],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: "s".to_owned() }],
            ..ResourceMetrics::default()
        }],
    };
    let read = ExportMetricsServiceRequest::decode(&transcoded(Signal::Metrics, text)[..]).unwrap();
    // NaN is not equal to itself.
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
}

#[test]
fn every_field_of_logs_is_read() {
    let text = r#"{"resourceLogs": [{"schemaUrl": "r", "scopeLogs": [{"scope": {"name": "logger"}, "logRecords": [
        {"timeUnixNano": "1", "observedTimeUnixNano": "2", "severityNumber": 9, "severityText": "INFO",
         "eventName": "e", "body": {"stringValue": "text"}, "droppedAttributesCount": 3, "flags": 257,
         "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
         "traceId": "0102030405060708090A0B0C0D0E0F10", "spanId": "0102030405060708"},
        {}]}]}]}"#;
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue("text".to_owned())) }),
        attributes: vec![attribute("k", "v")],
        dropped_attributes_count: 3,
        flags: 257,
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        event_name: "e".to_owned(),
    };
    let scope = InstrumentationScope { name: "logger".to_owned(), ..InstrumentationScope::default() };
    let log_records = vec![record, LogRecord::default()];
    let expected = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }],
            schema_url: "r".to_owned(),
            ..ResourceLogs::default()
        }],
    };
    assert_eq!(ExportLogsServiceRequest::decode(&transcoded(Signal::Logs, text)[..]), Ok(expected));
}

#[test]
fn a_list_of_numbers_that_comes_twice_is_joined() {
    let text = |point: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
        )
    };
    let twice = text(r#"{"bucketCounts": [1, 2], "count": 3, "bucketCounts": ["3"], "explicitBounds": []}"#);
    let once = text(r#"{"count": 3, "bucketCounts": [1, 2, 3]}"#);
    let decode =
        |text: &str| ExportMetricsServiceRequest::decode(&transcoded(Signal::Metrics, text)[..]).unwrap();
    assert_eq!(decode(&twice), decode(&once));
    // The list is long enough for a length of two bytes.
    let many = vec!["\"7\""; 300].join(",");
    let many = decode(&text(&format!(r#"{{"bucketCounts": [{many}]}}"#)));
    let Some(Data::Histogram(histogram)) = &many.resource_metrics[0].scope_metrics[0].metrics[0].data else {
        panic!("{many:?}");
    };
    assert_eq!(histogram.data_points[0].bucket_counts, vec![7; 300]);
}

#[test]
fn faults_of_metrics_and_logs_have_their_place() {
    for (point, expected) in [
        (r#""bucketCounts": ["-1"]"#, "bucketCounts[0]: has to be an unsigned 64-bit integer"),
        (r#""bucketCounts": 1"#, "bucketCounts: has to be a list of numbers"),
        (r#""bucketCounts": [1, null]"#, "bucketCounts[1]: has to be an unsigned"),
        (r#""explicitBounds": ["x"]"#, "explicitBounds[0]: has to be a number"),
        (r#""min": true"#, "min: has to be a number"),
    ] {
        let text = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{{point}}}]}}}}]}}]}}]}}"#
        );
        let fault = fault(Signal::Metrics, &text);
        let place = "resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].";
        assert!(fault.starts_with(&format!("{place}{expected}")), "{fault}");
    }
    let scale = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"exponentialHistogram":{"dataPoints":[{"scale":2147483648}]}}]}]}]}"#;
    assert!(
        fault(Signal::Metrics, scale).contains("scale: has to be an integer from -2147483648 to 2147483647")
    );
    let id = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"0102"}]}]}]}"#;
    assert!(
        fault(Signal::Logs, id).starts_with("resourceLogs[0].scopeLogs[0].logRecords[0].traceId: has to be")
    );
}
