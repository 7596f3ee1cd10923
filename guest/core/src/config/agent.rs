//! Where deepflow-agent takes traces.

/// The path of deepflow-agent's integration collector.
pub const AGENT_PATH: &str = "/api/v1/otel/trace";

/// The agent's default port on this host.
pub const DEFAULT_URL: &str = "http://127.0.0.1:38086/api/v1/otel/trace";

/// deepflow-agent's own path, and what clients make of it where it is their base URL.
pub const AGENT_PATHS: [&str; 2] = [AGENT_PATH, "/api/v1/otel/trace/v1/traces"];
