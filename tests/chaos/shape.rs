//! Clients as there are: how much they send at a time, and in which form.

use std::ops::Range;

use fastrand::Rng;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use crate::event::now;
use crate::identity::{AttemptId, PODS, SpanId, pod};

/// A kind of client.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) gzip: bool,
    /// Resources of a batch.
    resources: Range<usize>,
    /// Spans of a resource.
    spans: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// HTTP without the body's length.
    Chunked,
    Json,
    Grpc,
}

/// The spans of a batch: numbers that follow one another, and their pods, each of which has so many spans.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) client: u16,
    pub(crate) first: u32,
    resources: Vec<(u16, u32)>,
}

impl Shape {
    pub(crate) fn batch(&self, client: u16, first: u32, rng: &mut Rng) -> Batch {
        let resources = rng.usize(self.resources.clone());
        // One in a hundred is of a pod that podstamp does not know.
        let pod = |rng: &mut Rng| if rng.u8(0..100) == 0 { PODS } else { rng.u16(0..PODS) };
        let resources = (0..resources).map(|_| (pod(rng), rng.usize(self.spans.clone()) as u32)).collect();
        Batch { client, first, resources }
    }
}

impl Batch {
    pub(crate) fn spans(&self) -> u32 {
        self.resources.iter().map(|(_, spans)| spans).sum()
    }

    /// The message of an attempt, as the protocol has it.
    pub(crate) fn message(&self, attempt: AttemptId, protocol: Protocol) -> Vec<u8> {
        let mut number = self.first;
        let trace = attempt.bytes();
        let end = now();
        let resource_spans = self.resources.iter().map(|&(pod, spans)| {
            let numbers = number..number + spans;
            number += spans;
            let ids = numbers.map(|number| SpanId { client: self.client, pod, number });
            resource(pod, ids.map(|id| span(&trace, id, end)).collect())
        });
        let request = ExportTraceServiceRequest { resource_spans: resource_spans.collect() };
        match protocol {
            Protocol::Json => serde_json::to_vec(&request).unwrap(),
            Protocol::Http | Protocol::Chunked | Protocol::Grpc => request.encode_to_vec(),
        }
    }
}

fn resource(of: u16, spans: Vec<Span>) -> ResourceSpans {
    let scope = InstrumentationScope { name: "chaos".to_owned(), ..Default::default() };
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![
                text("service.name", &format!("service-{}", of % 20)),
                text("host.name", &pod(of)),
            ],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
        ..Default::default()
    }
}

fn span(trace: &[u8], id: SpanId, end: u64) -> Span {
    Span {
        trace_id: trace.to_vec(),
        span_id: id.bytes(),
        name: "GET /chaos".to_owned(),
        kind: 2,
        start_time_unix_nano: end - 1_000_000,
        end_time_unix_nano: end,
        attributes: vec![text("http.route", "/chaos"), text("url.path", &format!("/chaos/{}", id.number))],
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

/// One client of each runs.
pub(crate) const SHAPES: &[Shape] = &[
    shape("Go over gRPC", Protocol::Grpc, false, 1..2, 1..60),
    shape("Java over gRPC", Protocol::Grpc, true, 1..2, 50..512),
    shape("Collector over gRPC", Protocol::Grpc, true, 20..60, 1..20),
    shape("Python over HTTP", Protocol::Http, true, 1..2, 1..60),
    shape("Go over HTTP", Protocol::Http, false, 1..2, 1..20),
    shape("Java over HTTP", Protocol::Http, true, 1..2, 100..512),
    shape("Collector over HTTP", Protocol::Http, true, 50..200, 1..10),
    shape("large batches", Protocol::Http, false, 5..10, 300..600),
    shape("chunks", Protocol::Chunked, false, 1..4, 1..60),
    shape("Node with JSON", Protocol::Json, false, 1..2, 1..60),
    shape("a browser with JSON", Protocol::Json, true, 1..2, 1..5),
];

const fn shape(
    name: &'static str,
    protocol: Protocol,
    gzip: bool,
    resources: Range<usize>,
    spans: Range<usize>,
) -> Shape {
    Shape { name, protocol, gzip, resources, spans }
}
