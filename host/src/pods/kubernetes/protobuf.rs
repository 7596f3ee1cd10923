//! The events of a watch in protobuf, which costs an API server a third of what JSON costs it.
//!
//! Each event is a frame with its length ahead, four bytes with the highest first. In it a `WatchEvent` holds an object as the API server
//! stores one: four bytes of magic, then a `runtime.Unknown` around the object itself.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

mod messages;

use http::StatusCode;
use prost::Message as _;

use super::events::Event;
use super::failure::{Failure, Reason};
use crate::pods::raw::{Item, Metadata};
use messages::{BarePod, Pod, Status, Unknown, WatchEvent};

/// Bytes ahead of each frame.
pub(super) const LENGTH_BYTES: usize = 4;

/// How long the frame is that begins with these bytes, without its length; `None`: there are too few to tell.
pub(super) fn frame_length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|length: &[u8; LENGTH_BYTES]| u32::from_be_bytes(*length) as usize)
}

/// Reads a frame, without its length.
pub(super) fn parse(frame: &[u8]) -> Result<Event, Failure> {
    let WatchEvent { r#type, object } = WatchEvent::decode(frame).map_err(|error| no_event(&error))?;
    let object = object.map(|object| object.raw).unwrap_or_default();
    let object = object.strip_prefix(MAGIC).ok_or_else(|| no_event(&"an object without its beginning"))?;
    let object = Unknown::decode(object).map_err(|error| no_event(&error))?.raw;
    match r#type.as_str() {
        "ADDED" | "MODIFIED" => read_pod(&object, Event::Applied),
        "DELETED" => read_pod(&object, Event::Deleted),
        "BOOKMARK" => {
            let BarePod { metadata } = BarePod::decode(&*object).map_err(|error| no_event(&error))?;
            let metadata = metadata.unwrap_or_default();
            let is_whole = metadata.annotations.get(INITIAL_EVENTS_END).is_some_and(|value| value == "true");
            Ok(Event::Bookmark { version: metadata.resource_version, is_whole })
        }
        "ERROR" => {
            let status = Status::decode(&*object).map_err(|error| no_event(&error))?;
            let code = u16::try_from(status.code).ok().and_then(|code| StatusCode::from_u16(code).ok());
            Err(Failure::of_status(code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &status.message))
        }
        other => Err(no_event(&format!("an event of type {other:?}"))),
    }
}

fn read_pod(object: &[u8], event: impl FnOnce(Box<Item>) -> Event) -> Result<Event, Failure> {
    match Pod::decode(object) {
        Ok(pod) => Ok(event(Box::new(pod.into()))),
        // A pod that is built unlike any other must not cost those that come after it.
        Err(error) => match BarePod::decode(object) {
            Ok(BarePod { metadata: Some(metadata) }) if !metadata.name.is_empty() => {
                let metadata = Box::new(Metadata::from(metadata));
                Ok(Event::Unreadable { metadata, why: error.to_string() })
            }
            _ => Err(no_event(&error)),
        },
    }
}

fn no_event(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Reason::Invalid, format!("no event of a watch: {why}"))
}

/// What stored objects begin with.
const MAGIC: &[u8] = b"k8s\0";

/// The annotation of the bookmark behind the last pod that there was at the beginning.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

#[cfg(test)]
mod tests;
