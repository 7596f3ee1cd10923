//! Says in words why spans are stamped as they are, and what would make it right.

use std::net::IpAddr;

use podstamp_core::directory;
use podstamp_core::interface::{AddressSource, ExaminedPod, ExaminedResource, LookupAnswer};

use super::Pods;
use super::told::{
    self, Advice, Attribute, Change, Collector, Explained, Lookup, RewrittenResource, Service,
    ServiceExplained,
};
use crate::pods::explain::{ExplainedPod, Explanation, Outcome, State};

/// Marks a row whose address came with the resource, and is no pod's of the cluster.
pub(super) fn suspect(row: &mut Service, pods: &Pods) {
    let came_with_it = matches!(row.found.as_str(), "kept" | "pod_ip") && row.pod.is_empty();
    if row.suspicious.is_some() || !came_with_it {
        return;
    }
    let address = row.address.parse().ok();
    if address.and_then(&pods.find) == Some(directory::Lookup::Absent) {
        row.suspicious = Some(format!("{} came with the resource, and no pod has it", row.address));
    }
}

/// The explanation of a row.
pub(super) fn explain(row: Service, resource: ExaminedResource, pods: &Pods) -> ServiceExplained {
    let mut explained = explained(resource, &mut &pods.explain, has_table(pods));
    if let Some(suspicious) = &row.suspicious {
        explained.verdict = format!("{} But {suspicious}", explained.verdict);
        if explained.advice.is_empty() {
            explained.advice.push(name_the_pod());
        }
    }
    ServiceExplained { examined_ms: row.last_ms, row, explained }
}

/// The resources of a request that was pasted.
pub(super) fn of_request(resources: Vec<ExaminedResource>, pods: &Pods) -> Vec<RewrittenResource> {
    // They all came over one connection, and an explanation goes through all pods.
    let mut known = None;
    let mut explain = |address: IpAddr| known.get_or_insert_with(|| (pods.explain)(address)).clone();
    let has_table = has_table(pods);
    let told = |resource: ExaminedResource| RewrittenResource {
        service: resource.service.clone(),
        found: told::found(resource.found).to_owned(),
        address: resource.address.clone().unwrap_or_default(),
        spans: resource.spans_total,
        explained: explained(resource, &mut explain, has_table),
    };
    resources.into_iter().map(told).collect()
}

/// Whether there is a table of pods.
fn has_table(pods: &Pods) -> bool {
    (pods.find)(IpAddr::from([127, 0, 0, 1])).is_some()
}

fn explained(
    resource: ExaminedResource,
    explain: &mut dyn FnMut(IpAddr) -> Option<Explanation>,
    has_table: bool,
) -> Explained {
    let connection = resource.connection.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    let is_lost = told::is_unknown(told::found(resource.found));
    let of_connection = connection.filter(|_| is_lost).and_then(explain);
    let stamped = resource.pod.as_ref().map(full_name);
    let verdict = sentence(&resource, of_connection.as_ref());
    let advice = advice(&resource, of_connection.as_ref(), has_table);
    let ExaminedResource { claims, lookups, changes, connection, collector, address, pod, .. } = resource;
    let differs = collector.address.as_deref().filter(|address| *address != UNKNOWN)
        != address.as_deref().filter(|address| *address != UNKNOWN)
        || collector.pod.is_some() && collector.pod != stamped;
    Explained {
        verdict,
        claims: claims.into_iter().map(|claim| Attribute { key: claim.key, value: claim.value }).collect(),
        lookups: lookups
            .into_iter()
            .map(|lookup| Lookup {
                terms: lookup.terms,
                answer: told::answer(lookup.answer),
                pod: lookup.pod,
            })
            .collect(),
        changes: changes
            .into_iter()
            .map(|change| Change { key: change.key, before: change.before, after: change.after })
            .collect(),
        connection,
        pod: pod.map(explained_pod),
        collector: Collector { address: collector.address, pod: collector.pod, differs },
        advice,
    }
}

fn explained_pod(pod: ExaminedPod) -> ExplainedPod {
    let ExaminedPod { namespace, name, uid, node, addresses, host_network } = pod;
    ExplainedPod {
        namespace,
        name,
        uid,
        node,
        ips: addresses.iter().filter_map(|address| address.parse().ok()).collect(),
        states: host_network.then_some(State::HostNetwork).into_iter().collect(),
        ..ExplainedPod::default()
    }
}

fn sentence(resource: &ExaminedResource, of_connection: Option<&Explanation>) -> String {
    let address = resource.address.as_deref().unwrap_or("no address");
    let pod = resource.pod.as_ref().map(|pod| format!("pod {}", full_name(pod)));
    let is = pod.as_ref().map(|pod| format!(", {pod}")).unwrap_or_default();
    let by = by(resource);
    match resource.found {
        AddressSource::Kept => format!("The resource came with app.host.ip {address}{is}, which was kept."),
        AddressSource::Pipeline => match pod {
            Some(pod) => {
                format!("The configured processors found {pod}{by} and wrote its address {address}.")
            }
            None => format!("The configured processors wrote {address}."),
        },
        AddressSource::PodIp => format!("The resource's own k8s.pod.ip {address}{is} is its address."),
        AddressSource::Pod => match pod {
            Some(pod) => format!("It is {pod}{by}, so that its address {address} was stamped."),
            None => format!("A pod was found{by}, so that its address {address} was stamped."),
        },
        AddressSource::Connection => {
            format!("Nothing in the resource names a pod: {address}{is} is the address that it came from.")
        }
        AddressSource::Unknown if pod.is_some() => {
            format!("It is {}{by}, which has no address of its own now.", pod.unwrap_or_default())
        }
        AddressSource::Unknown => {
            let named = if resource.claims.is_empty() {
                "Nothing in the resource names a pod"
            } else {
                "Nothing that the resource names leads to a pod"
            };
            match (of_connection, &resource.connection) {
                (Some(Explanation { outcome: Outcome::Found, message, .. }), _) => {
                    format!("{named}, and podstamp did not know the pod that it came from: now {message}.")
                }
                (Some(explanation), _) => format!("{named}, and {}.", explanation.message),
                (None, Some(connection)) => {
                    format!("{named}, and no pod is known by the address {connection} that it came from.")
                }
                (None, None) => format!("{named}, and it is not known where it came from."),
            }
        }
        AddressSource::Contradicted if resource.pod.is_some() => {
            let own = pod.unwrap_or_default();
            let other = other_pod(resource).map(|other| format!(", {other},")).unwrap_or_default();
            format!(
                "It is {own}{by}, which has no address of its own now. What else was found{other} is another pod: its address \
                 would be wrong."
            )
        }
        AddressSource::Contradicted => {
            let found = other_pod(resource).map(|pod| format!(" ({pod})")).unwrap_or_default();
            format!(
                "A pod was found{found}, but the resource says that it comes from another: a wrong pod would be worse \
                 than none, so that it counts as unknown."
            )
        }
        AddressSource::Untouched => {
            "The guard is off, and the configured processors wrote no app.host.ip.".to_owned()
        }
    }
}

fn full_name(pod: &ExaminedPod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

/// The pod that was found last and is not the resource's.
fn other_pod(resource: &ExaminedResource) -> Option<&str> {
    let own = resource.pod.as_ref().map(full_name);
    let found = resource.lookups.iter().filter_map(|lookup| lookup.pod.as_deref());
    found.rev().find(|other| Some(*other) != own.as_deref())
}

/// By what the pod was found, for the middle of a sentence.
fn by(resource: &ExaminedResource) -> String {
    let Some(pod) = &resource.pod else { return String::new() };
    let name = full_name(pod);
    let is_it = |lookup: &&podstamp_core::interface::ExaminedLookup| {
        lookup.answer == LookupAnswer::Found && lookup.pod.as_deref() == Some(name.as_str())
    };
    let lookup = resource.lookups.iter().find(is_it);
    lookup.map(|lookup| format!(" by {}", lookup.terms.join(" and "))).unwrap_or_default()
}

fn advice(resource: &ExaminedResource, of_connection: Option<&Explanation>, has_table: bool) -> Vec<Advice> {
    let mut advice = Vec::new();
    match resource.found {
        AddressSource::Unknown | AddressSource::Contradicted if resource.pod.is_some() => advice.push(Advice {
            title: "Wait for its address",
            text: "A pod that does not run yet has none, and one that has run to its end gave it back. Spans until then stay \
                   unknown."
                .to_owned(),
            snippet: None,
        }),
        AddressSource::Unknown => {
            if !has_table {
                advice.push(know_the_pods());
            }
            match of_connection.map(|explanation| explanation.outcome) {
                Some(Outcome::Node) => advice.push(keep_it_local()),
                // The address is the node's whatever the way; or podstamp knows the pod by now.
                Some(Outcome::HostNetwork | Outcome::Found) => {}
                Some(Outcome::Absent | Outcome::NoPods) => {
                    advice.push(trust_the_proxy(resource.connection.as_deref()));
                }
                Some(Outcome::Unknown) => advice.push(know_all_pods()),
                Some(_) => advice.extend(of_connection.and_then(|explanation| explanation.advice.as_ref()).map(
                    |text| Advice { title: "What the pod needs", text: text.clone(), snippet: None },
                )),
                None => {}
            }
            advice.push(name_the_pod());
        }
        AddressSource::Contradicted => {
            let claims: Vec<_> =
                resource.claims.iter().map(|claim| format!("{}={}", claim.key, claim.value)).collect();
            advice.push(Advice {
                title: "Look at what the resource says",
                text: format!(
                    "The client sends {}. Is one of these from another pod, as of a Collector on the way, or from a pod \
                     that is gone? Where all are right, podstamp has to know that pod.",
                    claims.join(", ")
                ),
                snippet: None,
            });
            advice.push(name_the_pod());
        }
        AddressSource::Untouched => advice.push(Advice {
            title: "Have every resource stamped",
            text: "Take `podstamp.guard` out of the configuration, or set `require_host_ip` in it.".to_owned(),
            snippet: None,
        }),
        AddressSource::Connection => advice.push(Advice {
            title: "Be independent of the way",
            text: "The address of the connection is right as long as nothing stands between. A client that names its \
                   pod is right in any case."
                .to_owned(),
            snippet: Some(DOWNWARD_API.to_owned()),
        }),
        AddressSource::Kept | AddressSource::Pipeline | AddressSource::PodIp | AddressSource::Pod => {}
    }
    advice
}

fn name_the_pod() -> Advice {
    Advice {
        title: "Have the client name its pod",
        text: "With the Downward API in the client's container, whatever stands between it and podstamp."
            .to_owned(),
        snippet: Some(DOWNWARD_API.to_owned()),
    }
}

fn keep_it_local() -> Advice {
    Advice {
        title: "Keep the traffic on the node",
        text: "A node's address comes in place of the pod's where the Service sends across nodes. For a NodePort or a \
               LoadBalancer it is externalTrafficPolicy."
            .to_owned(),
        snippet: Some("spec:\n  internalTrafficPolicy: Local\n".to_owned()),
    }
}

fn trust_the_proxy(connection: Option<&str>) -> Advice {
    let address = connection.unwrap_or("10.0.0.0/8");
    Advice {
        title: "Believe the balancer",
        text: format!(
            "If {address} is a balancer or a proxy that writes X-Forwarded-For, name it. Whoever is named there can claim \
             any address."
        ),
        snippet: Some(format!("podstamp:\n  trusted_proxies: [\"{address}\"]\n")),
    }
}

fn know_the_pods() -> Advice {
    Advice {
        title: "Have podstamp know the pods",
        text: "It has no table of pods, so that neither a name nor a uid leads to one.".to_owned(),
        snippet: Some("podstamp:\n  pods:\n    from: kubernetes\n".to_owned()),
    }
}

fn know_all_pods() -> Advice {
    Advice {
        title: "Have podstamp know all pods",
        text: "It knows some of the cluster's pods only. A central podstamp can give it the others."
            .to_owned(),
        snippet: Some("podstamp:\n  pods:\n    from: http://podstamp-pods:8888\n".to_owned()),
    }
}

/// What deepflow-server takes for an address that is not known.
const UNKNOWN: &str = "0.0.0.0";

const DOWNWARD_API: &str = "env:
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.pod.ip=$(POD_IP),k8s.pod.uid=$(POD_UID)
";

#[cfg(test)]
mod tests;
