//! The messages of OTLP exports: field numbers, names and kinds, and the diagnosis that checks all of them.
//!
//! The tables follow opentelemetry-proto v1.11.0, `trace/v1`, `metrics/v1`, `logs/v1`, `common/v1` and `resource/v1`. Fields that
//! are there for profiles only (`key_strindex`, `string_value_strindex`) and reserved ones pass as unknown.

use crate::bounds::MAX_DEPTH;
use crate::fault::{BodyFault, Broken, FaultKind};
use crate::signal::Signal;
use crate::wire::{self, FIXED32, FIXED64, LENGTH, VARINT, check_text, length_delimited, offset_in, varint};
use crate::words::is_ascii;

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    Buckets,
    SummaryPoint,
    Quantile,
    Exemplar,
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
}

/// How many kinds of message there are.
pub(crate) const MESSAGES: usize = Message::LogRecord as usize + 1;

/// The kinds of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Text,
    /// Repeated numbers of eight bytes each, packed or each in a field of its own.
    Fixed64s,
    /// Repeated varints, packed or each in a field of its own.
    Varints,
    /// A singular message.
    One(Message),
    /// A repeated message.
    Many(Message),
}

impl Kind {
    /// The wire type of such a field.
    #[inline(always)]
    pub(crate) const fn wire(self) -> u8 {
        match self {
            Self::Varint => VARINT,
            Self::Fixed64 => FIXED64,
            Self::Fixed32 => FIXED32,
            Self::Bytes | Self::Text | Self::Fixed64s | Self::Varints | Self::One(_) | Self::Many(_) => {
                LENGTH
            }
        }
    }

    /// The kind of a field that was met with wire type `wire`, if it may have that one: a repeated number need not be packed.
    #[inline(always)]
    const fn as_met(self, wire: u8) -> Option<Self> {
        match (self, wire) {
            (Self::Fixed64s, FIXED64) => Some(Self::Fixed64),
            (Self::Varints, VARINT) => Some(Self::Varint),
            _ if wire == self.wire() => Some(self),
            _ => None,
        }
    }
}

impl Message {
    /// The request that exports a signal.
    pub(crate) const fn request(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Request,
            Signal::Metrics => Self::MetricsRequest,
            Signal::Logs => Self::LogsRequest,
        }
    }

    /// Name and kind of a field; `None` if it is unknown.
    #[inline(always)]
    #[rustfmt::skip]
    pub(crate) const fn field(self, number: u32) -> Option<(&'static str, Kind)> {
        use Kind::{Bytes, Fixed32, Fixed64, Fixed64s, Many, One, Text, Varint, Varints};
        Some(match (self, number) {
            (Self::Request, 1) => ("resource_spans", Many(Self::ResourceSpans)),

            (Self::ResourceSpans, 1) => ("resource", One(Self::Resource)),
            (Self::ResourceSpans, 2) => ("scope_spans", Many(Self::ScopeSpans)),
            (Self::ResourceSpans, 3) => ("schema_url", Text),

            (Self::Resource, 1) => ("attributes", Many(Self::KeyValue)),
            (Self::Resource, 2) => ("dropped_attributes_count", Varint),
            (Self::Resource, 3) => ("entity_refs", Many(Self::EntityRef)),

            (Self::EntityRef, 1) => ("schema_url", Text),
            (Self::EntityRef, 2) => ("type", Text),
            (Self::EntityRef, 3) => ("id_keys", Text),
            (Self::EntityRef, 4) => ("description_keys", Text),

            (Self::ScopeSpans, 1) => ("scope", One(Self::Scope)),
            (Self::ScopeSpans, 2) => ("spans", Many(Self::Span)),
            (Self::ScopeSpans, 3) => ("schema_url", Text),

            (Self::Scope, 1) => ("name", Text),
            (Self::Scope, 2) => ("version", Text),
            (Self::Scope, 3) => ("attributes", Many(Self::KeyValue)),
            (Self::Scope, 4) => ("dropped_attributes_count", Varint),

            (Self::Span, 1) => ("trace_id", Bytes),
            (Self::Span, 2) => ("span_id", Bytes),
            (Self::Span, 3) => ("trace_state", Text),
            (Self::Span, 4) => ("parent_span_id", Bytes),
            (Self::Span, 5) => ("name", Text),
            (Self::Span, 6) => ("kind", Varint),
            (Self::Span, 7) => ("start_time_unix_nano", Fixed64),
            (Self::Span, 8) => ("end_time_unix_nano", Fixed64),
            (Self::Span, 9) => ("attributes", Many(Self::KeyValue)),
            (Self::Span, 10) => ("dropped_attributes_count", Varint),
            (Self::Span, 11) => ("events", Many(Self::Event)),
            (Self::Span, 12) => ("dropped_events_count", Varint),
            (Self::Span, 13) => ("links", Many(Self::Link)),
            (Self::Span, 14) => ("dropped_links_count", Varint),
            (Self::Span, 15) => ("status", One(Self::Status)),
            (Self::Span, 16) => ("flags", Fixed32),

            (Self::Event, 1) => ("time_unix_nano", Fixed64),
            (Self::Event, 2) => ("name", Text),
            (Self::Event, 3) => ("attributes", Many(Self::KeyValue)),
            (Self::Event, 4) => ("dropped_attributes_count", Varint),

            (Self::Link, 1) => ("trace_id", Bytes),
            (Self::Link, 2) => ("span_id", Bytes),
            (Self::Link, 3) => ("trace_state", Text),
            (Self::Link, 4) => ("attributes", Many(Self::KeyValue)),
            (Self::Link, 5) => ("dropped_attributes_count", Varint),
            (Self::Link, 6) => ("flags", Fixed32),

            (Self::Status, 2) => ("message", Text),
            (Self::Status, 3) => ("code", Varint),

            (Self::KeyValue, 1) => ("key", Text),
            (Self::KeyValue, 2) => ("value", One(Self::AnyValue)),

            (Self::AnyValue, 1) => ("string_value", Text),
            (Self::AnyValue, 2) => ("bool_value", Varint),
            (Self::AnyValue, 3) => ("int_value", Varint),
            (Self::AnyValue, 4) => ("double_value", Fixed64),
            (Self::AnyValue, 5) => ("array_value", One(Self::ArrayValue)),
            (Self::AnyValue, 6) => ("kvlist_value", One(Self::KeyValueList)),
            (Self::AnyValue, 7) => ("bytes_value", Bytes),

            (Self::ArrayValue, 1) => ("values", Many(Self::AnyValue)),
            (Self::KeyValueList, 1) => ("values", Many(Self::KeyValue)),

            (Self::MetricsRequest, 1) => ("resource_metrics", Many(Self::ResourceMetrics)),

            (Self::ResourceMetrics, 1) => ("resource", One(Self::Resource)),
            (Self::ResourceMetrics, 2) => ("scope_metrics", Many(Self::ScopeMetrics)),
            (Self::ResourceMetrics, 3) => ("schema_url", Text),

            (Self::ScopeMetrics, 1) => ("scope", One(Self::Scope)),
            (Self::ScopeMetrics, 2) => ("metrics", Many(Self::Metric)),
            (Self::ScopeMetrics, 3) => ("schema_url", Text),

            (Self::Metric, 1) => ("name", Text),
            (Self::Metric, 2) => ("description", Text),
            (Self::Metric, 3) => ("unit", Text),
            (Self::Metric, 5) => ("gauge", One(Self::Gauge)),
            (Self::Metric, 7) => ("sum", One(Self::Sum)),
            (Self::Metric, 9) => ("histogram", One(Self::Histogram)),
            (Self::Metric, 10) => ("exponential_histogram", One(Self::ExponentialHistogram)),
            (Self::Metric, 11) => ("summary", One(Self::Summary)),
            (Self::Metric, 12) => ("metadata", Many(Self::KeyValue)),

            (Self::Gauge, 1) => ("data_points", Many(Self::NumberPoint)),

            (Self::Sum, 1) => ("data_points", Many(Self::NumberPoint)),
            (Self::Sum, 2) => ("aggregation_temporality", Varint),
            (Self::Sum, 3) => ("is_monotonic", Varint),

            (Self::Histogram, 1) => ("data_points", Many(Self::HistogramPoint)),
            (Self::Histogram, 2) => ("aggregation_temporality", Varint),

            (Self::ExponentialHistogram, 1) => ("data_points", Many(Self::ExponentialPoint)),
            (Self::ExponentialHistogram, 2) => ("aggregation_temporality", Varint),

            (Self::Summary, 1) => ("data_points", Many(Self::SummaryPoint)),

            (Self::NumberPoint, 2) => ("start_time_unix_nano", Fixed64),
            (Self::NumberPoint, 3) => ("time_unix_nano", Fixed64),
            (Self::NumberPoint, 4) => ("as_double", Fixed64),
            (Self::NumberPoint, 5) => ("exemplars", Many(Self::Exemplar)),
            (Self::NumberPoint, 6) => ("as_int", Fixed64),
            (Self::NumberPoint, 7) => ("attributes", Many(Self::KeyValue)),
            (Self::NumberPoint, 8) => ("flags", Varint),

            (Self::HistogramPoint, 2) => ("start_time_unix_nano", Fixed64),
            (Self::HistogramPoint, 3) => ("time_unix_nano", Fixed64),
            (Self::HistogramPoint, 4) => ("count", Fixed64),
            (Self::HistogramPoint, 5) => ("sum", Fixed64),
            (Self::HistogramPoint, 6) => ("bucket_counts", Fixed64s),
            (Self::HistogramPoint, 7) => ("explicit_bounds", Fixed64s),
            (Self::HistogramPoint, 8) => ("exemplars", Many(Self::Exemplar)),
            (Self::HistogramPoint, 9) => ("attributes", Many(Self::KeyValue)),
            (Self::HistogramPoint, 10) => ("flags", Varint),
            (Self::HistogramPoint, 11) => ("min", Fixed64),
            (Self::HistogramPoint, 12) => ("max", Fixed64),

            (Self::ExponentialPoint, 1) => ("attributes", Many(Self::KeyValue)),
            (Self::ExponentialPoint, 2) => ("start_time_unix_nano", Fixed64),
            (Self::ExponentialPoint, 3) => ("time_unix_nano", Fixed64),
            (Self::ExponentialPoint, 4) => ("count", Fixed64),
            (Self::ExponentialPoint, 5) => ("sum", Fixed64),
            (Self::ExponentialPoint, 6) => ("scale", Varint),
            (Self::ExponentialPoint, 7) => ("zero_count", Fixed64),
            (Self::ExponentialPoint, 8) => ("positive", One(Self::Buckets)),
            (Self::ExponentialPoint, 9) => ("negative", One(Self::Buckets)),
            (Self::ExponentialPoint, 10) => ("flags", Varint),
            (Self::ExponentialPoint, 11) => ("exemplars", Many(Self::Exemplar)),
            (Self::ExponentialPoint, 12) => ("min", Fixed64),
            (Self::ExponentialPoint, 13) => ("max", Fixed64),
            (Self::ExponentialPoint, 14) => ("zero_threshold", Fixed64),

            (Self::Buckets, 1) => ("offset", Varint),
            (Self::Buckets, 2) => ("bucket_counts", Varints),

            (Self::SummaryPoint, 2) => ("start_time_unix_nano", Fixed64),
            (Self::SummaryPoint, 3) => ("time_unix_nano", Fixed64),
            (Self::SummaryPoint, 4) => ("count", Fixed64),
            (Self::SummaryPoint, 5) => ("sum", Fixed64),
            (Self::SummaryPoint, 6) => ("quantile_values", Many(Self::Quantile)),
            (Self::SummaryPoint, 7) => ("attributes", Many(Self::KeyValue)),
            (Self::SummaryPoint, 8) => ("flags", Varint),

            (Self::Quantile, 1) => ("quantile", Fixed64),
            (Self::Quantile, 2) => ("value", Fixed64),

            (Self::Exemplar, 2) => ("time_unix_nano", Fixed64),
            (Self::Exemplar, 3) => ("as_double", Fixed64),
            (Self::Exemplar, 4) => ("span_id", Bytes),
            (Self::Exemplar, 5) => ("trace_id", Bytes),
            (Self::Exemplar, 6) => ("as_int", Fixed64),
            (Self::Exemplar, 7) => ("filtered_attributes", Many(Self::KeyValue)),

            (Self::LogsRequest, 1) => ("resource_logs", Many(Self::ResourceLogs)),

            (Self::ResourceLogs, 1) => ("resource", One(Self::Resource)),
            (Self::ResourceLogs, 2) => ("scope_logs", Many(Self::ScopeLogs)),
            (Self::ResourceLogs, 3) => ("schema_url", Text),

            (Self::ScopeLogs, 1) => ("scope", One(Self::Scope)),
            (Self::ScopeLogs, 2) => ("log_records", Many(Self::LogRecord)),
            (Self::ScopeLogs, 3) => ("schema_url", Text),

            (Self::LogRecord, 1) => ("time_unix_nano", Fixed64),
            (Self::LogRecord, 2) => ("severity_number", Varint),
            (Self::LogRecord, 3) => ("severity_text", Text),
            (Self::LogRecord, 5) => ("body", One(Self::AnyValue)),
            (Self::LogRecord, 6) => ("attributes", Many(Self::KeyValue)),
            (Self::LogRecord, 7) => ("dropped_attributes_count", Varint),
            (Self::LogRecord, 8) => ("flags", Fixed32),
            (Self::LogRecord, 9) => ("trace_id", Bytes),
            (Self::LogRecord, 10) => ("span_id", Bytes),
            (Self::LogRecord, 11) => ("observed_time_unix_nano", Fixed64),
            (Self::LogRecord, 12) => ("event_name", Text),
            _ => return None,
        })
    }

    /// Checks a message of that kind and all in it. `depth` levels may still be entered below it.
    pub(crate) fn check(self, bytes: &[u8], depth: u32) -> Result<(), Broken> {
        // Each hot kind has a function, and so code, of its own: a fifth faster than one function that looks fields up.
        match self {
            Self::Span => check_span(bytes, depth),
            Self::KeyValue => check_key_value(bytes, depth),
            Self::AnyValue => check_any_value(bytes, depth),
            other => check_other(other, bytes, depth),
        }
    }
}

/// Checks a whole trace export, down to the attribute values of spans.
pub fn diagnose(body: &[u8]) -> Result<(), BodyFault> {
    diagnose_as(Signal::Traces, body)
}

/// Checks a whole export of a signal, down to the values of attributes.
pub fn diagnose_as(signal: Signal, body: &[u8]) -> Result<(), BodyFault> {
    Message::request(signal).check(body, MAX_DEPTH).map_err(|broken| locate(signal, body, broken))
}

/// A fault with its place in the body.
#[cold]
pub(crate) fn locate(signal: Signal, body: &[u8], broken: Broken) -> BodyFault {
    let offset = broken.offset(body);
    BodyFault { offset, position: None, path: path(signal, body, offset), kind: broken.kind }
}

fn check_span(bytes: &[u8], depth: u32) -> Result<(), Broken> {
    check_as(Message::Span, bytes, depth)
}

fn check_key_value(bytes: &[u8], depth: u32) -> Result<(), Broken> {
    // A plain attribute takes at most two levels; with fewer left the full check decides.
    if depth >= 2 && is_plain_attribute(bytes) { Ok(()) } else { check_as(Message::KeyValue, bytes, depth) }
}

fn check_any_value(bytes: &[u8], depth: u32) -> Result<(), Broken> {
    check_as(Message::AnyValue, bytes, depth)
}

fn check_other(message: Message, bytes: &[u8], depth: u32) -> Result<(), Broken> {
    check_as(message, bytes, depth)
}

#[inline(always)]
fn check_as(message: Message, bytes: &[u8], depth: u32) -> Result<(), Broken> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = rest;
        let broken = |kind| Broken::at(start, kind);
        let (number, wire, after) = wire::tag(rest).map_err(broken)?;
        let Some((_, kind)) = message.field(number) else {
            rest = wire::skip(number, wire, after, depth).map_err(broken)?;
            continue;
        };
        let Some(kind) = kind.as_met(wire) else {
            return Err(broken(FaultKind::Mismatch { field: number, wire }));
        };
        rest = match kind {
            Kind::Varint => varint(after).map_err(broken)?.1,
            Kind::Fixed64 => wire::fixed(after, 8).map_err(broken)?,
            Kind::Fixed32 => wire::fixed(after, 4).map_err(broken)?,
            Kind::Bytes => length_delimited(after).map_err(broken)?.1,
            Kind::Text => {
                let (text, tail) = length_delimited(after).map_err(broken)?;
                check_text(text)?;
                tail
            }
            Kind::Fixed64s => {
                let (numbers, tail) = length_delimited(after).map_err(broken)?;
                if !numbers.len().is_multiple_of(8) {
                    return Err(broken(FaultKind::Truncated));
                }
                tail
            }
            Kind::Varints => {
                let (mut numbers, tail) = length_delimited(after).map_err(broken)?;
                while !numbers.is_empty() {
                    numbers = varint(numbers).map_err(broken)?.1;
                }
                tail
            }
            Kind::One(child) | Kind::Many(child) => {
                let (content, tail) = length_delimited(after).map_err(broken)?;
                let depth = depth.checked_sub(1).ok_or_else(|| broken(FaultKind::TooDeep))?;
                child.check(content, depth)?;
                tail
            }
        };
    }
    Ok(())
}

/// Whether an attribute has the shape that nearly all have: a key, then a string or a number, each short, texts ASCII.
/// If all bytes are below 0x80, every tag, length and varint in it is one byte, and every text is UTF-8.
#[inline]
fn is_plain_attribute(bytes: &[u8]) -> bool {
    let [0x0a, key_length, rest @ ..] = bytes else {
        return false;
    };
    let Some((key, value)) = rest.split_at_checked(usize::from(*key_length)) else {
        return false;
    };
    match value {
        [0x12, length, 0x0a, text_length, text @ ..] => {
            text.len() == usize::from(*text_length)
                && text.len() + 2 == usize::from(*length)
                && is_ascii(bytes)
        }
        [0x12, length, 0x18 | 0x10, number @ ..] => {
            number.len() + 1 == usize::from(*length)
                && *length < 0x80
                && *key_length < 0x80
                && matches!(varint(number), Ok((_, [])))
                && is_ascii(key)
        }
        _ => false,
    }
}

/// The path of the innermost message that holds an offset.
fn path(signal: Signal, body: &[u8], offset: usize) -> String {
    let mut path = String::new();
    let mut message = Message::request(signal);
    let mut rest = body;
    let mut seen: Vec<u32> = Vec::new();
    // A field that cannot be read is where the fault is: the message around it is the innermost.
    while let Ok((number, wire, after)) = wire::tag(rest) {
        let field = if wire == LENGTH { message.field(number) } else { None };
        let (Some((name, kind @ (Kind::One(child) | Kind::Many(child)))), Ok((content, tail))) =
            (field, length_delimited(after))
        else {
            match wire::skip(number, wire, after, MAX_DEPTH) {
                Ok(tail) => rest = tail,
                Err(_) => break,
            }
            continue;
        };
        let begin = offset_in(body, content);
        if !(begin..begin + content.len()).contains(&offset) {
            seen.push(number);
            rest = tail;
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        if matches!(kind, Kind::Many(_)) {
            path.push_str(&format!("[{}]", seen.iter().filter(|other| **other == number).count()));
        }
        seen.clear();
        (message, rest) = (child, content);
    }
    path
}
