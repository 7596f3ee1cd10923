//! Turns OTLP/JSON into protobuf.
//!
//! [`transcode`] turns the JSON text of an export request into its protobuf bytes, which then go the way of all requests. It
//! reads the text once, field by field along a table of the messages, and builds no tree: beside the text it needs memory only
//! for the result, which is about half as long as the text and never much longer than it.
//!
//! The rules are the OTLP specification's ("JSON Protobuf Encoding"): protobuf's JSON mapping, where
//!
//! - ids are hexadecimal, in upper or lower case; other bytes are base64;
//! - enums are integers;
//! - names are in lowerCamelCase; unknown ones are ignored;
//! - 64-bit integers are decimal strings or numbers.
//!
//! Forms that the Collector reads besides are read as well: names as the messages spell them (`resource_spans`) and enums by name
//! (`SPAN_KIND_SERVER`). Half a surrogate pair becomes U+FFFD as there, and so do bytes that are not UTF-8.
//!
//! By the mapping, `null` stands for a field that is not set, and must not stand in a list. A field that comes twice means the
//! same as in protobuf, under whichever names: the last scalar counts, messages are merged, lists are joined. Anything else is an
//! error with its place, so that a client never loses a part of a batch unawares.

mod bytes;
mod fields;
mod mend;
mod number;
mod place;
mod read;
mod writer;

use serde_core::de::DeserializeSeed;
use serde_json::{Deserializer, Error};

use crate::bounds::MAX_DEPTH;
use crate::fault::{BodyFault, FaultKind, Problem};
use crate::message::Message;
use crate::signal::Signal;
use fields::Kind;
use place::Place;
use read::{Presence, Value};
use writer::Writer;

/// Turns an ExportTraceServiceRequest in JSON into one in protobuf.
///
/// # Errors
/// See [`transcode_as`].
pub fn transcode(body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    transcode_as(Signal::Traces, body)
}

/// Turns an export request of a signal in JSON into one in protobuf.
///
/// The result has lengths and varints in their shortest form, and is sound: [`diagnose_as`](crate::diagnose_as) finds no fault in
/// it. Fields keep the order of the text.
///
/// # Errors
/// The first fault of the text, with its line and column.
pub fn transcode_as(signal: Signal, body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let fault = match read_request(signal, body) {
        Err(fault) if is_mendable(fault.kind) => fault,
        outcome => return outcome,
    };
    let Some(mended) = mend::mend(body) else { return Err(fault) };
    read_request(signal, &mended).map_err(|other| {
        let Place { offset, position } = Place::at(body, mend::origin(body, other.offset));
        // A text that stops being JSON where it stops being UTF-8 has another encoding: the first fault says so.
        if offset <= fault.offset { fault } else { BodyFault { offset, position: Some(position), ..other } }
    })
}

fn is_mendable(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Utf8 | FaultKind::Json(Problem::Escape))
}

fn read_request(signal: Signal, body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let fault = |place: Place, path, problem| {
        let Place { offset, position } = place;
        BodyFault { offset, position: Some(position), path, kind: problem }
    };
    if body.starts_with(BOM) {
        return Err(fault(Place::at(body, 0), String::new(), FaultKind::Json(Problem::Bom)));
    }
    // The whole text is checked in one go, which is faster than string by string and covers ignored fields too.
    let text = std::str::from_utf8(body)
        .map_err(|error| fault(Place::at(body, error.valid_up_to()), String::new(), FaultKind::Utf8))?;
    let mut writer = Writer::for_text(text);
    let mut deserializer = Deserializer::from_str(text);
    let request = Value {
        kind: Kind::One(Message::request(signal)),
        tag: writer::NO_TAG,
        presence: Presence::Element,
        to: &mut writer,
    };
    match request.deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
        Ok(()) => {
            // The deserializer's memory goes first, so that the writer can give back the spare part of its own.
            drop(deserializer);
            Ok(writer.finish())
        }
        Err(error) => {
            let (met, path) = writer.into_fault();
            Err(match met {
                Some(met) => fault(Place::of_value(body, &met, &error), path, FaultKind::Json(met.problem)),
                None => fault(Place::of_syntax(body, &error), path, FaultKind::Json(problem(&error))),
            })
        }
    }
}

/// The problem that serde_json found, told by the text of its error, which says nothing else.
#[cold]
fn problem(error: &Error) -> Problem {
    if error.is_eof() {
        return Problem::End;
    }
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

/// The mark that some editors put ahead of UTF-8. RFC 8259 forbids to send it.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// serde_json lets objects and lists nest 127 deep. A message takes at least one level, and each value within a list or a map
/// takes more levels of JSON than of protobuf, so that the result stays below the bound by itself.
const _: () = assert!(MAX_DEPTH >= 100, "values in JSON nest up to 96 messages");

#[cfg(test)]
mod tests;
