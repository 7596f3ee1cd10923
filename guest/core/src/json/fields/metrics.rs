//! The messages of metrics.

use super::enums::Enum;
use super::field::{ATTRIBUTES, COUNT, Field, Kind, SPAN_ID, Scalar, TEXT, TIME, TRACE_ID, field, optional};
use crate::message::Message;

const DOUBLE: Kind = Kind::Scalar(Scalar::Double);
const WHOLE: Kind = Kind::Scalar(Scalar::Sfixed64);
const NUMBER: Kind = Kind::Scalar(Scalar::Fixed64);
const TEMPORALITY: Kind = Kind::Scalar(Scalar::Enum(Enum::AggregationTemporality));
const EXEMPLARS: Kind = Kind::Many(Message::Exemplar);

pub(super) static REQUEST: [Field; 1] = [field("resourceMetrics", 1, Kind::Many(Message::ResourceMetrics))];

pub(super) static RESOURCE_METRICS: [Field; 3] = [
    field("resource", 1, Kind::One(Message::Resource)),
    field("scopeMetrics", 2, Kind::Many(Message::ScopeMetrics)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static SCOPE_METRICS: [Field; 3] = [
    field("scope", 1, Kind::One(Message::Scope)),
    field("metrics", 2, Kind::Many(Message::Metric)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static METRIC: [Field; 9] = [
    field("name", 1, TEXT),
    field("description", 2, TEXT),
    field("unit", 3, TEXT),
    field("sum", 7, Kind::One(Message::Sum)),
    field("gauge", 5, Kind::One(Message::Gauge)),
    field("histogram", 9, Kind::One(Message::Histogram)),
    field("exponentialHistogram", 10, Kind::One(Message::ExponentialHistogram)),
    field("summary", 11, Kind::One(Message::Summary)),
    field("metadata", 12, ATTRIBUTES),
];

pub(super) static GAUGE: [Field; 1] = [field("dataPoints", 1, Kind::Many(Message::NumberPoint))];

pub(super) static SUM: [Field; 3] = [
    field("dataPoints", 1, Kind::Many(Message::NumberPoint)),
    field("aggregationTemporality", 2, TEMPORALITY),
    field("isMonotonic", 3, Kind::Scalar(Scalar::Bool)),
];

pub(super) static HISTOGRAM: [Field; 2] = [
    field("dataPoints", 1, Kind::Many(Message::HistogramPoint)),
    field("aggregationTemporality", 2, TEMPORALITY),
];

pub(super) static EXPONENTIAL_HISTOGRAM: [Field; 2] = [
    field("dataPoints", 1, Kind::Many(Message::ExponentialPoint)),
    field("aggregationTemporality", 2, TEMPORALITY),
];

pub(super) static SUMMARY: [Field; 1] = [field("dataPoints", 1, Kind::Many(Message::SummaryPoint))];

pub(super) static NUMBER_POINT: [Field; 7] = [
    field("attributes", 7, ATTRIBUTES),
    field("startTimeUnixNano", 2, TIME),
    field("timeUnixNano", 3, TIME),
    optional("asInt", 6, WHOLE),
    optional("asDouble", 4, DOUBLE),
    field("exemplars", 5, EXEMPLARS),
    field("flags", 8, COUNT),
];

pub(super) static HISTOGRAM_POINT: [Field; 11] = [
    field("attributes", 9, ATTRIBUTES),
    field("startTimeUnixNano", 2, TIME),
    field("timeUnixNano", 3, TIME),
    field("count", 4, NUMBER),
    optional("sum", 5, DOUBLE),
    field("bucketCounts", 6, Kind::Numbers(Scalar::Fixed64)),
    field("explicitBounds", 7, Kind::Numbers(Scalar::Double)),
    field("exemplars", 8, EXEMPLARS),
    field("flags", 10, COUNT),
    optional("min", 11, DOUBLE),
    optional("max", 12, DOUBLE),
];

pub(super) static EXPONENTIAL_POINT: [Field; 14] = [
    field("attributes", 1, ATTRIBUTES),
    field("startTimeUnixNano", 2, TIME),
    field("timeUnixNano", 3, TIME),
    field("count", 4, NUMBER),
    optional("sum", 5, DOUBLE),
    field("scale", 6, Kind::Scalar(Scalar::Sint32)),
    field("zeroCount", 7, NUMBER),
    field("positive", 8, Kind::One(Message::Buckets)),
    field("negative", 9, Kind::One(Message::Buckets)),
    field("flags", 10, COUNT),
    field("exemplars", 11, EXEMPLARS),
    optional("min", 12, DOUBLE),
    optional("max", 13, DOUBLE),
    field("zeroThreshold", 14, DOUBLE),
];

pub(super) static BUCKETS: [Field; 2] = [
    field("offset", 1, Kind::Scalar(Scalar::Sint32)),
    field("bucketCounts", 2, Kind::Numbers(Scalar::Uint64)),
];

pub(super) static SUMMARY_POINT: [Field; 7] = [
    field("attributes", 7, ATTRIBUTES),
    field("startTimeUnixNano", 2, TIME),
    field("timeUnixNano", 3, TIME),
    field("count", 4, NUMBER),
    field("sum", 5, DOUBLE),
    field("quantileValues", 6, Kind::Many(Message::Quantile)),
    field("flags", 8, COUNT),
];

pub(super) static QUANTILE: [Field; 2] = [field("quantile", 1, DOUBLE), field("value", 2, DOUBLE)];

pub(super) static EXEMPLAR: [Field; 6] = [
    field("filteredAttributes", 7, ATTRIBUTES),
    field("timeUnixNano", 2, TIME),
    optional("asInt", 6, WHOLE),
    optional("asDouble", 3, DOUBLE),
    field("spanId", 4, SPAN_ID),
    field("traceId", 5, TRACE_ID),
];
