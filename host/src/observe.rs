//! What the operator sees: metrics, and notices in the log.

mod metrics;
mod notices;
mod observed;

pub use metrics::Metrics;
pub(crate) use metrics::{
    Attempted, Copied, CopyCounters, Fate, GuestFailure, Limited, Reason, Reloaded, Unsent, Unserved,
};
pub use notices::Notices;
pub(crate) use observed::{Observed, Observer};
