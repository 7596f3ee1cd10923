//! Checks of deepflow-agent: its Service and what is behind it, its settings, its nodes, and what it answers.

pub(super) mod answers;
pub(super) mod endpoints;
pub(super) mod locate;
pub(super) mod nodes;
pub(super) mod port;
pub(super) mod service;
pub(super) mod settings;

use super::finding::Finding;
use super::kubernetes::objects::{EndpointSlice, Pod, Service};
use podstamp::pods::kubernetes::Failure;

/// What was found of the agent in the cluster. A part that nobody may read from here has the reason.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) service: Service,
    pub(super) slices: Result<Vec<EndpointSlice>, Failure>,
    pub(super) pods: Result<Vec<Pod>, Failure>,
}

impl Agent {
    /// Namespace and name of its Service.
    pub(super) fn name(&self) -> String {
        let metadata = &self.service.metadata;
        format!("{}/{}", metadata.namespace, metadata.name)
    }
}

/// Something that cannot be read from here: a check that needs it is skipped.
pub(super) fn unseen(what: &str, failure: &Failure) -> Finding {
    Finding::skipped(format!("{what} cannot be read from here: {}", failure.message))
}

/// The port on which the agent's integration listens by default.
pub(super) const DEFAULT_PORT: u16 = 38086;

/// What DeepFlow's chart labels its agents with.
pub(super) const LABELS: &str = "app=deepflow,component=deepflow-agent";
