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

mod buffer;
mod bytes;
mod fields;
mod mend;
mod number;
mod order;
mod place;
mod read;
mod scan;
mod writer;

use crate::bounds::MAX_DEPTH;
use crate::fault::{BodyFault, FaultKind, Problem};
use crate::message::Message;
use crate::signal::Signal;
use place::Place;
use read::{Fault, Reader};

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
    Reader::new(body).read(Message::request(signal)).map_err(|(Fault { offset, problem }, path)| {
        // A text that is not UTF-8 is nothing else, wherever the reading ended.
        match std::str::from_utf8(body) {
            Err(error) => fault(Place::at(body, error.valid_up_to()), String::new(), FaultKind::Utf8),
            Ok(_) => fault(Place::at(body, offset), path, FaultKind::Json(problem)),
        }
    })
}

/// The mark that some editors put ahead of UTF-8. RFC 8259 forbids to send it.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Objects and lists nest 127 deep. A message takes at least one level, and each value within a list or a map
/// takes more levels of JSON than of protobuf, so that the result stays below the bound by itself.
const _: () = assert!(MAX_DEPTH >= 100, "values in JSON nest up to 96 messages");

#[cfg(test)]
mod tests;
