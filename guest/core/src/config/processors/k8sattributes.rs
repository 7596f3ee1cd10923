//! The `k8sattributes` processor.

mod extract;
mod filter;
pub(crate) mod node_from_env_var;
mod pod_association;

use extract::read_extract;
use filter::read_filter;
use pod_association::read_pod_association;

use crate::config::document::Entry;
use crate::processors::k8sattributes::Kubernetes;

pub(crate) fn read_k8sattributes(entry: &Entry<'_>) -> Kubernetes {
    let mut section = entry.section();
    let extraction = read_extract(&section.take("extract"));
    let association = read_pod_association(&section.take("pod_association"), &extraction);
    let selection = read_filter(&section.take("filter"), &section.take("exclude"));
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
