//! Peers of the last minutes that led to no pod.

use serde::Deserialize;

use crate::doctor::finding::Finding;

/// `GET /peers`, as far as it is read.
#[derive(Debug, Deserialize)]
struct Listing {
    peers: Vec<Peer>,
    minutes: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Peer {
    address: String,
    #[serde(default)]
    requests: u64,
    /// What the address is: `node` is the one that matters.
    #[serde(default)]
    is: String,
    node: Option<String>,
}

/// Which of them were nodes: spans that came through a node have lost their pod's address.
pub(super) fn judge(body: &[u8]) -> Finding {
    let Listing { peers, minutes } = match serde_json::from_slice(body) {
        Ok(listing) => listing,
        Err(error) => {
            return Finding::failed(
                format!("GET /peers gave something else than peers: {error}"),
                "please report this",
            );
        }
    };
    let during = minutes.map(|minutes| format!(" of the last {minutes} minutes")).unwrap_or_default();
    let (mut nodes, mut others): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.is == "node");
    for list in [&mut nodes, &mut others] {
        list.sort_by_key(|peer| std::cmp::Reverse(peer.requests));
    }
    if nodes.is_empty() {
        let finding = match others.len() {
            0 => Finding::fine(format!("each{during} led to a pod")),
            other => Finding::fine(format!("none{during} was a node; {other} led to no pod")),
        };
        return finding.details(others.iter().take(MOST).map(|peer| told(peer)));
    }
    let requests: u64 = nodes.iter().map(|peer| peer.requests).sum();
    let summary =
        format!("{}{during} were nodes, with {requests} requests whose pods cannot be told", nodes.len());
    let advice = "spans go through a NodePort, a load balancer, or another node's Service, which puts its own address in. Set \
                  internalTrafficPolicy: Local (externalTrafficPolicy from outside) on podstamp's Service, or have SDKs send \
                  k8s.pod.uid, host.name or container.id";
    Finding::warning(summary, advice).details(nodes.iter().take(MOST).map(|peer| told(peer))).see(NO_POD)
}

fn told(peer: &Peer) -> String {
    let Peer { address, requests, is, node } = peer;
    match node {
        Some(node) => format!("{address} is node {node}: {requests} requests"),
        None if is.is_empty() => format!("{address}: {requests} requests"),
        None => format!("{address} ({is}): {requests} requests"),
    }
}

/// More are not named one by one.
const MOST: usize = 10;

const NO_POD: &str = "docs/troubleshooting.md#the-span-has-no-pod-or-0000";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn nodes_are_told_first_and_by_their_requests() {
        let body = br#"{"minutes": 10, "dropped": 0, "peers": [
            {"address": "10.0.0.9", "requests": 2, "resources": 2, "last_seen_seconds": 1, "is": "unknown"},
            {"address": "10.0.3.7", "requests": 14, "is": "node", "node": "worker-3"},
            {"address": "10.0.3.8", "requests": 20, "is": "node"}]}"#;
        let finding = judge(body);
        assert_eq!(finding.state, State::Warning);
        assert_eq!(
            finding.summary,
            "2 of the last 10 minutes were nodes, with 34 requests whose pods cannot be told"
        );
        assert_eq!(
            finding.details,
            ["10.0.3.8 (node): 20 requests", "10.0.3.7 is node worker-3: 14 requests"]
        );
        let finding =
            judge(br#"{"minutes": 10, "peers": [{"address": "10.0.0.9", "requests": 2, "is": "unknown"}]}"#);
        assert_eq!((finding.state, finding.details.len()), (State::Fine, 1));
        assert_eq!(judge(br#"{"peers": []}"#).summary, "each led to a pod");
        assert_eq!(judge(b"<html>").state, State::Failed);
    }
}
