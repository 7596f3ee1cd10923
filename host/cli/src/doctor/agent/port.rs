//! Whether the Service's port leads to the port that the agent listens on.

use super::locate::{Name, Upstream};
use super::settings::Settings;
use super::{Agent, DEFAULT_PORT};
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::objects::{PortReference, ServicePort};

/// Follows the port that the configuration sends to. `answers`: an agent was seen to answer through it.
pub(in crate::doctor) fn check(
    agent: &Agent,
    upstream: &Upstream,
    settings: &Settings,
    answers: bool,
) -> Finding {
    let port = match upstream {
        Upstream::Host(target) => {
            return Finding::skipped(format!("spans go to {}, not through the Service", target.authority()));
        }
        Upstream::Service { port, .. } => *port,
        Upstream::Unknown | Upstream::Other(_) => 80,
    };
    let metadata = &agent.service.metadata;
    let name = Name { namespace: metadata.namespace.clone(), name: metadata.name.clone() };
    let ports = agent.service.spec.ports.as_deref().unwrap_or_default();
    let Some((index, found)) = ports.iter().enumerate().find(|(_, other)| other.port == port) else {
        let numbers: Vec<_> = ports.iter().map(|port| port.port.to_string()).collect();
        let first = ports.first().map_or(80, |port| port.port);
        return Finding::failed(
            format!("{name} has no port {port}; it has {}", numbers.join(", ")),
            format!("write traces_endpoint: {}", name.url(first)),
        );
    };
    let (targets, named) = targets(agent, found);
    let (expected, is_said) = settings.port.map_or((DEFAULT_PORT, false), |port| (port, true));
    match targets.as_slice() {
        [] => Finding::warning(
            format!("{port} leads to the port named {named:?} of pods, and no pod has one of that name"),
            "see the pods' containerPorts, or write the number as targetPort",
        )
        .command(patch(&name, index, expected)),
        targets if targets.iter().all(|target| *target == expected) => {
            Finding::fine(format!("{port} leads to {expected}, where the agent's integration listens"))
        }
        [target, ..] if answers => {
            Finding::fine(format!("{port} leads to {target}, and an agent answers there"))
                .detail(format!("its default is {DEFAULT_PORT}"))
        }
        [target, ..] => {
            let source = if is_said {
                "as its ConfigMap says"
            } else {
                "unless inputs.integration.listen_port says otherwise"
            };
            Finding::failed(
                format!(
                    "{port} leads to {target}, and the agent's integration listens on {expected}, {source}"
                ),
                "let targetPort lead to the port of the integration",
            )
            .command(patch(&name, index, expected))
        }
    }
}

/// The pods' ports that one of the Service's leads to, and its name there if it has one.
fn targets(agent: &Agent, port: &ServicePort) -> (Vec<u16>, String) {
    match &port.target_port {
        Some(PortReference::Number(0)) | None => (vec![port.port], String::new()),
        Some(PortReference::Number(number)) => (vec![*number], String::new()),
        Some(PortReference::Name(name)) => {
            let slices = agent.slices.as_deref().unwrap_or_default();
            let ports = slices.iter().flat_map(|slice| slice.ports.iter().flatten());
            let own = port.name.as_deref().unwrap_or_default();
            let mut numbers: Vec<_> = ports
                .filter(|port| port.name.as_deref().unwrap_or_default() == own)
                .filter_map(|port| port.port)
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            (numbers, name.clone())
        }
    }
}

fn patch(name: &Name, index: usize, port: u16) -> String {
    format!(
        "kubectl -n {} patch service {} --type=json -p \
         '[{{\"op\":\"replace\",\"path\":\"/spec/ports/{index}/targetPort\",\"value\":{port}}}]'",
        name.namespace, name.name
    )
}
