//! The pods that the API shows to whoever asks as podstamp would.

use std::time::{Duration, Instant};

use http::StatusCode;
use podstamp::pods::kubernetes::Failure;
use podstamp_core::config::Selector;

use super::Api;
use super::objects::{List, Pod, escaped};
use crate::doctor::finding::Finding;

/// What is counted of the pods.
#[derive(Debug, Default)]
struct Count {
    pods: u64,
    ended: u64,
    /// With an address of their own.
    addressed: u64,
    /// On their node's network.
    on_nodes_network: u64,
    here: u64,
    /// Pods that were not looked at any more; `None`: nobody knows how many.
    beyond: Option<u64>,
    is_cut: bool,
}

impl Count {
    fn add(&mut self, pods: &[Pod], node: Option<&str>) {
        for pod in pods {
            self.pods += 1;
            let host_network = pod.spec.host_network == Some(true);
            self.ended += u64::from(pod.has_ended());
            self.on_nodes_network += u64::from(host_network && !pod.has_ended());
            self.addressed += u64::from(!host_network && pod.has_address() && !pod.has_ended());
            self.here += u64::from(node.is_some() && pod.node() == node);
        }
    }
}

/// Lists the pods of a selector. `node` is the one that podstamp runs on, if that is known.
pub(in crate::doctor) async fn check(api: &Api, selector: &Selector, node: Option<&str>) -> Finding {
    let count = match count(api, selector, node).await {
        Ok(count) => count,
        Err(Failure { status: Some(StatusCode::FORBIDDEN), message, .. }) => {
            return Finding::skipped(format!("may not be listed from here ({message})"));
        }
        Err(failure) => {
            let summary = format!("cannot be listed: {}", failure.message);
            return Finding::failed(summary, "try again, and look at the API server's own log");
        }
    };
    let asked = asked(selector);
    if count.pods == 0 {
        return Finding::failed(
            format!("the API shows none{asked}"),
            "does the filter of k8sattributes name things as the cluster does? A node has the name that `kubectl get nodes` shows: \
             `node_from_env_var` needs a variable with fieldRef spec.nodeName",
        );
    }
    let mut parts = vec![format!("{} with an address of their own", count.addressed)];
    if count.on_nodes_network > 0 {
        parts.push(format!("{} on their node's network", count.on_nodes_network));
    }
    if count.ended > 0 {
        parts.push(format!("{} that have ended", count.ended));
    }
    if let Some(node) = node.filter(|node| selector.node() != Some(*node)) {
        parts.push(format!("{} on this node, {node}", count.here));
    }
    let more = match (count.is_cut, count.beyond) {
        (false, _) => String::new(),
        (true, Some(beyond)) => format!(" of the first looked at, and {beyond} more"),
        (true, None) => " of the first looked at, and more".to_owned(),
    };
    let place = if asked.is_empty() { " in all namespaces" } else { &asked };
    let summary = format!("{}{place}: {}{more}", count.pods, parts.join(", "));
    match (selector.node(), node) {
        (Some(watched), Some(node)) if watched != node => Finding::failed(
            format!("those of node {watched} are watched, and podstamp runs on {node}"),
            "set filter.node_from_env_var to a variable with fieldRef spec.nodeName, in place of a fixed filter.node",
        ),
        _ if count.addressed == 0 => Finding::warning(
            summary,
            "none can be found by its address: do all run on their node's network, or has none got an address yet?",
        ),
        _ => Finding::fine(summary),
    }
}

async fn count(api: &Api, selector: &Selector, node: Option<&str>) -> Result<Count, Failure> {
    let place =
        selector.namespace.as_ref().map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
    let mut path = format!("/api/v1/{place}pods?limit={PAGE}");
    for (name, value) in [("fieldSelector", &selector.fields), ("labelSelector", &selector.labels)] {
        if !value.is_empty() {
            path.push_str(&format!("&{name}={}", escaped(value)));
        }
    }
    let (mut count, begun) = (Count::default(), Instant::now());
    let mut token = String::new();
    loop {
        let page = match token.as_str() {
            "" => path.clone(),
            token => format!("{path}&continue={}", escaped(token)),
        };
        let List { metadata, items } = api.get::<List<Pod>>(&page).await?;
        count.add(&items.unwrap_or_default(), node);
        match metadata.token.filter(|token| !token.is_empty()) {
            None => return Ok(count),
            Some(_) if begun.elapsed() > LONGEST || count.pods >= MOST => {
                (count.is_cut, count.beyond) = (true, metadata.remaining_item_count);
                return Ok(count);
            }
            Some(next) => token = next,
        }
    }
}

/// The selector, for people.
fn asked(selector: &Selector) -> String {
    let namespace = selector.namespace.as_ref().map(|namespace| format!("in namespace {namespace}"));
    let node = selector.node().map(|node| format!("on node {node}"));
    let rest: Vec<_> =
        selector.fields.split(',').filter(|term| !term.starts_with("spec.nodeName=")).collect();
    let fields =
        Some(rest.join(",")).filter(|fields| !fields.is_empty()).map(|fields| format!("with {fields}"));
    let labels = Some(&selector.labels).filter(|labels| !labels.is_empty());
    let labels = labels.map(|labels| format!("labelled {labels}"));
    [namespace, node, fields, labels].into_iter().flatten().map(|part| format!(" {part}")).collect()
}

/// Pods of a page, as kubectl asks for them.
const PAGE: u64 = 500;

/// More are not looked at: the number says enough.
const MOST: u64 = 10_000;

/// How long to list. A person is waiting.
const LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_told_in_words() {
        let selector = Selector {
            namespace: Some("shop".to_owned()),
            fields: "spec.nodeName=n1,status.phase=Running".to_owned(),
            labels: "app=web,!debug".to_owned(),
        };
        let expected = " in namespace shop on node n1 with status.phase=Running labelled app=web,!debug";
        assert_eq!(asked(&selector), expected);
        assert_eq!(asked(&Selector::default()), "");
    }
}
