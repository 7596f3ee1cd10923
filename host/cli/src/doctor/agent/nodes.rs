//! Whether there is an agent on each node that podstamp runs on.

use std::collections::BTreeSet;

use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::objects::Pod;

/// Compares the nodes. `is_local`: spans reach no agent but that of their node.
pub(in crate::doctor) fn check(agents: &[Pod], podstamps: &BTreeSet<String>, is_local: bool) -> Finding {
    let ready: BTreeSet<_> =
        agents.iter().filter(|pod| pod.is_ready()).filter_map(|pod| pod.node()).collect();
    if podstamps.is_empty() {
        return Finding::skipped(format!(
            "no pod of podstamp was found to compare with; agents are ready on {} nodes",
            ready.len()
        ));
    }
    let missing: Vec<_> = podstamps.iter().map(String::as_str).filter(|node| !ready.contains(node)).collect();
    if missing.is_empty() {
        return Finding::fine(match podstamps.len() {
            1 => "an agent is ready on the node that podstamp runs on".to_owned(),
            nodes => format!("an agent is ready on each of the {nodes} nodes that podstamp runs on"),
        });
    }
    let summary = format!(
        "podstamp runs on {}, and no agent is ready on {} of them",
        count(podstamps.len(), "node"),
        missing.len()
    );
    let advice =
        "do the agent's tolerations and nodeSelector keep it from there? Let podstamp run where agents do";
    let finding = if is_local {
        Finding::failed(
            summary,
            format!("{advice}. With internalTrafficPolicy: Local spans from there get 503"),
        )
    } else {
        Finding::warning(summary, advice)
    };
    finding.details(missing.iter().take(MOST).map(|node| format!("node {node}")))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// More are not named one by one.
const MOST: usize = 10;
