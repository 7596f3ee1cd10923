//! What clients know of what they sent.

use std::sync::{Mutex, PoisonError};

use crate::event::{Time, now};
use crate::identity::AttemptId;

/// All attempts of all clients.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Attempt>>);

/// An attempt to send a batch.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    /// The number of the batch's first span; the others follow.
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) began: Time,
    pub(crate) ended: Time,
    pub(crate) outcome: Outcome,
}

/// What a client can say of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody listened, or the connection was gone before anything was sent.
    Unsent,
    /// The connection broke, or no answer came in time.
    Unanswered,
    /// To be tried again, maybe not before so many milliseconds.
    Refused {
        status: u16,
        wait: Option<u64>,
    },
    /// Not to be tried again.
    Rejected {
        status: u16,
        message: String,
    },
    Acknowledged,
}

impl Ledger {
    /// Notes an attempt that is about to be made.
    pub(crate) fn begin(&self, id: AttemptId, first: u32, count: u32) -> usize {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = now();
        attempts.push(Attempt { id, first, count, began, ended: 0, outcome: Outcome::Unanswered });
        attempts.len() - 1
    }

    pub(crate) fn end(&self, index: usize, outcome: Outcome) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts[index].ended = now();
        attempts[index].outcome = outcome;
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
