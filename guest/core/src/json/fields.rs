//! The fields of each message by their names in JSON.

mod common;
mod enums;
mod field;
mod logs;
mod metrics;
mod traces;

use crate::message::Message;
pub(super) use field::{Field, Kind, Scalar};

impl Message {
    /// The fields, in the order in which most SDKs write them. A test compares them with [`Message::field`].
    pub(super) const fn json_fields(self) -> &'static [Field] {
        match self {
            Self::Request => &traces::REQUEST,
            Self::ResourceSpans => &traces::RESOURCE_SPANS,
            Self::Resource => &common::RESOURCE,
            Self::EntityRef => &common::ENTITY_REF,
            Self::ScopeSpans => &traces::SCOPE_SPANS,
            Self::Scope => &common::SCOPE,
            Self::Span => &traces::SPAN,
            Self::Event => &traces::EVENT,
            Self::Link => &traces::LINK,
            Self::Status => &traces::STATUS,
            Self::KeyValue => &common::KEY_VALUE,
            Self::AnyValue => &common::ANY_VALUE,
            Self::ArrayValue => &common::ARRAY_VALUE,
            Self::KeyValueList => &common::KEY_VALUE_LIST,
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

/// Fields of the message that has the most: a span.
pub(super) const MOST_FIELDS: usize = traces::SPAN.len();

#[cfg(test)]
mod tests {
    use super::field::TEXT;
    use super::*;
    use crate::message;
    use crate::wire::{FIXED64, VARINT};

    const MESSAGES: [Message; message::MESSAGES] = [
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
            assert!(fields.len() <= MOST_FIELDS);
            for field in fields {
                let (name, kind) = message.field(field.tag >> 3).unwrap();
                assert_eq!(field.name(), lower_camel_case(name), "{message:?}");
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
