//! The `k8sattributes` processor.

mod access;
mod extract;
mod filter;
pub(crate) mod node_from_env_var;
mod pod_association;

use access::read_access;
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
    let access = read_access(&mut section, entry.path());
    section.close();
    Kubernetes { association, selection, extraction, passthrough, access }
}
