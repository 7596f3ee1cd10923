//! What is checked: each check's id, place, title, and where to read on.

/// Checks that belong together, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Configuration,
    Kubernetes,
    Agent,
    Clocks,
    Running,
    Span,
}

impl Group {
    /// Its id in JSON.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Kubernetes => "kubernetes",
            Self::Agent => "agent",
            Self::Clocks => "clocks",
            Self::Running => "podstamp",
            Self::Span => "span",
        }
    }

    /// Its heading.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Configuration => "the configuration",
            Self::Kubernetes => "the Kubernetes API",
            Self::Agent => "deepflow-agent",
            Self::Clocks => "clocks",
            Self::Running => "the running podstamp",
            Self::Span => "a span",
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Its name for programs; it does not change between versions.
    pub(super) id: &'static str,
    pub(super) group: Group,
    /// Its name for people.
    pub(super) title: &'static str,
    /// The section to read where it is not as it should be.
    pub(super) see: &'static str,
}

const fn check(id: &'static str, group: Group, title: &'static str, see: &'static str) -> Check {
    Check { id, group, title, see }
}

pub(super) const CONFIGURATION: Check =
    check("configuration", Group::Configuration, "configuration", OF_CONFIGURATION);
pub(super) const PIPELINE: Check = check("pipeline", Group::Configuration, "pipeline", OF_CONFIGURATION);
pub(super) const PODS_SOURCE: Check =
    check("pods-source", Group::Configuration, "source of pods", OF_CONFIGURATION);
pub(super) const API: Check = check("api", Group::Kubernetes, "API server", OF_KUBERNETES);
pub(super) const CREDENTIALS: Check = check("credentials", Group::Kubernetes, "credentials", OF_KUBERNETES);
pub(super) const PERMISSIONS: Check = check("permissions", Group::Kubernetes, "permissions", OF_KUBERNETES);
pub(super) const PODS: Check = check("pods", Group::Kubernetes, "pods", OF_KUBERNETES);
pub(super) const AGENT_SERVICE: Check = check("agent-service", Group::Agent, "Service", OF_AGENT);
pub(super) const AGENT_SETTINGS: Check =
    check("agent-settings", Group::Agent, "integration settings", OF_AGENT);
pub(super) const AGENT_PORT: Check = check("agent-port", Group::Agent, "port", OF_AGENT);
pub(super) const AGENT_ENDPOINTS: Check = check("agent-endpoints", Group::Agent, "endpoints", OF_AGENT);
pub(super) const AGENT_TRAFFIC_POLICY: Check =
    check("agent-traffic-policy", Group::Agent, "traffic policy", OF_AGENT);
pub(super) const AGENT_NODES: Check = check("agent-nodes", Group::Agent, "nodes", OF_AGENT);
pub(super) const AGENT: Check = check("agent", Group::Agent, "answers", OF_AGENT);
pub(super) const CLOCK_API: Check = check("clock-api", Group::Clocks, "the API server's clock", OF_CLOCKS);
pub(super) const CLOCK_AGENT: Check = check("clock-agent", Group::Clocks, "the agent's clock", OF_CLOCKS);
pub(super) const INSTALLED: Check = check("installed", Group::Running, "pods of podstamp", OF_RUNNING);
pub(super) const READY: Check = check("ready", Group::Running, "readiness", OF_RUNNING);
pub(super) const POD_TABLE: Check = check("pod-table", Group::Running, "pod table", OF_RUNNING);
pub(super) const PEERS: Check = check("peers", Group::Running, "peers", OF_PEERS);
pub(super) const SPAN: Check = check("span", Group::Span, "test span", OF_SPAN);

/// All of them, in the order in which they are told.
#[cfg(test)]
pub(super) const ALL: [Check; 21] = [
    CONFIGURATION,
    PIPELINE,
    PODS_SOURCE,
    API,
    CREDENTIALS,
    PERMISSIONS,
    PODS,
    AGENT_SERVICE,
    AGENT_SETTINGS,
    AGENT_PORT,
    AGENT_ENDPOINTS,
    AGENT_TRAFFIC_POLICY,
    AGENT_NODES,
    AGENT,
    CLOCK_API,
    CLOCK_AGENT,
    INSTALLED,
    READY,
    POD_TABLE,
    PEERS,
    SPAN,
];

const OF_CONFIGURATION: &str = "docs/troubleshooting.md#doctor-the-configuration";
const OF_KUBERNETES: &str = "docs/troubleshooting.md#doctor-the-kubernetes-api";
const OF_AGENT: &str = "docs/troubleshooting.md#doctor-deepflow-agent";
const OF_CLOCKS: &str = "docs/troubleshooting.md#doctor-clocks";
const OF_RUNNING: &str = "docs/troubleshooting.md#doctor-the-running-podstamp";
const OF_PEERS: &str = "docs/troubleshooting.md#doctor-the-running-podstamp";
const OF_SPAN: &str = "docs/troubleshooting.md#doctor-a-span";
