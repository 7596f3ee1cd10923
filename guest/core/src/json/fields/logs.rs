//! The messages of logs.

use super::enums::Enum;
use super::field::{ATTRIBUTES, COUNT, FLAGS, Field, Kind, SPAN_ID, Scalar, TEXT, TIME, TRACE_ID, field};
use crate::message::Message;

pub(super) static REQUEST: [Field; 1] = [field("resourceLogs", 1, Kind::Many(Message::ResourceLogs))];

pub(super) static RESOURCE_LOGS: [Field; 3] = [
    field("resource", 1, Kind::One(Message::Resource)),
    field("scopeLogs", 2, Kind::Many(Message::ScopeLogs)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static SCOPE_LOGS: [Field; 3] = [
    field("scope", 1, Kind::One(Message::Scope)),
    field("logRecords", 2, Kind::Many(Message::LogRecord)),
    field("schemaUrl", 3, TEXT),
];

pub(super) static LOG_RECORD: [Field; 11] = [
    field("timeUnixNano", 1, TIME),
    field("observedTimeUnixNano", 11, TIME),
    field("severityNumber", 2, Kind::Scalar(Scalar::Enum(Enum::SeverityNumber))),
    field("severityText", 3, TEXT),
    field("eventName", 12, TEXT),
    field("body", 5, Kind::One(Message::AnyValue)),
    field("attributes", 6, ATTRIBUTES),
    field("droppedAttributesCount", 7, COUNT),
    field("flags", 8, FLAGS),
    field("traceId", 9, TRACE_ID),
    field("spanId", 10, SPAN_ID),
];
