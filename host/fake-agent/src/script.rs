//! Scripts: what a test has the agent do in place of its own behaviour.

use std::collections::VecDeque;
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_hyper::body::Bytes;
use agent_hyper::header::{HeaderName, HeaderValue};
use agent_hyper::{Body, HeaderMap, Response, StatusCode};
use tokio::sync::watch;
use tokio::time;

use crate::error::Error;

/// What the agent does with one request for [`TRACE_PATH`](crate::TRACE_PATH); other paths are not scripted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Script {
    /// Imports and answers as deepflow-agent does.
    #[default]
    Import,
    /// Imports as deepflow-agent does, and gives this answer.
    ImportThen(Answer),
    /// Reads the body without looking at it, and gives this answer, as an overloaded proxy in front does.
    Answer(Answer),
    /// Answers 200 at once and leaves the body unread, as with `trace_integration_disabled` in deepflow-agent's
    /// configuration.
    Disabled,
    /// Reads the body and closes the connection without an answer.
    Close,
    /// Closes the connection without an answer once the first piece of the body is there.
    CloseInBody,
    /// Imports as deepflow-agent does, and closes the connection without an answer: its sender cannot know.
    ImportThenClose,
    /// Plays another script after a delay. The body is read at once (unless that is [`Script::Disabled`]), the rest waits. A
    /// client that hangs up meanwhile leaves no record.
    Delay(Duration, Box<Self>),
    /// Plays another script once the latch is open; like [`Script::Delay`] in all else.
    Hold(Latch, Box<Self>),
}

/// A latch that requests wait at until somebody opens it. Its clones are the same latch.
#[derive(Debug, Clone, Default)]
pub struct Latch(Arc<watch::Sender<bool>>);

/// A response out of a script.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The scripts of the requests to come.
#[derive(Debug, Default)]
pub(crate) struct Playbook(Mutex<Scenes>);

#[derive(Debug, Default)]
struct Scenes {
    queued: VecDeque<Script>,
    afterwards: Script,
}

// === impl Script ===

impl Script {
    /// The script, `delay` later.
    pub fn after(self, delay: Duration) -> Self {
        Self::Delay(delay, Box::new(self))
    }

    /// The script, once `latch` is open.
    pub fn behind(self, latch: &Latch) -> Self {
        Self::Hold(latch.clone(), Box::new(self))
    }

    /// Whether the script, or the one that it delays, leaves the body unread.
    pub(crate) fn leaves_body(&self) -> bool {
        match self {
            Self::Delay(_, then) | Self::Hold(_, then) => then.leaves_body(),
            other => matches!(other, Self::Disabled),
        }
    }

    /// Waits for the delays and latches of the script, and returns the one behind them.
    pub(crate) async fn in_time(mut self) -> Self {
        loop {
            self = match self {
                Self::Delay(delay, then) => {
                    time::sleep(delay).await;
                    *then
                }
                Self::Hold(latch, then) => {
                    latch.opened().await;
                    *then
                }
                other => return other,
            }
        }
    }
}

// === impl Latch ===

impl Latch {
    /// Lets the requests that wait pass, and all later ones.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// How many requests wait at the latch.
    pub fn waiting(&self) -> usize {
        self.0.receiver_count()
    }

    /// Waits until it is open.
    pub async fn opened(&self) {
        // The channel cannot be closed: this is one of its senders.
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }
}

// === impl Answer ===

impl Answer {
    /// A response without body, with those headers alone that every response has.
    pub fn new(status: u16) -> Result<Self, Error> {
        let status = StatusCode::from_u16(status).map_err(|_| Error::Status(status))?;
        Ok(Self { status, headers: HeaderMap::new(), body: Bytes::new() })
    }

    /// Adds a header; the same name twice gives two headers.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
                Ok(self)
            }
            _ => Err(Error::Header { name: name.to_owned(), value: value.to_owned() }),
        }
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Bytes::from(body.into());
        self
    }
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        let mut response = Self::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }
}

// === impl Playbook ===

impl Playbook {
    pub(crate) fn new(queued: VecDeque<Script>, afterwards: Script) -> Self {
        Self(Mutex::new(Scenes { queued, afterwards }))
    }

    pub(crate) fn queue(&self, times: usize, script: Script) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).queued.extend(iter::repeat_n(script, times));
    }

    pub(crate) fn afterwards(&self, script: Script) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).afterwards = script;
    }

    pub(crate) fn next(&self) -> Script {
        let mut scenes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scenes.queued.pop_front().unwrap_or_else(|| scenes.afterwards.clone())
    }
}
