//! What passes between a host and the filter. The same shapes stand in `wit/`, for hosts that load the component.

use std::borrow::Cow;
use std::net::IpAddr;

pub use crate::edit::{Edit, Edits, Piece};
pub use crate::signal::Signal;

/// An export request as it came in, its content coding already undone.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it carries, as its path tells.
    pub signal: Signal,
    /// Path of the URL, without the query.
    pub path: &'a str,
    /// Address of the TCP peer; none where the host does not know it.
    pub peer: Option<IpAddr>,
    /// At least the headers that [`Filter::request_headers`](crate::Filter::request_headers) names.
    pub headers: &'a [Header],
    /// An export request of that signal; of gRPC, the message without its frame.
    pub body: &'a [u8],
    /// Nanoseconds since 1970 by the host's clock; none where it has none, and rules about time are then off.
    pub now: Option<u64>,
}

impl<'a> Request<'a> {
    /// Values of a header, in their order. `name` in lower case.
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

/// Encoding of the client's request, and so of the answer that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
    /// `application/grpc`: a message in protobuf, which the host has taken out of its frame.
    Grpc,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it on.
    Forward(Outbound),
    /// Answer the client without sending anything.
    Answer(Answer),
}

/// Verdict and what was counted on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// What to do.
    pub verdict: Verdict,
    /// What was met.
    pub report: Report,
    /// What the operator should see of a batch that goes on all the same.
    pub notices: Vec<Notice>,
}

/// Somewhere to send to.
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
    /// Who gets the same body as well. Nobody waits for them, and what becomes of it changes no answer.
    pub copies: Vec<Upstream>,
    /// The body.
    pub content: Content,
    /// The requests that the body leaves as, in order and never empty: each begins where the one before it ends.
    ///
    /// Each is an export request by itself. One after the other of them is sent, and the client is answered once.
    /// Consecutive ones, also of several clients, may be put together, as long as the sums stay within what the upstream
    /// takes.
    pub parts: Vec<Part>,
    /// To be handed back to `conclude`.
    pub encoding: Encoding,
}

/// One of the requests that a body leaves as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it ends in the body to send. The last one ends where the body does.
    pub end: u32,
    /// Its spans.
    pub spans: u32,
    /// Bytes that it will take in deepflow-agent's memory, estimated; `u32::MAX` also for more than that.
    pub memory: u32,
}

/// The body to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The original one.
    Unchanged,
    /// The original one, edited.
    Edited(Edits),
    /// Another one.
    Replaced(Vec<u8>),
}

impl Content {
    /// How long the body to send is, where one of `original` bytes came.
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

    /// The same as a whole body, where it was made of `body` and not of what came.
    pub(crate) fn in_place_of(self, body: Vec<u8>) -> Self {
        match self {
            Self::Unchanged => Self::Replaced(body),
            Self::Edited(edits) => Self::Replaced(edits.apply(&body).unwrap_or(body)),
            replaced @ Self::Replaced(_) => replaced,
        }
    }

    /// The body to send, where `original` came. None where edits do not fit it.
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
    /// HTTP status code, also where the client speaks gRPC: what OTLP/HTTP has for this outcome.
    pub status: u16,
    /// Headers besides content-length.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
    /// Something that the operator should see.
    pub notice: Option<Notice>,
}

/// How many of what the filter met in one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// ResourceSpans, ResourceMetrics or ResourceLogs.
    pub resources: u32,
    /// Spans.
    pub spans: u32,
    /// Resources whose `app.host.ip` came with the request and was kept.
    pub address_kept: u32,
    /// ... that were stamped by the configured pipeline.
    pub address_pipeline: u32,
    /// ... repaired from `k8s.pod.ip`.
    pub address_pod_ip: u32,
    /// ... repaired from the associated pod.
    pub address_pod: u32,
    /// ... repaired from the connection's address.
    pub address_connection: u32,
    /// ... for which nothing was found.
    pub address_unknown: u32,
    /// ... for which only pods were found that the resource itself contradicts.
    pub address_contradicted: u32,
    /// Batches refused because they cannot be decoded: 0 or 1.
    pub refused: u32,
    /// Span kinds outside 0..5 that were cleared.
    pub kinds_cleared: u32,
    /// Resources created where there was none.
    pub resources_created: u32,
    /// Duplicate or non-canonical `app.host.ip` made one and canonical.
    pub addresses_normalised: u32,
    /// Unusable `app.host.ip` replaced.
    pub addresses_repaired: u32,
    /// Peer addresses in spans, of another family than the resource's, that got another key.
    pub peers_renamed: u32,
    /// Spans that ended ahead of the host's clock and were moved back.
    pub spans_moved: u32,
    /// Spans that ended more than 24 hours ago or over 5 seconds ahead.
    pub spans_far: u32,
    /// Spans without an end, or that begin after it.
    pub spans_senseless: u32,
    /// Names of spans that were cut.
    pub names_cut: u32,
    /// Texts that were not UTF-8 and were mended.
    pub texts_mended: u32,
}

/// Where a request stands when an attempt to send it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What the request carries.
    pub signal: Signal,
    /// Where it was sent: 0 for the outbound itself, n for the nth of its copies.
    pub upstream: u32,
    /// From [`Outbound`].
    pub encoding: Encoding,
    /// How many attempts have been made, this one included: 1 and up.
    pub number: u32,
    /// Milliseconds since the first attempt began.
    pub elapsed: u32,
    /// Milliseconds from then on in which the client has to have its answer; `u32::MAX`: any.
    pub patience: u32,
    /// Spans of the request that the upstream has acknowledged already, in parts ahead of this one.
    pub delivered: u32,
    /// An even random number, for jitter.
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
    /// No connection could be made; the reason, for people. Nothing was sent.
    NotConnected(&'a str),
    /// Nothing was tried, since nobody has reached the upstream for a while.
    Away {
        /// Why, for people.
        reason: &'a str,
        /// Milliseconds until it is tried again.
        after: u32,
    },
    /// It was not this request's turn within the patience for its attempt. Nothing was sent.
    Waited,
    /// The connection ended before a response came. Carries the body as `prepare` got it.
    Closed(&'a [u8]),
    /// No response within the patience for its attempt. The upstream may take the batch all the same.
    TimedOut,
    /// The response was over the limit, or its headers over theirs.
    Oversized,
}

/// What to do after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer the client.
    Answer(Answer),
    /// Try once more after so many milliseconds.
    Retry(u32),
    /// Prepare this body in place of the one that [`Outcome::Closed`] carried, and send what comes of it. The upstream closed the
    /// connection since it cannot decode that one. At most once a request: what is mended needs no mending.
    Mend(Mended),
}

/// A body whose texts are mended, and how many those were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// As long as the body that it was made of.
    pub body: Vec<u8>,
    /// Texts in which something was replaced; 0: all of them were sound.
    pub texts: u32,
}

/// A message that somebody has to see. Hosts log it and limit its rate by `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How urgent it is.
    pub level: Level,
    /// Stable name of the kind of event.
    pub key: Cow<'static, str>,
    /// What is wrong, where, what to do. Never holds a payload.
    pub message: String,
}

/// Urgency of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Works, though not as the user may think.
    Warning,
    /// Data do not arrive until somebody acts.
    Error,
}
