//! The checks that the guard asks of the walk.

use super::memory::Limits;
use super::times::Times;
use crate::signal::Signal;

/// What a walk looks for in spans, and the limits that it keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// The signal that the request carries. All other checks are for spans.
    pub signal: Signal,
    /// Span kinds that deepflow-agent aborts on become 0.
    pub clear_kinds: bool,
    /// Peer addresses of another family than the resource's get another key.
    pub peer_family: bool,
    /// Long names of spans with many attributes are cut.
    pub long_names: bool,
    /// The times at which spans may end.
    pub times: Times,
    /// The limits of one request: a larger body leaves in parts.
    pub limits: Limits,
}

impl Checks {
    /// No checks.
    pub const NONE: Self = Self {
        signal: Signal::Traces,
        clear_kinds: false,
        peer_family: false,
        long_names: false,
        times: Times::ANY,
        limits: Limits::NONE,
    };

    /// The check of span kinds alone.
    pub const KINDS: Self = Self { clear_kinds: true, ..Self::NONE };
}
