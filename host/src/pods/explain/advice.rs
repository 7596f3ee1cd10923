//! What to do where something does not lead to a pod.

use super::{Kind, Outcome};

/// What to do; `None` where nothing is to be done. `is_lost`: requests came from the address that led to no pod.
pub(super) fn of(outcome: Outcome, kind: Kind, is_lost: bool) -> Option<&'static str> {
    match (outcome, kind) {
        (Outcome::Found, _) if is_lost => Some(CONTRADICTED),
        (Outcome::Found, _) => None,
        (Outcome::NoAddress, _) => {
            Some("wait until the pod runs; its spans until then are stamped as unknown")
        }
        (Outcome::Ambiguous, Kind::Name) => {
            Some("ask for NAMESPACE/NAME, and have clients send k8s.namespace.name, or k8s.pod.uid")
        }
        (Outcome::Ambiguous, _) => {
            Some("have clients send k8s.pod.uid or container.id: each is one pod's alone")
        }
        (Outcome::Node | Outcome::HostNetwork, _) => Some(NODE),
        (Outcome::Ignored, _) => Some("take the annotation off the pod, if its spans are to be stamped"),
        (Outcome::Excluded, _) => {
            Some("correct exclude.pods of k8sattributes, if its spans are to be stamped")
        }
        (Outcome::Filtered, _) => Some("correct filter of k8sattributes, if its spans are to be stamped"),
        (Outcome::Ended | Outcome::Deleted, Kind::Address) => {
            Some("late spans of it can be stamped only if they name their pod: k8s.pod.uid, or container.id")
        }
        (Outcome::AddressTaken | Outcome::Ended | Outcome::Deleted, _) => None,
        (Outcome::Absent, Kind::Address) => Some(NO_POD),
        (Outcome::Absent, _) => Some("is it spelled right, and does the pod run in this cluster?"),
        (Outcome::Unknown, _) => Some(NOT_ALL),
        (Outcome::NoPods, _) => Some(NO_POD),
    }
}

const CONTRADICTED: &str = "resources from there named another pod, or none that is known: see k8s.pod.*, container.id and host.name \
     that their clients send";

const NODE: &str = "set internalTrafficPolicy: Local (for a NodePort externalTrafficPolicy: Local) at the Service in front of \
     podstamp, so that no node stands between, or have clients send host.name, k8s.pod.uid or container.id";

const NO_POD: &str = "if that is a balancer or a proxy, name it in podstamp.trusted_proxies, or have clients send host.name, \
     k8s.pod.uid or container.id";

const NOT_ALL: &str = "if it is a pod of another node, have this podstamp know all of them: podstamp.pods.from with the address of a \
     central one";
