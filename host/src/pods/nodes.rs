//! Which addresses are on the node that this process runs on, as far as its pods tell.

use std::net::IpAddr;
use std::sync::Arc;

use podstamp_core::directory::{Details, Directory, Lookup, Term};

use super::Pods;
use super::kubernetes::Surroundings;
use super::source::SourceStatus;
use crate::network::{Nodes, Untold};

/// The pods of a process, asked for the node of an address.
#[derive(Debug)]
pub(crate) struct PodNodes {
    pods: Pods,
    /// How the source of pods does; `None` where they were there from the beginning.
    status: Option<Arc<SourceStatus>>,
    own: OwnPlace,
}

/// What a process is told of its own place in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnPlace {
    /// The node's name.
    node: Option<String>,
    /// The pod's name.
    pod: Option<String>,
    /// The pod's namespace.
    namespace: Option<String>,
}

impl OwnPlace {
    /// The place of this process.
    pub(crate) fn of_process(surroundings: &Surroundings) -> Self {
        let text = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            node: NODE_NAMES.iter().find_map(text),
            pod: text(&"HOSTNAME"),
            namespace: surroundings.namespace(),
        }
    }
}

impl PodNodes {
    pub(crate) fn new(pods: Pods, status: Option<Arc<SourceStatus>>, own: OwnPlace) -> Self {
        Self { pods, status, own }
    }

    /// The node of this process: the one it was told, or that of its own pod.
    fn own_node(&self, directory: &impl Directory) -> Option<String> {
        let OwnPlace { node, pod, namespace } = &self.own;
        node.clone().or_else(|| {
            let terms = [Term::Name(pod.as_deref()?), Term::Namespace(namespace.as_deref()?)];
            match directory.find(&terms, Details::default()) {
                Lookup::Found(pod) if !pod.node.is_empty() => Some(pod.node.to_string()),
                _ => None,
            }
        })
    }
}

impl Nodes for PodNodes {
    fn local(&self, addresses: &[IpAddr]) -> Result<Vec<bool>, Untold> {
        if self.status.as_ref().is_some_and(|status| !status.is_loaded()) {
            return Err(Untold::Yet);
        }
        let table = self.pods.table();
        let node = self.own_node(&*table).ok_or_else(|| {
            Untold::Why(format!(
                "it is not known which node this is: have {} set from spec.nodeName",
                NODE_NAMES.join(" or ")
            ))
        })?;
        let found: Vec<_> =
            addresses.iter().map(|address| table.find(&[Term::Ip(*address)], Details::default())).collect();
        // Whatever runs on the host's network has the node's addresses, which the pods of the node tell.
        let mut node_ips = None;
        let mut is_own = |address: IpAddr| {
            let ips = node_ips.get_or_insert_with(|| {
                let mut pods = table.slots().filter_map(|slot| table.describe(slot));
                let here = pods.find(|pod| pod.node == node && !pod.node_ips.is_empty());
                here.map(|pod| pod.node_ips).unwrap_or_default()
            });
            ips.contains(&address)
        };
        let local: Vec<_> = addresses
            .iter()
            .zip(&found)
            .map(|(address, found)| match found {
                Lookup::Found(pod) => pod.node == node,
                Lookup::Node => is_own(address.to_canonical()),
                Lookup::Ambiguous | Lookup::Ignored | Lookup::Absent | Lookup::Unknown => false,
            })
            .collect();
        let is_known = |found: &Lookup| matches!(found, Lookup::Found(_) | Lookup::Node);
        if local.contains(&true) {
            Ok(local)
        } else if found.iter().any(is_known) {
            Err(Untold::Why(format!("none of them is on the node {node}")))
        } else {
            Err(Untold::Why(
                "none of them is the address of a pod or a node that is known here: a Service with an address of its own \
                 hides its pods (name a headless one, or set its internalTrafficPolicy to Local), and so does a filter of \
                 k8sattributes that leaves the agents out"
                    .to_owned(),
            ))
        }
    }
}

/// The variables that tell a process its node, as Kubernetes' downward API is used for it.
const NODE_NAMES: [&str; 3] = ["NODE_NAME", "K8S_NODE_NAME", "KUBE_NODE_NAME"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::{Coverage, KeptKeys, read_pods};

    /// Two nodes, each with an agent; one on the hosts' network.
    fn nodes(own: OwnPlace) -> PodNodes {
        let pod = |name: &str, node: &str, ip: &str, host: &str, on_host: bool| {
            json!({
                "metadata": {"name": name, "namespace": "deepflow", "uid": format!("uid-{name}")},
                "spec": {"nodeName": node, "hostNetwork": on_host},
                "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": host},
            })
        };
        let list = json!({"kind": "PodList", "items": [
            pod("agent-1", "node-1", "10.0.1.1", "192.168.0.1", false),
            pod("agent-2", "node-2", "10.0.2.1", "192.168.0.2", false),
            pod("podstamp-1", "node-1", "10.0.1.2", "192.168.0.1", false),
            pod("host-1", "node-1", "192.168.0.1", "192.168.0.1", true),
            pod("host-2", "node-2", "192.168.0.2", "192.168.0.2", true),
        ]});
        let table = read_pods(list.to_string().as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap();
        PodNodes::new(Pods::new(table), None, own)
    }

    fn on(node: &str) -> OwnPlace {
        OwnPlace { node: Some(node.to_owned()), ..OwnPlace::default() }
    }

    fn asked(nodes: &PodNodes, addresses: &[&str]) -> Result<Vec<bool>, Untold> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        nodes.local(&addresses)
    }

    #[test]
    fn pods_and_nodes_tell_which_addresses_are_here() {
        let nodes = nodes(on("node-1"));
        assert_eq!(asked(&nodes, &["10.0.1.1", "10.0.2.1", "10.9.9.9"]), Ok(vec![true, false, false]));
        assert_eq!(asked(&nodes, &["192.168.0.2", "::ffff:192.168.0.1"]), Ok(vec![false, true]));
    }

    #[test]
    fn the_own_node_is_that_of_the_own_pod() {
        let own = |pod: &str| OwnPlace {
            pod: Some(pod.to_owned()),
            namespace: Some("deepflow".to_owned()),
            node: None,
        };
        assert_eq!(asked(&nodes(own("podstamp-1")), &["10.0.1.1", "10.0.2.1"]), Ok(vec![true, false]));
        let Err(Untold::Why(why)) = asked(&nodes(own("laptop")), &["10.0.1.1"]) else { panic!() };
        assert!(why.contains("NODE_NAME"), "{why}");
    }

    #[test]
    fn where_nothing_can_be_told_there_is_a_reason() {
        let nodes = nodes(on("node-3"));
        let Err(Untold::Why(why)) = asked(&nodes, &["10.0.1.1", "10.0.2.1"]) else { panic!() };
        assert!(why.contains("none of them is on the node node-3"), "{why}");
        let Err(Untold::Why(why)) = asked(&nodes, &["10.96.0.1"]) else { panic!() };
        assert!(why.contains("headless"), "{why}");
        let status = Arc::new(SourceStatus::default());
        let nodes = PodNodes { status: Some(Arc::clone(&status)), ..nodes };
        assert_eq!(asked(&nodes, &["10.0.1.1"]), Err(Untold::Yet));
    }
}
