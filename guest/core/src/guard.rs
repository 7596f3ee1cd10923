//! What deepflow-agent needs and no collector gives.

/// Which rules of the guard are on. Names in the configuration: `podstamp.guard.<field>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Rule 1: refuse what the agent cannot decode instead of having it retried for minutes.
    pub refuse_undecodable: bool,
    /// Rule 2: clear span kinds outside 0..5, each of which aborts the agent's process.
    pub clear_span_kind: bool,
    /// Rule 3: every resource leaves with exactly one usable `app.host.ip`.
    pub require_host_ip: bool,
    /// Rule 4: fill a missing or unusable `app.host.ip` from what else is known.
    pub repair_host_ip: bool,
    /// Rule 5: where nothing is known, write `0.0.0.0`, which the server reads as unknown.
    pub mark_unknown: bool,
    /// Run the diagnosis on every body before it is forwarded (`check: full`).
    pub check_full: bool,
}

impl Rules {
    /// All rules, and the walk as the check: for a deepflow-agent.
    pub const AGENT: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: true,
        require_host_ip: true,
        repair_host_ip: true,
        mark_unknown: true,
        check_full: false,
    };

    /// For an upstream that is no deepflow-agent: OTLP itself asks that what cannot be decoded is refused.
    pub const OTHER: Self = Self {
        refuse_undecodable: true,
        clear_span_kind: false,
        require_host_ip: false,
        repair_host_ip: false,
        mark_unknown: false,
        check_full: false,
    };
}
