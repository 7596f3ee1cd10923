//! The fields of each message by their names in JSON.

mod enums;
mod logs;
mod metrics;

use crate::fault::Expected;
use crate::message::Message;
use crate::wire::{FIXED32, FIXED64, LENGTH, VARINT};
pub(super) use enums::Enum;

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Number and wire type.
    pub(super) tag: u32,
    pub(super) kind: Kind,
    /// Whether its default value is written as well: it is optional, or one of a oneof.
    pub(super) is_optional: bool,
}

impl Field {
    /// Whether the message itself spells the field like this, with underscores. OTLP/JSON has no such names, but the Collector
    /// reads them as well.
    #[cold]
    pub(super) fn is_spelled(&self, name: &str) -> bool {
        let mut found = name.bytes();
        let same = self.name.bytes().all(|byte| match byte.is_ascii_uppercase() {
            true => found.next() == Some(b'_') && found.next() == Some(byte.to_ascii_lowercase()),
            false => found.next() == Some(byte),
        });
        same && found.next().is_none()
    }
}

/// The kinds of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    One(Message),
    Many(Message),
    Texts,
    /// Repeated numbers, which leave end to end.
    Numbers(Scalar),
    Scalar(Scalar),
}

/// The kinds of scalar, by what they are in JSON and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    /// So many bytes in hexadecimal, or none.
    Id(u8),
    Bytes,
    Bool,
    Enum(Enum),
    Uint32,
    Fixed32,
    Int64,
    Uint64,
    /// In zigzag.
    Sint32,
    Fixed64,
    Sfixed64,
    Double,
}

impl Scalar {
    const fn wire(self) -> u8 {
        match self {
            Self::Text | Self::Id(_) | Self::Bytes => LENGTH,
            Self::Bool | Self::Enum(_) | Self::Uint32 | Self::Int64 | Self::Uint64 | Self::Sint32 => VARINT,
            Self::Fixed32 => FIXED32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => FIXED64,
        }
    }
}

impl Kind {
    const fn wire(self) -> u8 {
        match self {
            Self::One(_) | Self::Many(_) | Self::Texts | Self::Numbers(_) => LENGTH,
            Self::Scalar(scalar) => scalar.wire(),
        }
    }

    /// What a value of this kind has to be in JSON.
    pub(super) const fn expected(self) -> Expected {
        match self {
            Self::One(_) => Expected::Object,
            Self::Many(_) => Expected::Objects,
            Self::Texts => Expected::Texts,
            Self::Numbers(_) => Expected::Numbers,
            Self::Scalar(Scalar::Text) => Expected::Text,
            Self::Scalar(Scalar::Id(bytes)) => Expected::Hex(bytes),
            Self::Scalar(Scalar::Bytes) => Expected::Base64,
            Self::Scalar(Scalar::Bool) => Expected::Bool,
            Self::Scalar(Scalar::Enum(_)) => Expected::Enum,
            Self::Scalar(Scalar::Uint32 | Scalar::Fixed32) => Expected::Uint32,
            Self::Scalar(Scalar::Int64 | Scalar::Sfixed64) => Expected::Int64,
            Self::Scalar(Scalar::Sint32) => Expected::Int32,
            Self::Scalar(Scalar::Fixed64 | Scalar::Uint64) => Expected::Uint64,
            Self::Scalar(Scalar::Double) => Expected::Double,
        }
    }
}

impl Message {
    /// The fields, in the order in which most SDKs write them. A test holds them against [`Message::field`].
    pub(super) const fn json_fields(self) -> &'static [Field] {
        match self {
            Self::Request => &REQUEST,
            Self::ResourceSpans => &RESOURCE_SPANS,
            Self::Resource => &RESOURCE,
            Self::EntityRef => &ENTITY_REF,
            Self::ScopeSpans => &SCOPE_SPANS,
            Self::Scope => &SCOPE,
            Self::Span => &SPAN,
            Self::Event => &EVENT,
            Self::Link => &LINK,
            Self::Status => &STATUS,
            Self::KeyValue => &KEY_VALUE,
            Self::AnyValue => &ANY_VALUE,
            Self::ArrayValue => &ARRAY_VALUE,
            Self::KeyValueList => &KEY_VALUE_LIST,
            Self::MetricsRequest => &metrics::REQUEST,
            Self::ResourceMetrics => &metrics::RESOURCE_METRICS,
            Self::ScopeMetrics => &metrics::SCOPE_METRICS,
            Self::Metric => &metrics::METRIC,
            Self::Gauge => &metrics::GAUGE,
            Self::Sum => &metrics::SUM,
            Self::Histogram => &metrics::HISTOGRAM,
            Self::ExponentialHistogram => &metrics::EXPONENTIAL_HISTOGRAM,
            Self::Summary => &metrics::SUMMARY,
            Self::NumberPoint => &metrics::NUMBER_POINT,
            Self::HistogramPoint => &metrics::HISTOGRAM_POINT,
            Self::ExponentialPoint => &metrics::EXPONENTIAL_POINT,
            Self::Buckets => &metrics::BUCKETS,
            Self::SummaryPoint => &metrics::SUMMARY_POINT,
            Self::Quantile => &metrics::QUANTILE,
            Self::Exemplar => &metrics::EXEMPLAR,
            Self::LogsRequest => &logs::REQUEST,
            Self::ResourceLogs => &logs::RESOURCE_LOGS,
            Self::ScopeLogs => &logs::SCOPE_LOGS,
            Self::LogRecord => &logs::LOG_RECORD,
        }
    }
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, tag: number << 3 | kind.wire() as u32, kind, is_optional: false }
}

const fn optional(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { is_optional: true, ..field(name, number, kind) }
}

const TEXT: Kind = Kind::Scalar(Scalar::Text);
const COUNT: Kind = Kind::Scalar(Scalar::Uint32);
const TIME: Kind = Kind::Scalar(Scalar::Fixed64);
const FLAGS: Kind = Kind::Scalar(Scalar::Fixed32);
const TRACE_ID: Kind = Kind::Scalar(Scalar::Id(16));
const SPAN_ID: Kind = Kind::Scalar(Scalar::Id(8));
const ATTRIBUTES: Kind = Kind::Many(Message::KeyValue);

static REQUEST: [Field; 1] = [field("resourceSpans", 1, Kind::Many(Message::ResourceSpans))];

static RESOURCE_SPANS: [Field; 3] = [
    field("resource", 1, Kind::One(Message::Resource)),
    field("scopeSpans", 2, Kind::Many(Message::ScopeSpans)),
    field("schemaUrl", 3, TEXT),
];

static RESOURCE: [Field; 3] = [
    field("attributes", 1, ATTRIBUTES),
    field("droppedAttributesCount", 2, COUNT),
    field("entityRefs", 3, Kind::Many(Message::EntityRef)),
];

static ENTITY_REF: [Field; 4] = [
    field("schemaUrl", 1, TEXT),
    field("type", 2, TEXT),
    field("idKeys", 3, Kind::Texts),
    field("descriptionKeys", 4, Kind::Texts),
];

static SCOPE_SPANS: [Field; 3] = [
    field("scope", 1, Kind::One(Message::Scope)),
    field("spans", 2, Kind::Many(Message::Span)),
    field("schemaUrl", 3, TEXT),
];

static SCOPE: [Field; 4] = [
    field("name", 1, TEXT),
    field("version", 2, TEXT),
    field("attributes", 3, ATTRIBUTES),
    field("droppedAttributesCount", 4, COUNT),
];

static SPAN: [Field; 16] = [
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

static EVENT: [Field; 4] = [
    field("timeUnixNano", 1, TIME),
    field("name", 2, TEXT),
    field("attributes", 3, ATTRIBUTES),
    field("droppedAttributesCount", 4, COUNT),
];

static LINK: [Field; 6] = [
    field("traceId", 1, TRACE_ID),
    field("spanId", 2, SPAN_ID),
    field("traceState", 3, TEXT),
    field("attributes", 4, ATTRIBUTES),
    field("droppedAttributesCount", 5, COUNT),
    field("flags", 6, FLAGS),
];

static STATUS: [Field; 2] =
    [field("message", 2, TEXT), field("code", 3, Kind::Scalar(Scalar::Enum(Enum::StatusCode)))];

static KEY_VALUE: [Field; 2] = [field("key", 1, TEXT), field("value", 2, Kind::One(Message::AnyValue))];

static ANY_VALUE: [Field; 7] = [
    optional("stringValue", 1, TEXT),
    optional("intValue", 3, Kind::Scalar(Scalar::Int64)),
    optional("boolValue", 2, Kind::Scalar(Scalar::Bool)),
    optional("doubleValue", 4, Kind::Scalar(Scalar::Double)),
    field("arrayValue", 5, Kind::One(Message::ArrayValue)),
    field("kvlistValue", 6, Kind::One(Message::KeyValueList)),
    optional("bytesValue", 7, Kind::Scalar(Scalar::Bytes)),
];

static ARRAY_VALUE: [Field; 1] = [field("values", 1, Kind::Many(Message::AnyValue))];

static KEY_VALUE_LIST: [Field; 1] = [field("values", 1, ATTRIBUTES)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    const MESSAGES: [Message; 34] = [
        Message::Request,
        Message::ResourceSpans,
        Message::Resource,
        Message::EntityRef,
        Message::ScopeSpans,
        Message::Scope,
        Message::Span,
        Message::Event,
        Message::Link,
        Message::Status,
        Message::KeyValue,
        Message::AnyValue,
        Message::ArrayValue,
        Message::KeyValueList,
        Message::MetricsRequest,
        Message::ResourceMetrics,
        Message::ScopeMetrics,
        Message::Metric,
        Message::Gauge,
        Message::Sum,
        Message::Histogram,
        Message::ExponentialHistogram,
        Message::Summary,
        Message::NumberPoint,
        Message::HistogramPoint,
        Message::ExponentialPoint,
        Message::Buckets,
        Message::SummaryPoint,
        Message::Quantile,
        Message::Exemplar,
        Message::LogsRequest,
        Message::ResourceLogs,
        Message::ScopeLogs,
        Message::LogRecord,
    ];

    fn lower_camel_case(name: &str) -> String {
        let mut parts = name.split('_');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
    }

    #[test]
    fn names_numbers_and_kinds_are_those_of_the_messages() {
        for message in MESSAGES {
            let fields = message.json_fields();
            let known = (1..100).filter(|number| message.field(*number).is_some());
            assert_eq!(known.count(), fields.len(), "{message:?}");
            for field in fields {
                let (name, kind) = message.field(field.tag >> 3).unwrap();
                assert_eq!(field.name, lower_camel_case(name), "{message:?}");
                assert_eq!(field.tag & 7, u32::from(kind.wire()), "{message:?}.{name}");
                let alike = match kind {
                    message::Kind::One(child) => field.kind == Kind::One(child),
                    message::Kind::Many(child) => field.kind == Kind::Many(child),
                    message::Kind::Text => field.kind == TEXT || field.kind == Kind::Texts,
                    message::Kind::Bytes => {
                        matches!(field.kind, Kind::Scalar(Scalar::Id(_) | Scalar::Bytes))
                    }
                    message::Kind::Fixed64s => {
                        matches!(field.kind, Kind::Numbers(scalar) if scalar.wire() == FIXED64)
                    }
                    message::Kind::Varints => {
                        matches!(field.kind, Kind::Numbers(scalar) if scalar.wire() == VARINT)
                    }
                    message::Kind::Varint | message::Kind::Fixed64 | message::Kind::Fixed32 => {
                        matches!(field.kind, Kind::Scalar(_))
                    }
                };
                assert!(alike, "{message:?}.{name}");
            }
        }
    }
}
