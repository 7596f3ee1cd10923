//! Which attributes of a resource identify its pod, or could.

use crate::attributes::{HOST_IP, POD_IP};
use crate::pipeline::{Pipeline, Step};
use crate::processors::k8sattributes::Source;

/// The keys of attributes that say which pod a resource comes from: those that podstamp goes by under any configuration, those of
/// `pod_association`, and those that actions copy to one of these.
pub(super) fn claiming_keys(pipeline: &Pipeline) -> Vec<&str> {
    let mut keys = KEYS.to_vec();
    for kubernetes in pipeline.kubernetes() {
        keys.extend(kubernetes.association.sources().filter_map(|source| match source {
            Source::Connection => None,
            Source::Attribute { name, .. } => Some(name.as_str()),
        }));
    }
    // From the back, so that a copy of a copy is found.
    for step in pipeline.steps().iter().rev() {
        let Step::Resource(actions) = step else { continue };
        for action in actions.iter().rev() {
            if let (Some(from), Some(to)) = (action.reads(), action.writes())
                && keys.contains(&to)
            {
                keys.push(from);
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

const KEYS: [&str; 10] = [
    HOST_IP,
    POD_IP,
    "k8s.pod.uid",
    "k8s.pod.name",
    "k8s.namespace.name",
    "k8s.container.name",
    "container.id",
    "host.name",
    "host.ip",
    "ip",
];
