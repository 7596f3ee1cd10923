//! The part of the world that a host has.

use podstamp_core::interface::{Header, Notice, Outcome};

/// What a host does for a server.
pub trait World {
    /// Milliseconds by a clock that does not go back.
    fn now(&self) -> u64;

    /// A random number, uniformly distributed.
    fn random(&self) -> u32;

    /// Returns after so many milliseconds.
    fn wait(&self, milliseconds: u32);

    /// Sends a request and reads its response.
    fn send(&self, outgoing: &Outgoing<'_>) -> Sent;

    /// Shows a notice to the operator, if there is a place for it.
    fn tell(&self, notice: &Notice);
}

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Absolute URL.
    pub url: &'a str,
    /// Headers besides content-length.
    pub headers: &'a [Header],
    /// The body of a POST; `None` for a GET.
    pub body: Option<&'a [u8]>,
    /// Milliseconds until the response has to be whole.
    pub time: u32,
    /// Bytes that are read of the response.
    pub limit: usize,
}

/// How sending ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A response came.
    Response {
        /// HTTP status code.
        status: u16,
        /// All headers, their names in lower case.
        headers: Vec<Header>,
        /// The body.
        body: Vec<u8>,
    },
    /// No connection could be made, and nothing was sent. Carries the reason, for people.
    NotConnected(String),
    /// The connection ended before a response came.
    Closed,
    /// No response came in time.
    TimedOut,
    /// The response is over the limit.
    Oversized,
}

impl Sent {
    /// The outcome of an attempt to send `body`, as the client sent it.
    pub(super) fn outcome<'a>(&'a self, body: &'a [u8]) -> Outcome<'a> {
        match self {
            Self::Response { status, headers, body } => Outcome::Response { status: *status, headers, body },
            Self::NotConnected(reason) => Outcome::NotConnected(reason),
            Self::Closed => Outcome::Closed(body),
            Self::TimedOut => Outcome::TimedOut,
            Self::Oversized => Outcome::Oversized,
        }
    }
}
