//! Why the filter gave no answer, and what follows from that.

use crate::observe::GuestFailure;

/// Why the filter gave no answer. Each is counted on its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The guest trapped. The same request would trap again.
    #[error("the filter trapped: {0}")]
    Trap(String),
    /// The guest used up its time.
    #[error("the filter did not finish within {0} ms of the processor's time")]
    Timeout(u64),
    /// The guest asked for more memory than it may have.
    #[error("the filter needed more than its {0} bytes of memory")]
    MemoryLimit(u64),
    /// The guest's answer makes no sense, for example edits that overlap.
    #[error("the filter gave an unusable answer: {0}")]
    InvalidAnswer(String),
    /// No instance came free in time.
    #[error("all filter instances are busy")]
    Busy,
}

/// How a failure is counted, logged and answered.
pub(crate) struct Consequences {
    /// The label in metrics.
    pub(crate) label: GuestFailure,
    /// The key in the log.
    pub(crate) key: &'static str,
    /// What a client is told. The log has the rest.
    pub(crate) public: &'static str,
    /// Whether the same request may succeed a moment later.
    pub(crate) passes: bool,
}

impl Failure {
    /// The one place that tells failures apart.
    pub(crate) fn consequences(&self) -> Consequences {
        let (label, key, public) = match self {
            Self::Trap(_) => (GuestFailure::Trap, "filter-trap", "the filter failed on this request"),
            // The limit counts CPU time: the same body would run out of it again.
            Self::Timeout(_) => {
                (GuestFailure::Timeout, "filter-timeout", "the filter did not finish in time")
            }
            Self::MemoryLimit(_) => (
                GuestFailure::MemoryLimit,
                "filter-memory-limit",
                "the filter ran out of memory on this request",
            ),
            Self::InvalidAnswer(_) => {
                (GuestFailure::InvalidAnswer, "filter-invalid-answer", "the filter gave an unusable answer")
            }
            Self::Busy => (GuestFailure::Busy, "filter-busy", "the filter is busy"),
        };
        Consequences { label, key, public, passes: matches!(self, Self::Busy) }
    }
}
