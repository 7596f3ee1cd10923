//! Enums by name.

/// The enums. OTLP/JSON has numbers only, but protobuf's own JSON has names, and the Collector reads both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) enum Enum {
    SpanKind,
    StatusCode,
    SeverityNumber,
    AggregationTemporality,
}

impl Enum {
    /// Names of the values, each at its number.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::SpanKind => &[
                "SPAN_KIND_UNSPECIFIED",
                "SPAN_KIND_INTERNAL",
                "SPAN_KIND_SERVER",
                "SPAN_KIND_CLIENT",
                "SPAN_KIND_PRODUCER",
                "SPAN_KIND_CONSUMER",
            ],
            Self::StatusCode => &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"],
            Self::SeverityNumber => &[
                "SEVERITY_NUMBER_UNSPECIFIED",
                "SEVERITY_NUMBER_TRACE",
                "SEVERITY_NUMBER_TRACE2",
                "SEVERITY_NUMBER_TRACE3",
                "SEVERITY_NUMBER_TRACE4",
                "SEVERITY_NUMBER_DEBUG",
                "SEVERITY_NUMBER_DEBUG2",
                "SEVERITY_NUMBER_DEBUG3",
                "SEVERITY_NUMBER_DEBUG4",
                "SEVERITY_NUMBER_INFO",
                "SEVERITY_NUMBER_INFO2",
                "SEVERITY_NUMBER_INFO3",
                "SEVERITY_NUMBER_INFO4",
                "SEVERITY_NUMBER_WARN",
                "SEVERITY_NUMBER_WARN2",
                "SEVERITY_NUMBER_WARN3",
                "SEVERITY_NUMBER_WARN4",
                "SEVERITY_NUMBER_ERROR",
                "SEVERITY_NUMBER_ERROR2",
                "SEVERITY_NUMBER_ERROR3",
                "SEVERITY_NUMBER_ERROR4",
                "SEVERITY_NUMBER_FATAL",
                "SEVERITY_NUMBER_FATAL2",
                "SEVERITY_NUMBER_FATAL3",
                "SEVERITY_NUMBER_FATAL4",
            ],
            Self::AggregationTemporality => &[
                "AGGREGATION_TEMPORALITY_UNSPECIFIED",
                "AGGREGATION_TEMPORALITY_DELTA",
                "AGGREGATION_TEMPORALITY_CUMULATIVE",
            ],
        }
    }

    /// The number of a value by its name.
    #[cold]
    pub(in crate::json) fn number(self, name: &[u8]) -> Option<u64> {
        self.names().iter().position(|known| known.as_bytes() == name).map(|number| number as u64)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
    use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

    use super::*;

    #[test]
    fn enums_have_the_names_that_the_messages_give_them() {
        let holds = |of: Enum, name: fn(i32) -> Option<&'static str>| {
            let expected: Vec<_> = (0..).map_while(name).collect();
            assert_eq!(of.names(), expected, "{of:?}");
            assert_eq!(of.number(expected[1].as_bytes()), Some(1));
        };
        holds(Enum::SpanKind, |number| Some(SpanKind::try_from(number).ok()?.as_str_name()));
        holds(Enum::StatusCode, |number| Some(StatusCode::try_from(number).ok()?.as_str_name()));
        holds(Enum::SeverityNumber, |number| Some(SeverityNumber::try_from(number).ok()?.as_str_name()));
        holds(Enum::AggregationTemporality, |number| {
            Some(AggregationTemporality::try_from(number).ok()?.as_str_name())
        });
    }
}
