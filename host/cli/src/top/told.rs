//! What a podstamp's console tells, as far as it is shown here. What is missing counts as nothing, so that an older or a newer one is
//! shown as well.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) live: Live,
    pub(super) services: Services,
}

/// `/console/live`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Live {
    pub(super) version: String,
    pub(super) now_ms: f64,
    pub(super) uptime_seconds: f64,
    pub(super) ready: bool,
    pub(super) not_ready_because: Option<String>,
    pub(super) requests_per_second: f64,
    pub(super) spans_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) outcomes: BTreeMap<String, f64>,
    pub(super) addresses: BTreeMap<String, f64>,
    pub(super) latency_ms: Option<Latency>,
    pub(super) queues: Vec<Queue>,
    pub(super) agents: Vec<Agent>,
    pub(super) pods: Option<Pods>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) notices: Vec<Notice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Latency {
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) requests: f64,
    pub(super) capacity: f64,
    pub(super) unit: String,
    pub(super) oldest_seconds: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Agent {
    pub(super) url: String,
    pub(super) addresses: Vec<AgentAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AgentAddress {
    pub(super) address: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pods {
    pub(super) known: f64,
    pub(super) source: String,
    pub(super) state: String,
    pub(super) healthy: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Notice {
    pub(super) level: String,
    pub(super) message: String,
}

/// `/console/services`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Services {
    pub(super) rows: Vec<Row>,
    pub(super) omitted: u64,
}

/// A service by one pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub(super) service: String,
    pub(super) service_namespace: String,
    pub(super) pod: Option<String>,
    pub(super) pod_namespace: Option<String>,
    pub(super) address: Option<String>,
    pub(super) found: String,
    pub(super) suspicious: Option<String>,
    pub(super) spans: f64,
    pub(super) spans_exact: bool,
    pub(super) last_ms: f64,
    pub(super) peer: Option<String>,
}

impl Row {
    /// Whether nobody knows which pod its spans come from.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.found.as_str(), "unknown" | "contradicted")
    }
}
