//! OTLP/JSON of a request, written without podstamp's own code.
//!
//! A whim picks among the ways that the specification leaves, and those that the Collector reads besides: it gets how many there
//! are, and gives one of them; 0 is how most SDKs write.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// The request as most SDKs write it.
pub fn plain(request: &ExportTraceServiceRequest) -> String {
    write(request, &mut |_| 0)
}

/// The request as `whim` has it.
pub fn write(request: &ExportTraceServiceRequest, whim: &mut dyn FnMut(usize) -> usize) -> String {
    let mut writer = Writer { whim };
    let spans = writer.list(&request.resource_spans, Writer::resource_spans);
    let text = writer.object(vec![("resourceSpans", spans)]);
    let (before, after) = (writer.blank(), writer.blank());
    format!("{before}{text}{after}")
}

/// Name and text; no text where the value is the default one.
type Member = (&'static str, Option<String>);

struct Writer<'w> {
    whim: &'w mut dyn FnMut(usize) -> usize,
}

impl Writer<'_> {
    fn resource_spans(&mut self, spans: &ResourceSpans) -> String {
        let ResourceSpans { resource, scope_spans, schema_url } = spans;
        let members = vec![
            ("resource", resource.as_ref().map(|resource| self.resource(resource))),
            ("scopeSpans", self.list(scope_spans, Self::scope_spans)),
            ("schemaUrl", self.text(schema_url)),
        ];
        self.object(members)
    }

    fn resource(&mut self, resource: &Resource) -> String {
        let Resource { attributes, dropped_attributes_count, entity_refs } = resource;
        let members = vec![
            ("attributes", self.list(attributes, Self::key_value)),
            ("droppedAttributesCount", self.count(*dropped_attributes_count)),
            ("entityRefs", self.list(entity_refs, Self::entity_ref)),
        ];
        self.object(members)
    }

    fn entity_ref(&mut self, entity: &EntityRef) -> String {
        let EntityRef { schema_url, r#type, id_keys, description_keys } = entity;
        let members = vec![
            ("schemaUrl", self.text(schema_url)),
            ("type", self.text(r#type)),
            ("idKeys", self.list(id_keys, |writer, key| writer.string(key))),
            ("descriptionKeys", self.list(description_keys, |writer, key| writer.string(key))),
        ];
        self.object(members)
    }

    fn scope_spans(&mut self, spans: &ScopeSpans) -> String {
        let ScopeSpans { scope, spans, schema_url } = spans;
        let members = vec![
            ("scope", scope.as_ref().map(|scope| self.scope(scope))),
            ("spans", self.list(spans, Self::span)),
            ("schemaUrl", self.text(schema_url)),
        ];
        self.object(members)
    }

    fn scope(&mut self, scope: &InstrumentationScope) -> String {
        let InstrumentationScope { name, version, attributes, dropped_attributes_count } = scope;
        let members = vec![
            ("name", self.text(name)),
            ("version", self.text(version)),
            ("attributes", self.list(attributes, Self::key_value)),
            ("droppedAttributesCount", self.count(*dropped_attributes_count)),
        ];
        self.object(members)
    }

    fn span(&mut self, span: &Span) -> String {
        let kind = SpanKind::try_from(span.kind).ok().map(|kind| kind.as_str_name());
        let members = vec![
            ("traceId", self.id(&span.trace_id)),
            ("spanId", self.id(&span.span_id)),
            ("traceState", self.text(&span.trace_state)),
            ("parentSpanId", self.id(&span.parent_span_id)),
            ("flags", self.count(span.flags)),
            ("name", self.text(&span.name)),
            ("kind", self.enumeration(span.kind, kind)),
            ("startTimeUnixNano", self.time(span.start_time_unix_nano)),
            ("endTimeUnixNano", self.time(span.end_time_unix_nano)),
            ("attributes", self.list(&span.attributes, Self::key_value)),
            ("droppedAttributesCount", self.count(span.dropped_attributes_count)),
            ("events", self.list(&span.events, Self::event)),
            ("droppedEventsCount", self.count(span.dropped_events_count)),
            ("status", span.status.as_ref().map(|status| self.status(status))),
            ("links", self.list(&span.links, Self::link)),
            ("droppedLinksCount", self.count(span.dropped_links_count)),
        ];
        self.object(members)
    }

    fn status(&mut self, status: &Status) -> String {
        let Status { message, code } = status;
        let name = StatusCode::try_from(*code).ok().map(|code| code.as_str_name());
        let members = vec![("message", self.text(message)), ("code", self.enumeration(*code, name))];
        self.object(members)
    }

    fn event(&mut self, event: &Event) -> String {
        let Event { time_unix_nano, name, attributes, dropped_attributes_count } = event;
        let members = vec![
            ("timeUnixNano", self.time(*time_unix_nano)),
            ("name", self.text(name)),
            ("attributes", self.list(attributes, Self::key_value)),
            ("droppedAttributesCount", self.count(*dropped_attributes_count)),
        ];
        self.object(members)
    }

    fn link(&mut self, link: &Link) -> String {
        let Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags } = link;
        let members = vec![
            ("traceId", self.id(trace_id)),
            ("spanId", self.id(span_id)),
            ("traceState", self.text(trace_state)),
            ("attributes", self.list(attributes, Self::key_value)),
            ("droppedAttributesCount", self.count(*dropped_attributes_count)),
            ("flags", self.count(*flags)),
        ];
        self.object(members)
    }

    fn key_value(&mut self, attribute: &KeyValue) -> String {
        let value = attribute.value.as_ref().map(|value| self.any_value(value));
        let members = vec![("key", self.text(&attribute.key)), ("value", value)];
        self.object(members)
    }

    fn any_value(&mut self, value: &AnyValue) -> String {
        let member = match &value.value {
            None | Some(Value::StringValueStrindex(_)) => return self.object(vec![]),
            Some(Value::StringValue(text)) => ("stringValue", self.string(text)),
            Some(Value::BoolValue(bool)) => ("boolValue", bool.to_string()),
            Some(Value::IntValue(number)) => ("intValue", self.number(&number.to_string())),
            Some(Value::DoubleValue(number)) => ("doubleValue", self.double(*number)),
            Some(Value::BytesValue(bytes)) => ("bytesValue", self.base64(bytes)),
            Some(Value::ArrayValue(array)) => {
                let values = self.list(&array.values, Self::any_value);
                ("arrayValue", self.object(vec![("values", values)]))
            }
            Some(Value::KvlistValue(map)) => {
                let values = self.list(&map.values, Self::key_value);
                ("kvlistValue", self.object(vec![("values", values)]))
            }
        };
        self.object(vec![(member.0, Some(member.1))])
    }

    /// An object: its members in any order, with names among them that OTLP does not know.
    fn object(&mut self, members: Vec<Member>) -> String {
        let mut texts = Vec::new();
        for (name, text) in members {
            let text = match text {
                Some(text) => text,
                // Not set, in so many words.
                None if (self.whim)(32) == 31 => "null".to_owned(),
                None => continue,
            };
            texts.push((name, text));
        }
        if (self.whim)(12) == 11 {
            let (name, text) = UNKNOWN[(self.whim)(UNKNOWN.len())];
            texts.push((name, text.to_owned()));
        }
        if (self.whim)(4) == 3 {
            for index in (1..texts.len()).rev() {
                let other = (self.whim)(index + 1);
                texts.swap(index, other);
            }
        }
        let mut out = "{".to_owned();
        for (index, (name, text)) in texts.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&self.blank());
            let name = if (self.whim)(16) == 15 { with_underscores(name) } else { (*name).to_owned() };
            out.push_str(&self.string(&name));
            out.push_str(&self.blank());
            out.push(':');
            out.push_str(&self.blank());
            out.push_str(text);
            out.push_str(&self.blank());
        }
        out.push('}');
        out
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T) -> String) -> Option<String> {
        if items.is_empty() {
            return ((self.whim)(8) == 7).then(|| "[]".to_owned());
        }
        let mut texts = Vec::new();
        for item in items {
            let blank = self.blank();
            texts.push(format!("{blank}{}{blank}", write(self, item)));
        }
        Some(format!("[{}]", texts.join(",")))
    }

    /// A member that is left out where it is the default one, or not.
    fn unless_default(&mut self, is_default: bool, text: String) -> Option<String> {
        (!is_default || (self.whim)(6) == 5).then_some(text)
    }

    fn text(&mut self, text: &str) -> Option<String> {
        let written = self.string(text);
        self.unless_default(text.is_empty(), written)
    }

    fn count(&mut self, number: u32) -> Option<String> {
        let text = match (self.whim)(8) {
            7 => format!("\"{number}\""),
            _ => number.to_string(),
        };
        self.unless_default(number == 0, text)
    }

    /// The number of a value, or its name if it has one.
    fn enumeration(&mut self, number: i32, name: Option<&str>) -> Option<String> {
        let text = match name {
            Some(name) if (self.whim)(8) == 7 => self.string(name),
            _ => number.to_string(),
        };
        self.unless_default(number == 0, text)
    }

    fn time(&mut self, number: u64) -> Option<String> {
        let text = self.number(&number.to_string());
        self.unless_default(number == 0, text)
    }

    fn number(&mut self, digits: &str) -> String {
        if (self.whim)(3) == 2 { digits.to_owned() } else { format!("\"{digits}\"") }
    }

    fn double(&mut self, number: f64) -> String {
        if number.is_nan() {
            return "\"NaN\"".to_owned();
        }
        if number.is_infinite() {
            return if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }.to_owned();
        }
        match (self.whim)(4) {
            3 => format!("\"{number:?}\""),
            2 => format!("{number:e}"),
            _ => format!("{number:?}"),
        }
    }

    fn id(&mut self, bytes: &[u8]) -> Option<String> {
        let upper = (self.whim)(4) == 3;
        let digits = bytes.iter().map(|byte| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        });
        let text = format!("\"{}\"", digits.collect::<String>());
        self.unless_default(bytes.is_empty(), text)
    }

    fn base64(&mut self, bytes: &[u8]) -> String {
        let letters = match (self.whim)(2) {
            0 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        };
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                text.push(char::from(letters[(bits >> (18 - 6 * place) & 63) as usize]));
            }
        }
        if (self.whim)(2) == 0 {
            while !text.len().is_multiple_of(4) {
                text.push('=');
            }
        }
        self.string(&text)
    }

    /// A string in quotes, with escapes where JSON wants them, and at times where it does not.
    fn string(&mut self, text: &str) -> String {
        let eager = (self.whim)(24) == 23;
        let mut out = "\"".to_owned();
        for char in text.chars() {
            match char {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '/' if eager => out.push_str("\\/"),
                '\n' => out.push_str("\\n"),
                char if eager || char < ' ' => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                char => out.push(char),
            }
        }
        out.push('"');
        out
    }

    fn blank(&mut self) -> String {
        match (self.whim)(24) {
            23 => " \n\t".to_owned(),
            22 => "\r\n".to_owned(),
            _ => String::new(),
        }
    }
}

/// A name of OTLP/JSON as the messages themselves spell it, which the Collector reads as well.
fn with_underscores(name: &str) -> String {
    name.chars()
        .flat_map(|char| {
            char.is_ascii_uppercase().then_some('_').into_iter().chain([char.to_ascii_lowercase()])
        })
        .collect()
}

/// Names that no message has in either spelling, and values of every kind.
const UNKNOWN: [(&str, &str); 8] = [
    ("resourcespans", "[{}]"),
    ("trace__id", "\"no id\""),
    ("Name", "17"),
    ("", "null"),
    ("stringValueStrindex", "3"),
    ("keyStrindex", "3"),
    ("extension", "{\"a\": [1, {\"b\": \"\\\"}]\"}, -1.5e-3], \"c\": true}"),
    ("é\n", "[[[[[]]]]]"),
];
