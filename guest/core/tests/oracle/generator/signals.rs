//! Requests of metrics and logs, whose scopes are made along a table of the messages.

use super::{FIXED64, Generator, LENGTH, VARINT};
use crate::choices::Choices;

/// A field's number and kind.
type Field = (u32, Kind);

#[derive(Clone, Copy)]
enum Kind {
    Varint,
    Fixed64,
    Fixed32,
    Text,
    Bytes,
    Attribute,
    Any,
    Scope,
    /// Repeated numbers of eight bytes, and repeated varints.
    Fixed64s,
    Varints,
    Message(&'static [Field]),
}

use Kind::{Any, Attribute, Bytes, Fixed32, Fixed64, Fixed64s, Message, Scope, Text, Varint, Varints};

const EXEMPLAR: &[Field] =
    &[(2, Fixed64), (3, Fixed64), (4, Bytes), (5, Bytes), (6, Fixed64), (7, Attribute)];

const NUMBER_POINT: &[Field] = &[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Message(EXEMPLAR)),
    (6, Fixed64),
    (7, Attribute),
    (8, Varint),
];

const HISTOGRAM_POINT: &[Field] = &[
    (2, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Fixed64s),
    (7, Fixed64s),
    (8, Message(EXEMPLAR)),
    (9, Attribute),
    (10, Varint),
    (11, Fixed64),
];

const BUCKETS: &[Field] = &[(1, Varint), (2, Varints)];

const EXPONENTIAL_POINT: &[Field] = &[
    (1, Attribute),
    (4, Fixed64),
    (6, Varint),
    (8, Message(BUCKETS)),
    (9, Message(BUCKETS)),
    (11, Message(EXEMPLAR)),
    (14, Fixed64),
];

const SUMMARY_POINT: &[Field] =
    &[(3, Fixed64), (4, Fixed64), (6, Message(&[(1, Fixed64), (2, Fixed64)])), (7, Attribute), (8, Varint)];

const METRIC: &[Field] = &[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, Message(&[(1, Message(NUMBER_POINT))])),
    (7, Message(&[(1, Message(NUMBER_POINT)), (2, Varint), (3, Varint)])),
    (9, Message(&[(1, Message(HISTOGRAM_POINT)), (2, Varint)])),
    (10, Message(&[(1, Message(EXPONENTIAL_POINT)), (2, Varint)])),
    (11, Message(&[(1, Message(SUMMARY_POINT))])),
    (12, Attribute),
];

const SCOPE_METRICS: &[Field] = &[(1, Scope), (2, Message(METRIC)), (2, Message(METRIC)), (3, Text)];

const LOG_RECORD: &[Field] = &[
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, Any),
    (6, Attribute),
    (7, Varint),
    (8, Fixed32),
    (9, Bytes),
    (10, Bytes),
    (11, Fixed64),
    (12, Text),
];

const SCOPE_LOGS: &[Field] = &[(1, Scope), (2, Message(LOG_RECORD)), (2, Message(LOG_RECORD)), (3, Text)];

/// An ExportMetricsServiceRequest.
pub(crate) fn metrics(bytes: &[u8]) -> Vec<u8> {
    Generator { choices: Choices::new(bytes) }.request_of(|generator| generator.fields(SCOPE_METRICS))
}

/// An ExportLogsServiceRequest.
pub(crate) fn logs(bytes: &[u8]) -> Vec<u8> {
    Generator { choices: Choices::new(bytes) }.request_of(|generator| generator.fields(SCOPE_LOGS))
}

impl Generator<'_> {
    fn fields(&mut self, known: &[Field]) -> Vec<u8> {
        let mut fields = Vec::new();
        for (number, kind) in known {
            if self.choices.one_in(2) {
                fields.push(self.field(*number, *kind));
            }
        }
        self.message(fields)
    }

    fn field(&mut self, number: u32, kind: Kind) -> Vec<u8> {
        let content = match kind {
            Varint => return self.number_field(number),
            Fixed64 => return self.fixed64(number),
            Fixed32 => return self.fixed32(number),
            Text => return self.text_field(number),
            Fixed64s | Varints => return self.numbers(number, kind),
            Bytes => vec![0xa5; 8],
            Attribute => self.key_value(2),
            Any => self.any_value(2),
            Scope => self.scope(),
            Message(fields) => self.fields(fields),
        };
        self.delimited(number, &content)
    }

    /// Repeated numbers, packed or each in a field of its own, which readers have to take as well.
    fn numbers(&mut self, number: u32, kind: Kind) -> Vec<u8> {
        let wire = if matches!(kind, Varints) { VARINT } else { FIXED64 };
        let each = self.many(4, |generator| {
            let word = generator.choices.word();
            let mut out = Vec::new();
            match wire {
                VARINT => generator.varint(&mut out, word, 10),
                _ => out.extend(word.to_le_bytes()),
            }
            out
        });
        if self.choices.one_in(3) {
            let mut out = Vec::new();
            for content in each {
                self.tag(&mut out, number, wire);
                out.extend(content);
            }
            return out;
        }
        let mut out = Vec::new();
        self.tag(&mut out, number, LENGTH);
        let content = each.concat();
        self.varint(&mut out, content.len() as u64, 10);
        out.extend(content);
        out
    }
}
