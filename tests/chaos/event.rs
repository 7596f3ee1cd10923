//! The faults that were made, and when.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
pub(crate) type Time = u64;

/// A fault as it came about.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) from: Time,
    /// When it was undone.
    pub(crate) to: Time,
    pub(crate) kind: &'static str,
    /// The agent that it was made at; `None`: podstamp, or what both stand on.
    pub(crate) agent: Option<usize>,
}

/// The life of a process.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) from: Time,
    /// When it was told to end.
    pub(crate) told: Time,
    pub(crate) end: End,
    /// Spans that podstamp's log says are lost with this process.
    pub(crate) given_up: u64,
    /// How often podstamp's log says that the queue on disk is damaged.
    pub(crate) damaged: usize,
}

impl Life {
    pub(crate) fn begin() -> Self {
        Self { from: now(), told: 0, end: End::Lives, given_up: 0, damaged: 0 }
    }
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Lives,
    Killed,
    Terminated,
}

pub(crate) fn now() -> Time {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as Time
}
