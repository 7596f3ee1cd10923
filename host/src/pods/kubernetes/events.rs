//! The events of a watch: in protobuf, each in a frame, or JSON, one a line.

use std::time::Duration;

use http::StatusCode;
use kube::client::Body;
use serde::Deserialize;

use super::api::{self, Opened, Status};
use super::failure::{Failure, Reason, shortened};
use super::protobuf;
use crate::pods::raw::{Item, Metadata};

/// What a watch tells.
#[derive(Debug)]
pub(super) enum Event {
    /// A pod was made or has changed.
    Applied(Box<Item>),
    /// A pod was deleted, or does not meet the selector any more. The pod is as it was.
    Deleted(Box<Item>),
    /// All is known up to a version. `is_whole`: the pods that there were at the beginning have all been told.
    Bookmark { version: String, is_whole: bool },
    /// A pod that cannot be read; what can be, and why.
    Unreadable { metadata: Box<Metadata>, why: String },
}

/// The events of an open watch.
#[derive(Debug)]
pub(super) struct Events {
    body: Body,
    form: Form,
    buffer: Vec<u8>,
    /// Where the next event begins in it.
    start: usize,
    /// Up to where it holds no line's end.
    scanned: usize,
}

/// How events follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Frames,
}

impl Events {
    pub(super) fn new(Opened { body, content_type }: Opened) -> Self {
        // Without a word of protobuf it is JSON, or nothing that can be read.
        let is_protobuf = content_type.starts_with("application/vnd.kubernetes.protobuf");
        let form = if is_protobuf { Form::Frames } else { Form::Lines };
        Self { body, form, buffer: Vec::new(), start: 0, scanned: 0 }
    }

    /// Whether the next event has come already, so that waiting for it takes no time.
    pub(super) fn has_next(&mut self) -> bool {
        self.next_bytes().is_some()
    }

    /// The next event. `None`: the server has ended the watch, as it does after a while. An error where nothing comes for
    /// longer than `patience`, or what comes is no event.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<Event>, Failure> {
        loop {
            if let Some((begin, end)) = self.next_bytes() {
                let bytes = self.buffer.get(begin..end).unwrap_or_default();
                let event = match self.form {
                    Form::Frames => Some(protobuf::parse(bytes)),
                    Form::Lines if bytes.trim_ascii().is_empty() => None,
                    Form::Lines => Some(parse(bytes)),
                };
                self.start = if self.form == Form::Lines { end + 1 } else { end };
                self.scanned = self.start;
                match event {
                    Some(event) => return event.map(Some),
                    None => continue,
                }
            }
            self.make_room();
            let Some(data) = api::data(&mut self.body, patience).await? else {
                // An event without an end was cut off, and comes again after the version before it.
                return Ok(None);
            };
            self.buffer.extend_from_slice(&data);
            let announced = match self.form {
                Form::Frames => protobuf::frame_length(&self.buffer).unwrap_or_default(),
                Form::Lines => self.buffer.len(),
            };
            if announced > MAX_EVENT_BYTES {
                return Err(Failure::new(
                    Reason::Invalid,
                    format!("an event of more than {MAX_EVENT_BYTES} bytes"),
                ));
            }
        }
    }

    /// From where to where the next event is in the buffer, once all of it has come.
    fn next_bytes(&mut self) -> Option<(usize, usize)> {
        match self.form {
            Form::Lines => {
                let rest = self.buffer.get(self.scanned..)?;
                match rest.iter().position(|byte| *byte == b'\n') {
                    Some(position) => Some((self.start, self.scanned + position)),
                    None => {
                        self.scanned = self.buffer.len();
                        None
                    }
                }
            }
            Form::Frames => {
                let begin = self.start + protobuf::LENGTH_BYTES;
                let end = begin + protobuf::frame_length(self.buffer.get(self.start..)?)?;
                (end <= self.buffer.len()).then_some((begin, end))
            }
        }
    }

    /// Drops the events that were read, and the room that one large event took.
    fn make_room(&mut self) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.buffer.capacity() > LARGE_BYTES && self.buffer.len() < LARGE_BYTES / 4 {
            self.buffer.shrink_to(LARGE_BYTES / 4);
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
enum Line {
    Added(Box<Item>),
    Modified(Box<Item>),
    Deleted(Box<Item>),
    Bookmark(Marked),
    Error(Status),
}

#[derive(Deserialize)]
struct Marked {
    metadata: MarkedMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MarkedMetadata {
    resource_version: String,
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: Option<String>,
}

/// A pod of which only the identity is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Bare {
    object: BareObject,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BareObject {
    metadata: Identity,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Identity {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

fn parse(line: &[u8]) -> Result<Event, Failure> {
    match serde_json::from_slice(line) {
        Ok(Line::Added(item) | Line::Modified(item)) => Ok(Event::Applied(item)),
        Ok(Line::Deleted(item)) => Ok(Event::Deleted(item)),
        Ok(Line::Bookmark(Marked { metadata })) => {
            let is_whole = metadata
                .annotations
                .is_some_and(|annotations| annotations.initial_events_end.as_deref() == Some("true"));
            Ok(Event::Bookmark { version: metadata.resource_version, is_whole })
        }
        Ok(Line::Error(Status { code, message })) => {
            let code = code.and_then(|code| StatusCode::from_u16(code).ok());
            let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(Failure::of_status(code, message.as_deref().unwrap_or_default()))
        }
        // A pod that is built unlike any other must not cost those that come after it.
        Err(error) if error.is_data() => match serde_json::from_slice(line) {
            Ok(Bare { object: BareObject { metadata } }) if metadata.name.is_some() => {
                let Identity { name, namespace, uid, resource_version } = metadata;
                let metadata = Metadata { name, namespace, uid, resource_version, ..Metadata::default() };
                Ok(Event::Unreadable { metadata: Box::new(metadata), why: error.to_string() })
            }
            _ => Err(no_event(line, &error)),
        },
        Err(error) => Err(no_event(line, &error)),
    }
}

fn no_event(line: &[u8], error: &serde_json::Error) -> Failure {
    let begin = line.get(..line.len().min(80)).unwrap_or_default();
    let begin = shortened(&String::from_utf8_lossy(begin));
    Failure::new(Reason::Invalid, format!("no event of a watch: {error}, at {begin:?}"))
}

/// Several times what etcd takes of an object.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// A buffer that is larger is given back.
const LARGE_BYTES: usize = 256 * 1024;
