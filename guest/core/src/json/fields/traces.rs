//! The messages of traces.

use super::enums::Enum;
use super::field::{ATTRIBUTES, COUNT, FLAGS, Field, Kind, SPAN_ID, Scalar, TEXT, TIME, TRACE_ID, field};
use crate::message::Message;

pub(super) static REQUEST: [Field; 1] = [field("resourceSpans", 1, Kind::Many(Message::ResourceSpans))];

pub(super) static RESOURCE_SPANS: [Field; 3] = [
    field("resource", 1, Kind::One(Message::Resource)),
    field("scopeSpans", 2, Kind::Many(Message::ScopeSpans)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static SCOPE_SPANS: [Field; 3] = [
    field("scope", 1, Kind::One(Message::Scope)),
    field("spans", 2, Kind::Many(Message::Span)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static SPAN: [Field; 16] = [
    field("traceId", 1, TRACE_ID),
    field("spanId", 2, SPAN_ID),
    field("traceState", 3, TEXT),
    field("parentSpanId", 4, SPAN_ID),
    field("flags", 16, FLAGS),
    field("name", 5, TEXT),
    field("kind", 6, Kind::Scalar(Scalar::Enum(Enum::SpanKind))),
    field("startTimeUnixNano", 7, TIME),
    field("endTimeUnixNano", 8, TIME),
    field("attributes", 9, ATTRIBUTES),
    field("droppedAttributesCount", 10, COUNT),
    field("events", 11, Kind::Many(Message::Event)),
    field("droppedEventsCount", 12, COUNT),
    field("status", 15, Kind::One(Message::Status)),
    field("links", 13, Kind::Many(Message::Link)),
    field("droppedLinksCount", 14, COUNT),
];

pub(super) static EVENT: [Field; 4] = [
    field("timeUnixNano", 1, TIME),
    field("name", 2, TEXT),
    field("attributes", 3, ATTRIBUTES),
    field("droppedAttributesCount", 4, COUNT),
];

pub(super) static LINK: [Field; 6] = [
    field("traceId", 1, TRACE_ID),
    field("spanId", 2, SPAN_ID),
    field("traceState", 3, TEXT),
    field("attributes", 4, ATTRIBUTES),
    field("droppedAttributesCount", 5, COUNT),
    field("flags", 6, FLAGS),
];

pub(super) static STATUS: [Field; 2] =
    [field("message", 2, TEXT), field("code", 3, Kind::Scalar(Scalar::Enum(Enum::StatusCode)))];
