//! The types that pass between a host and the filter. `wit/` has the same ones, for hosts that load the component.

mod examined;

use std::borrow::Cow;
use std::net::IpAddr;

pub use examined::{
    AddressSource, CollectorStamp, Examination, Examined, ExaminedAttribute, ExaminedChange, ExaminedLookup,
    ExaminedPod, ExaminedResource, ExaminedSpan, LookupAnswer,
};

pub use crate::edit::{Edit, Edits, Piece};
pub use crate::signal::Signal;

/// An export request as it came in, its content coding already undone.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The signal that the request carries, as its path tells.
    pub signal: Signal,
    /// Path of the URL, without the query.
    pub path: &'a str,
    /// Address of the TCP peer; `None` where the host does not know it.
    pub peer: Option<IpAddr>,
    /// At least the headers that [`Filter::request_headers`](crate::Filter::request_headers) names.
    pub headers: &'a [Header],
    /// The export request, of that signal; for gRPC, the message without its frame.
    pub body: &'a [u8],
    /// Nanoseconds since 1970 by the host's clock; `None` where the host has no clock, which turns rules about time off.
    pub now: Option<u64>,
}

impl<'a> Request<'a> {
    /// Values of a header, in their order. `name` is in lower case.
    pub fn header(&self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |header| header.name == name).map(|header| header.value.as_slice())
    }
}

/// One HTTP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower-case name.
    pub name: String,
    /// Raw value: clients send any byte.
    pub value: Vec<u8>,
}

impl Header {
    /// A header from text.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.as_bytes().to_vec() }
    }
}

/// Encoding of the client's request, and so of the answer that the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
    /// `application/grpc`: a message in protobuf, which the host has taken out of its frame.
    Grpc,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 3] = [Self::Protobuf, Self::Json, Self::Grpc];
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it on.
    Forward(Outbound),
    /// Answer the client without sending anything.
    Answer(Answer),
}

/// The verdict on a request, and what was counted on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// What to do with the request.
    pub verdict: Verdict,
    /// Counts of what the filter met in the request.
    pub report: Report,
    /// What the operator should know of a batch that is sent on nevertheless.
    pub notices: Vec<Notice>,
}

/// Where requests are sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// Absolute URL.
    pub url: String,
    /// Headers besides content-length.
    pub headers: Vec<Header>,
    /// Milliseconds for all attempts together.
    pub timeout: u32,
}

/// A request to send upstream with POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Absolute URL.
    pub url: String,
    /// Headers besides content-length.
    pub headers: Vec<Header>,
    /// Milliseconds for all attempts together.
    pub timeout: u32,
    /// Further upstreams that get the same body. No client waits for them, and what becomes of their copies changes no answer.
    pub copies: Vec<Upstream>,
    /// The body.
    pub content: Content,
    /// The requests that the body is sent as, in order. There is at least one, and each begins where the one before it ends.
    ///
    /// Each part is an export request by itself. The host sends one after the other, and answers the client once. It may
    /// put consecutive parts together, also those of several clients, as long as their sums stay within what the upstream
    /// takes.
    pub parts: Vec<Part>,
    /// Encoding of the client's request, to be handed back to `conclude`.
    pub encoding: Encoding,
}

/// One of the requests that a body is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where the part ends in the body to send. The last part ends where the body does.
    pub end: u32,
    /// Spans in the part.
    pub spans: u32,
    /// Bytes that the part will take in deepflow-agent's memory, estimated; `u32::MAX` also stands for more.
    pub memory: u32,
}

/// The body to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The original body.
    Unchanged,
    /// The original body, edited.
    Edited(Edits),
    /// Another body.
    Replaced(Vec<u8>),
}

impl Content {
    /// Length of the body to send, where the original body has `original` bytes.
    pub fn length(&self, original: usize) -> usize {
        match self {
            Self::Unchanged => original,
            Self::Edited(edits) => {
                let removed: usize = edits.edits.iter().map(|edit| edit.remove as usize).sum();
                (original + edits.inserted.len()).saturating_sub(removed)
            }
            Self::Replaced(body) => body.len(),
        }
    }

    /// The content as a whole body, where it refers to `body`, which the filter made and the host does not have.
    pub(crate) fn in_place_of(self, body: Vec<u8>) -> Self {
        match self {
            Self::Unchanged => Self::Replaced(body),
            Self::Edited(edits) => Self::Replaced(edits.apply(&body).unwrap_or(body)),
            replaced @ Self::Replaced(_) => replaced,
        }
    }

    /// The body to send, made of the `original` body. `None` where the edits do not fit it.
    pub fn into_body(self, original: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Unchanged => Some(original),
            Self::Edited(edits) => edits.apply(&original),
            Self::Replaced(body) => Some(body),
        }
    }
}

/// An HTTP response for the client. To a gRPC client the host sends status 200, the body in a frame where `grpc-status`
/// is 0, and the headers that begin with `grpc-` as trailers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code that OTLP/HTTP has for this outcome, also where the client speaks gRPC.
    pub status: u16,
    /// Headers besides content-length.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
    /// Something that the operator should see.
    pub notice: Option<Notice>,
}

/// Counts of what the filter met in one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// ResourceSpans, ResourceMetrics or ResourceLogs.
    pub resources: u32,
    /// Spans.
    pub spans: u32,
    /// Resources whose `app.host.ip` came with the request and was kept.
    pub address_kept: u32,
    /// Resources whose address the configured pipeline stamped.
    pub address_pipeline: u32,
    /// Resources whose address was repaired from `k8s.pod.ip`.
    pub address_pod_ip: u32,
    /// Resources whose address was repaired from the associated pod.
    pub address_pod: u32,
    /// Resources whose address was repaired from the connection's.
    pub address_connection: u32,
    /// Resources for which no address was found.
    pub address_unknown: u32,
    /// Resources for which only pods were found that the resource itself contradicts.
    pub address_contradicted: u32,
    /// Batches refused because they cannot be decoded: 0 or 1.
    pub refused: u32,
    /// Span kinds outside 0..5 that were cleared.
    pub kinds_cleared: u32,
    /// Resources created where there was none.
    pub resources_created: u32,
    /// Resources whose duplicate or non-canonical `app.host.ip` was made a single canonical one.
    pub addresses_normalised: u32,
    /// Resources whose unusable `app.host.ip` was replaced.
    pub addresses_repaired: u32,
    /// Peer addresses in spans that got another key, since they are of another IP version than the resource's address.
    pub peers_renamed: u32,
    /// Spans that ended ahead of the host's clock and were moved back.
    pub spans_moved: u32,
    /// Spans that ended more than 24 hours ago or over 5 seconds ahead.
    pub spans_far: u32,
    /// Spans that have no end, or begin after their end.
    pub spans_senseless: u32,
    /// Names of spans that were cut.
    pub names_cut: u32,
    /// Texts that were not UTF-8 and were mended.
    pub texts_mended: u32,
    /// Requests that leave as several, since they are too much for the agent at once: 0 or 1.
    pub requests_split: u32,
}

impl Report {
    /// The count of addresses that were found in one way; `None` where there is nothing to count.
    pub(crate) fn address(&mut self, source: AddressSource) -> Option<&mut u32> {
        Some(match source {
            AddressSource::Kept => &mut self.address_kept,
            AddressSource::Pipeline => &mut self.address_pipeline,
            AddressSource::PodIp => &mut self.address_pod_ip,
            AddressSource::Pod => &mut self.address_pod,
            AddressSource::Connection => &mut self.address_connection,
            AddressSource::Unknown => &mut self.address_unknown,
            AddressSource::Contradicted => &mut self.address_contradicted,
            AddressSource::Untouched => return None,
        })
    }
}

/// Where a request stands when an attempt to send it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What the request carries.
    pub signal: Signal,
    /// Which upstream the attempt went to: 0 for the outbound's own, n for the nth of its copies.
    pub upstream: u32,
    /// [`Outbound::encoding`], handed back.
    pub encoding: Encoding,
    /// How many attempts have been made, this one included: 1 and up.
    pub number: u32,
    /// Milliseconds since the first attempt began.
    pub elapsed: u32,
    /// Milliseconds since the first attempt began within which the client has to have its answer; `u32::MAX` for no limit.
    pub patience: u32,
    /// Spans of the request that the upstream has acknowledged already, in parts ahead of this one.
    pub delivered: u32,
    /// A random number, uniformly distributed, for jitter.
    pub random: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome<'a> {
    /// A response came.
    Response {
        /// HTTP status code.
        status: u16,
        /// All headers.
        headers: &'a [Header],
        /// The body.
        body: &'a [u8],
    },
    /// No connection could be made, and nothing was sent. Carries the reason, for people.
    NotConnected(&'a str),
    /// Nothing was tried, since nobody has reached the upstream for a while.
    Away {
        /// Why the upstream cannot be reached, for people.
        reason: &'a str,
        /// Milliseconds until the upstream is tried again.
        after: u32,
    },
    /// The request's turn did not come within the patience for its attempt, and nothing was sent.
    Waited,
    /// The connection ended before a response came. Carries the body as `prepare` got it.
    Closed(&'a [u8]),
    /// No response came within the patience for the attempt. The upstream may take the batch nevertheless.
    TimedOut,
    /// The response's body or headers were over their limits.
    Oversized,
}

/// What to do after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer the client.
    Answer(Answer),
    /// Try once more after so many milliseconds.
    Retry(u32),
    /// Prepare this body in place of the one that [`Outcome::Closed`] carried, and send the result: the upstream closed the
    /// connection because it cannot decode that one. At most once a request, since a mended body needs no further mending.
    Mend(Mended),
}

/// A body whose texts are mended: what was not UTF-8 in them is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The mended body, as long as the one that it was made of.
    pub body: Vec<u8>,
    /// Number of texts in which something was replaced; 0 where all were sound.
    pub texts: u32,
}

/// A message that somebody has to see. Hosts log it and limit its rate by `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How urgent the notice is.
    pub level: Level,
    /// Stable name of the kind of event.
    pub key: Cow<'static, str>,
    /// What is wrong, where, and what to do about it. Never holds a payload.
    pub message: String,
}

/// Urgency of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Requests are handled, though not as the user may think.
    Warning,
    /// Data do not arrive until somebody acts.
    Error,
}
