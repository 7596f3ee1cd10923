//! What the operator sees: metrics, and notices in the log.

mod lost_peers;
mod metrics;
mod notices;
mod observed;

pub use lost_peers::{LostPeer, LostPeers};
pub use metrics::Metrics;
pub(crate) use metrics::{
    Attempted, Copied, CopyCounters, Fate, GuestFailure, Limited, QueueCounters, QueueState, Queued, Reading,
    Reason, Reloaded, Unsent, Unserved, bounds, sources,
};
pub use notices::Notices;
pub(crate) use notices::{RecentNotice, name_of_level};
pub(crate) use observed::{Observed, Observer};
