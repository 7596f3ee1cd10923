//! One test span, through a running podstamp or straight to the agent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use podstamp_core::config::Config;
use prost::Message;

use super::finding::Finding;
use super::running::on_this_host;
use crate::check::probe;
use crate::exchange::{Target, exchange};

/// Where to send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To a running podstamp, which stamps it and sends it on.
    Podstamp(Target),
    /// To the agent itself.
    Agent(Target),
}

/// The listener of a podstamp on this host that takes a span by plain HTTP without credentials. The error says why none does.
pub(super) fn receiver(config: &Config) -> Result<Target, &'static str> {
    let Some(http) = &config.receiver.http else { return Err("podstamp's receiver takes gRPC alone") };
    if http.tls.is_some() {
        return Err("podstamp's receiver wants TLS");
    }
    if http.auth.is_some() {
        return Err("podstamp's receiver wants credentials");
    }
    if config.proxy_protocol.http {
        return Err("podstamp's receiver wants a PROXY header");
    }
    let url = format!("http://{}{}", on_this_host(&http.endpoint), http.traces_url_path);
    Target::parse(&url).map_err(|_| "podstamp's receiver has no usable address")
}

/// Sends the span. The agent's answer tells that it was taken, and nothing of what becomes of it.
pub(super) async fn send(way: &Way) -> Finding {
    let (trace_id, span_id) = (fastrand::u128(1..).to_be_bytes(), fastrand::u64(1..).to_be_bytes());
    let (target, through) = match way {
        Way::Podstamp(target) => (target, format!("through podstamp at {}", target.authority())),
        Way::Agent(target) => (target, format!("straight to {}", target.authority())),
    };
    let body = request(way, trace_id, span_id, SystemTime::now()).encode_to_vec();
    let hex: String = trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    match exchange(target, Method::POST, &target.path, Bytes::from(body)).await {
        Ok(response) if response.status() == 200 => {
            let refused = ExportTraceServiceResponse::decode(response.body().clone()).ok();
            let refused = refused.and_then(|answer| answer.partial_success);
            match refused.filter(|partial| partial.rejected_spans > 0 || !partial.error_message.is_empty()) {
                Some(partial) => Finding::failed(
                    format!("{through} it was refused: {}", partial.error_message),
                    "podstamp's log says more",
                ),
                None => Finding::fine(format!("taken {through}")).detail(format!(
                    "DeepFlow shows it within half a minute: service {SERVICE}, trace {hex}"
                )),
            }
        }
        Ok(response) => {
            let said = String::from_utf8_lossy(response.body());
            let said: String = said.chars().filter(|letter| !letter.is_control()).take(200).collect();
            let status = response.status().as_u16();
            Finding::failed(
                format!("{through} it got {status}: {said}"),
                "docs/troubleshooting.md has a section on each answer; podstamp's log has the reason",
            )
            .see("docs/troubleshooting.md#answers")
        }
        Err(broken) => {
            let why = match way {
                Way::Agent(_) => probe::diagnose(target, &broken),
                Way::Podstamp(_) => format!("no answer from {}: {broken:?}", target.authority()),
            };
            let (what, advice) = why.split_once(". ").unwrap_or((&why, "see the log of who is there"));
            Finding::failed(what, advice)
        }
    }
}

/// A request with one span. Straight to the agent its pod is marked as unknown: the agent would put in the address of whoever
/// sends, and that need not be a pod.
fn request(way: &Way, trace_id: [u8; 16], span_id: [u8; 8], now: SystemTime) -> ExportTraceServiceRequest {
    let mut attributes = vec![text("service.name", SERVICE)];
    if matches!(way, Way::Agent(_)) {
        attributes.push(text("app.host.ip", "0.0.0.0"));
    }
    let end = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = end.saturating_sub(Duration::from_millis(1));
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or_default();
    let span = Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        name: "podstamp doctor: a test".to_owned(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: nanoseconds(start),
        end_time_unix_nano: nanoseconds(end),
        attributes: vec![KeyValue {
            key: "podstamp.test".to_owned(),
            value: Some(AnyValue { value: Some(any_value::Value::BoolValue(true)) }),
            ..KeyValue::default()
        }],
        ..Span::default()
    };
    let scope = InstrumentationScope {
        name: SERVICE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// The service that the span is of.
pub(super) const SERVICE: &str = "podstamp-doctor";
