//! What is behind the agent's Service.

use super::{Agent, unseen};
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::objects::{Endpoint, selector};

/// Whether anything is, and all of it is ready.
pub(in crate::doctor) fn check(agent: &Agent) -> Finding {
    let slices = match &agent.slices {
        Ok(slices) => slices,
        Err(failure) => return unseen("EndpointSlices", failure),
    };
    let endpoints: Vec<_> = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten()).collect();
    let labels = agent.service.spec.selector.as_ref().map(selector).unwrap_or_default();
    let namespace = &agent.service.metadata.namespace;
    let show = format!("kubectl -n {namespace} get pods -l '{labels}' -o wide");
    let (ready, waiting): (Vec<_>, Vec<_>) =
        endpoints.iter().partition(|endpoint| endpoint.conditions.ready.unwrap_or(true));
    let count = |endpoints: &[&&Endpoint]| endpoints.len();
    match (count(&ready), count(&waiting)) {
        (0, 0) => Finding::failed(
            format!("no pod is behind {}", agent.name()),
            "does its selector meet the agent's pods, and do they run?",
        )
        .command(show),
        (0, waiting) => Finding::failed(
            format!("none of the {waiting} behind {} is ready", agent.name()),
            "see why the agents do not start: their events and logs",
        )
        .command(show),
        (ready, 0) => Finding::fine(format!("{ready} behind {}, all ready", agent.name())),
        (ready, _) => Finding::warning(
            format!("{ready} behind {} are ready, {} are not", agent.name(), waiting.len()),
            "see why those agents do not start: their events and logs",
        )
        .details(waiting.iter().take(MOST).map(|endpoint| named(endpoint)))
        .command(show),
    }
}

fn named(endpoint: &Endpoint) -> String {
    let addresses = endpoint.addresses.iter().flatten().next().map_or("without an address", String::as_str);
    let name = endpoint.target_ref.as_ref().map_or(addresses, |named| named.name.as_str());
    match &endpoint.node_name {
        Some(node) => format!("{name} on node {node}"),
        None => name.to_owned(),
    }
}

/// More are not named one by one.
const MOST: usize = 10;
