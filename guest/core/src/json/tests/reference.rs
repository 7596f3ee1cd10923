//! A reader of OTLP/JSON that is built on serde_json, to hold the real one to: it goes by the same tables of fields, and takes
//! from serde_json what is JSON, what a string, a number and a name is, and where a fault is. It is slow and simple.

use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::buffer::Buffer;
use super::super::bytes::put_base64;
use super::super::fields::{Field, Kind, Scalar};
use super::super::mend;
use super::super::number::{Number, double};
use super::super::place::Place;
use crate::fault::{BodyFault, FaultKind, Problem};
use crate::message::Message;
use crate::signal::Signal;
use crate::wire::put_varint;

/// What [`transcode_as`](super::super::transcode_as) has to give.
pub(super) fn transcode_as(signal: Signal, body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let fault = match read_request(signal, body) {
        Err(fault) if matches!(fault.kind, FaultKind::Utf8 | FaultKind::Json(Problem::Escape)) => fault,
        outcome => return outcome,
    };
    let Some(mended) = mend::mend(body) else { return Err(fault) };
    read_request(signal, &mended).map_err(|other| {
        let Place { offset, position } = Place::at(body, mend::origin(body, other.offset));
        if offset <= fault.offset { fault } else { BodyFault { offset, position: Some(position), ..other } }
    })
}

fn read_request(signal: Signal, body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let fault = |offset, path, kind| {
        let Place { offset, position } = Place::at(body, offset);
        BodyFault { offset, position: Some(position), path, kind }
    };
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(fault(0, String::new(), FaultKind::Json(Problem::Bom)));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| fault(error.valid_up_to(), String::new(), FaultKind::Utf8))?;
    let mut state = State { body, met: None, trail: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let request = Value {
        kind: Kind::One(Message::request(signal)),
        tag: 0,
        is_left_out: false,
        is_element: true,
        to: &mut Vec::new(),
        state: &mut state,
    };
    let mut out = Vec::new();
    let request = Value { to: &mut out, ..request };
    match request.deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
        Ok(()) => Ok(out),
        Err(error) => {
            state.trail.reverse();
            let path = state.trail.concat();
            let path = path.strip_prefix('.').unwrap_or(&path).to_owned();
            Err(match state.met {
                Some((offset, problem)) => {
                    let offset = offset.unwrap_or_else(|| begin(body, bytes_read(body, &error)));
                    fault(offset, path, FaultKind::Json(problem))
                }
                None if error.is_eof() => fault(body.len(), path, FaultKind::Json(Problem::End)),
                None => {
                    let offset = bytes_read(body, &error).saturating_sub(1);
                    fault(offset, path, FaultKind::Json(problem(&error)))
                }
            })
        }
    }
}

/// What reading leaves behind besides what it writes.
struct State<'b> {
    body: &'b [u8],
    /// The value that its field cannot have: its offset, where that is known, and the problem.
    met: Option<(Option<usize>, Problem)>,
    /// The path of the fault, from the inside outwards.
    trail: Vec<String>,
}

struct Value<'w, 'b> {
    kind: Kind,
    tag: u32,
    /// Whether the default value is left out.
    is_left_out: bool,
    is_element: bool,
    to: &'w mut Vec<u8>,
    state: &'w mut State<'b>,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        let offset = text.as_ptr().addr() - self.state.body.as_ptr().addr() - 1;
        self.text(text, Some(offset))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text, None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.number(Number::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.number(Number::Signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.number(Number::Float(number))
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<(), E> {
        match self.kind {
            Kind::Scalar(Scalar::Bool) => self.varint(bool.into()),
            _ => self.fail(None),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.is_element { self.fail(None) } else { Ok(()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::One(message) = self.kind else { return self.fail(None) };
        let mut content = Vec::new();
        fields(message, map, &mut content, self.state)?;
        match self.tag {
            0 => self.to.extend(content),
            _ => self.delimited(&content),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut content = Vec::new();
        let (kind, tag) = match self.kind {
            Kind::Many(message) => (Kind::One(message), self.tag),
            Kind::Texts => (Kind::Scalar(Scalar::Text), self.tag),
            Kind::Numbers(scalar) => (Kind::Scalar(scalar), 0),
            Kind::One(_) | Kind::Scalar(_) => return self.fail(None),
        };
        for index in 0.. {
            let element = Value {
                kind,
                tag,
                is_left_out: false,
                is_element: true,
                to: &mut content,
                state: &mut *self.state,
            };
            match list.next_element_seed(element) {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => {
                    self.state.trail.push(format!("[{index}]"));
                    return Err(error);
                }
            }
        }
        match self.kind {
            Kind::Numbers(_) => self.delimited(&content),
            _ => self.to.extend(content),
        }
        Ok(())
    }
}

fn fields<'de, A: MapAccess<'de>>(
    message: Message,
    mut map: A,
    to: &mut Vec<u8>,
    state: &mut State<'_>,
) -> Result<(), A::Error> {
    let mut seen = Vec::new();
    while let Some(name) = map.next_key::<String>()? {
        let known = message.json_fields();
        let found = known.iter().find(|field| field.name() == name || spelled(field.name()) == name);
        let Some(Field { tag, kind, is_optional, quoted }) = found else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let is_left_out = !is_optional && !seen.contains(&tag);
        seen.push(tag);
        let value = Value {
            kind: *kind,
            tag: *tag,
            is_left_out,
            is_element: false,
            to: &mut *to,
            state: &mut *state,
        };
        if let Err(error) = map.next_value_seed(value) {
            state.trail.push(format!(".{}", String::from_utf8_lossy(quoted.name())));
            return Err(error);
        }
    }
    Ok(())
}

/// The name as the message itself has it.
fn spelled(name: &str) -> String {
    name.chars()
        .flat_map(|letter| {
            let upper = letter.is_ascii_uppercase();
            upper.then_some('_').into_iter().chain([letter.to_ascii_lowercase()])
        })
        .collect()
}

impl Value<'_, '_> {
    fn text<E: Error>(self, text: &str, offset: Option<usize>) -> Result<(), E> {
        let Kind::Scalar(scalar) = self.kind else { return self.fail(offset) };
        let mut bytes = Buffer::default();
        match scalar {
            Scalar::Text => self.bytes(text.as_bytes()),
            Scalar::Id(length) => {
                let digits: Option<Vec<u8>> =
                    text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
                match digits {
                    Some(digits) if [0, 2 * usize::from(length)].contains(&digits.len()) => {
                        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
                        self.bytes(&bytes)
                    }
                    _ => self.fail(offset),
                }
            }
            Scalar::Bytes if put_base64(&mut bytes, text.as_bytes()) => self.bytes(&bytes.into_bytes()),
            Scalar::Double => match double(text.as_bytes()) {
                Some(number) => self.fixed(number.to_bits() == 0, &number.to_le_bytes()),
                None => self.fail(offset),
            },
            Scalar::Enum(of) => match of.number(text.as_bytes()) {
                Some(number) => self.varint(number),
                None => self.fail(offset),
            },
            Scalar::Bytes | Scalar::Bool => self.fail(offset),
            _ => match Number::parse(text.as_bytes()) {
                Some(number) => self.integer(number, offset),
                None => self.fail(offset),
            },
        }
    }

    fn number<E: Error>(self, number: Number) -> Result<(), E> {
        match self.kind {
            Kind::Scalar(Scalar::Double) => {
                let number = number.double();
                self.fixed(number.to_bits() == 0, &number.to_le_bytes())
            }
            _ => self.integer(number, None),
        }
    }

    fn integer<E: Error>(self, number: Number, offset: Option<usize>) -> Result<(), E> {
        let (signed, unsigned) = (number.signed(), number.unsigned());
        let int32 = signed.and_then(|number| i32::try_from(number).ok());
        let uint32 = unsigned.and_then(|number| u32::try_from(number).ok());
        let Kind::Scalar(scalar) = self.kind else { return self.fail(offset) };
        match (scalar, signed, unsigned, int32, uint32) {
            (Scalar::Enum(_), Some(number), _, Some(_), _) | (Scalar::Int64, Some(number), ..) => {
                self.varint(number.cast_unsigned())
            }
            (Scalar::Uint64, _, Some(number), ..) => self.varint(number),
            (Scalar::Sint32, _, _, Some(number), _) => {
                let number = i64::from(number);
                self.varint((if number < 0 { -2 * number - 1 } else { 2 * number }).cast_unsigned())
            }
            (Scalar::Uint32, _, _, _, Some(number)) => self.varint(number.into()),
            (Scalar::Fixed32, _, _, _, Some(number)) => self.fixed(number == 0, &number.to_le_bytes()),
            (Scalar::Fixed64, _, Some(number), ..) => self.fixed(number == 0, &number.to_le_bytes()),
            (Scalar::Sfixed64, Some(number), ..) => self.fixed(number == 0, &number.to_le_bytes()),
            _ => self.fail(offset),
        }
    }

    fn varint<E>(self, number: u64) -> Result<(), E> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, number);
        self.fixed(number == 0, &bytes)
    }

    fn fixed<E>(self, is_default: bool, bytes: &[u8]) -> Result<(), E> {
        if !(is_default && self.is_left_out) {
            if self.tag != 0 {
                put_varint(self.to, self.tag.into());
            }
            self.to.extend(bytes);
        }
        Ok(())
    }

    fn bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        if !(bytes.is_empty() && self.is_left_out) {
            self.delimited(bytes);
        }
        Ok(())
    }

    fn delimited(self, content: &[u8]) {
        put_varint(self.to, self.tag.into());
        put_varint(self.to, content.len() as u64);
        self.to.extend(content);
    }

    fn fail<E: Error>(self, offset: Option<usize>) -> Result<(), E> {
        self.state.met = Some((offset, Problem::Expected(self.kind.expected())));
        Err(E::custom(""))
    }
}

/// The problem that serde_json found, told by the text of its error, which says nothing else.
fn problem(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let known = [
        ("recursion limit", Problem::TooDeep),
        ("trailing comma", Problem::TrailingComma),
        ("trailing characters", Problem::Trailing),
        ("control character", Problem::ControlCharacter),
        ("invalid escape", Problem::Escape),
        ("invalid unicode", Problem::Escape),
        ("lone leading surrogate", Problem::Escape),
        ("unexpected end of hex", Problem::Escape),
        ("number out of range", Problem::NumberRange),
    ];
    known.iter().find(|(begin, _)| text.starts_with(begin)).map_or(Problem::Syntax, |(_, problem)| *problem)
}

/// How many bytes were read up to the error, from the line and column (in bytes) that serde_json gives.
fn bytes_read(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = error.line().saturating_sub(1);
    let before: usize = body.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
    (before + error.column()).min(body.len())
}

/// Where the value begins that was read just before `end`: serde_json reports a fault after it has read the value or, in case of
/// an object or a list, its first bracket and the blanks behind that.
fn begin(body: &[u8], end: usize) -> usize {
    let read = &body[..end];
    let of_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    match read.last() {
        Some(b'"') => {
            // A string with escapes: go back over quotes that are escaped.
            let backslashes = |at: usize| read[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            let mut quotes = (0..read.len() - 1).rev().filter(|at| read[*at] == b'"');
            quotes.find(|at| backslashes(*at).is_multiple_of(2)).unwrap()
        }
        Some(byte) if of_scalar(byte) => {
            read.len() - read.iter().rev().take_while(|byte| of_scalar(byte)).count()
        }
        _ => read.iter().rposition(|byte| b"[{".contains(byte)).unwrap(),
    }
}
