//! The guard: what deepflow-agent needs and no Collector gives.
//!
//! The agent aborts on a span kind that it does not know, closes the connection on a body that it cannot decode, and stops adding
//! its fallback address after the first resource that has one; its fallback is the address of the request's sender, which is
//! podstamp's.

pub(crate) mod checks;
mod host_ip;
pub(crate) mod memory;
pub(crate) mod mend;
pub(crate) mod names;
pub(crate) mod peers;
pub(crate) mod times;

use crate::signal::Signal;
use checks::Checks;
use memory::Limits;
use times::Times;

/// Which rules of the guard are on. Names in the configuration: `podstamp.guard.<field>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Rule 1: refuse what the agent cannot decode instead of having it retried for minutes.
    pub refuse_undecodable: bool,
    /// Rule 2: clear span kinds outside 0..5, each of which aborts the agent's process.
    pub clear_span_kind: bool,
    /// Rule 3: let every resource leave with exactly one usable `app.host.ip`.
    pub require_host_ip: bool,
    /// Rule 4: fill a missing or unusable `app.host.ip` from what else is known.
    pub repair_host_ip: bool,
    /// Rule 5: where nothing is known, write `0.0.0.0`, which the server reads as unknown.
    pub mark_unknown: bool,
    /// Give a span's own peer address another key unless it is of the family of the address stamped: a pair of two families ends
    /// the agent's process, and a peer in IPv6 takes an IPv4 pod off its row.
    pub peer_family: bool,
    /// Milliseconds that a span may end ahead of the host's clock; one that ends later is moved back. 0 sets no limit.
    pub future_spans: u32,
    /// Count spans that end far from now, have no end or begin after it, and name their services.
    pub far_times: bool,
    /// Cut long names of spans with many attributes: the agent copies the name for each of them.
    pub long_names: bool,
    /// Bytes that one request may take in the agent's memory; a larger one leaves in parts. 0 sets no limit.
    pub agent_memory: u32,
    /// Spans that one request may have; a larger one leaves in parts. 0 sets no limit.
    pub spans_per_request: u32,
    /// Replace what is not UTF-8 in texts instead of refusing the batch.
    pub mend_text: bool,
    /// Run the diagnosis on every body before it is forwarded (`check: full`).
    pub check_full: bool,
}

impl Rules {
    /// The rules for a deepflow-agent: all of them, with the walk as the check.
    pub const AGENT: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: true,
        require_host_ip: true,
        repair_host_ip: true,
        mark_unknown: true,
        peer_family: true,
        future_spans: 5_000,
        far_times: true,
        long_names: true,
        agent_memory: 128 << 20,
        spans_per_request: 20_000,
        mend_text: true,
        check_full: false,
    };

    /// The rules for any other upstream: OTLP itself asks that a request that cannot be decoded is refused.
    pub const OTHER: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: false,
        require_host_ip: false,
        repair_host_ip: false,
        mark_unknown: false,
        peer_family: false,
        future_spans: 0,
        far_times: false,
        long_names: false,
        agent_memory: 0,
        spans_per_request: 0,
        mend_text: false,
        check_full: false,
    };

    /// The checks that the walk makes for these rules. `now` is the host's clock.
    pub(crate) fn checks(&self, now: Option<u64>) -> Checks {
        Checks {
            signal: Signal::Traces,
            clear_kinds: self.clear_span_kind,
            peer_family: self.peer_family,
            long_names: self.long_names,
            times: Times::new(now, self.future_spans, self.far_times),
            limits: Limits::new(self.agent_memory, self.spans_per_request),
        }
    }
}

#[cfg(test)]
mod tests;
