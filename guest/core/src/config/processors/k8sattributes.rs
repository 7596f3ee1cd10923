//! The `k8sattributes` processor.

mod association;
mod extraction;
pub(crate) mod node_name;
mod selection;

use crate::config::document::Node;
use crate::processors::k8sattributes::Kubernetes;

pub(crate) fn read(node: &Node<'_>) -> Kubernetes {
    let mut section = node.section();
    let extraction = extraction::read(&section.take("extract"));
    let association = association::read(&section.take("pod_association"), &extraction);
    let selection = selection::read(&section.take("filter"), &section.take("exclude"));
    let passthrough = section.take("passthrough").flag().unwrap_or(false);
    // Who may read pods, and how long to wait for them, is the host's matter.
    let _ = section.take("auth_type").choice(&[
        ("none", ()),
        ("serviceAccount", ()),
        ("kubeConfig", ()),
        ("tls", ()),
    ]);
    let _ = section.take("kube_config_path").text();
    let _ = section.take("context").text();
    let why = "podstamp receives from the start; see /readyz of podstamp.admin";
    section.without_effect(&["wait_for_metadata", "wait_for_metadata_timeout"], why);
    let why = "podstamp does not ask the Kubernetes API: its pods are those of podstamp.pods";
    section.without_effect(
        &["watch_sync_period", "pod_delete_grace_period", "kube_api_qps", "kube_api_burst"],
        why,
    );
    section.close();
    Kubernetes { association, selection, extraction, passthrough }
}
