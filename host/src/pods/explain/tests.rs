//! Explanations over the pods of the fixture.

use std::time::Duration;

use podstamp_pods::{Coverage, KeptKeys};

use super::*;
use crate::pods::read_pods;

const PODS: &str = include_str!("../../../../tests/fixtures/pods.json");

fn table(coverage: Coverage) -> Table {
    read_pods(PODS.as_bytes(), KeptKeys::ALL, coverage).unwrap()
}

fn nothing(_: &Subject<'_>) -> Option<Departed> {
    None
}

fn leaving(pod: &Pod) -> Option<Duration> {
    pod.name.starts_with("user-7b8d9f5c44-old01").then_some(Duration::from_secs(30))
}

fn explain(what: &str) -> Explanation {
    explain_in(&table(Coverage::Cluster), &LostPeers::default(), what)
}

fn explain_in(table: &Table, lost_peers: &LostPeers, what: &str) -> Explanation {
    let turns_away = |pod: &Pod| match pod.name.as_str() {
        name if name.starts_with("stock-") => Some(TurnedAway::Excluded),
        name if name.starts_with("item-") => Some(TurnedAway::Filtered),
        _ => None,
    };
    Scene { table, turns_away: &turns_away, leaving: &leaving, gone: &nothing, lost_peers }.explain(what)
}

#[test]
fn each_way_to_name_a_pod_leads_to_it_and_says_what_is_stamped() {
    for (what, kind, message) in [
        ("10.244.1.17", Kind::Address, "10.244.1.17 is pod shop/shop-web-7d4b9c6f58-x2x7k on node node-1"),
        (
            "::ffff:10.244.1.17",
            Kind::Address,
            "10.244.1.17 is pod shop/shop-web-7d4b9c6f58-x2x7k on node node-1",
        ),
        (
            "shop/order-0",
            Kind::Name,
            "name shop/order-0 is pod shop/order-0 on node node-1: stamped is 10.244.1.31",
        ),
        (
            "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a04",
            Kind::Uid,
            "uid 6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a04 is pod shop-staging/order-0 on node node-2: stamped is 10.244.2.31",
        ),
        (
            "kube-proxy-4hxkq",
            Kind::Name,
            "name kube-proxy-4hxkq is pod kube-system/kube-proxy-4hxkq on node node-1, which is on its node's network: stamped is the node's address 192.168.10.11",
        ),
    ] {
        let explanation = explain(what);
        assert_eq!((explanation.kind, explanation.message.as_str()), (kind, message), "{what}");
        assert_eq!((explanation.outcome, &explanation.advice), (Outcome::Found, &None), "{what}");
    }
}

#[test]
fn what_leads_to_no_pod_says_why_and_what_to_do() {
    for (what, outcome, message, advice) in [
        (
            "192.168.10.12",
            Outcome::Node,
            "192.168.10.12 is node node-2, not a pod",
            "internalTrafficPolicy: Local",
        ),
        ("192.168.10.11", Outcome::Node, "192.168.10.11 is node node-1, not a pod", "host.name"),
        (
            "order-0",
            Outcome::Ambiguous,
            "name order-0 leads to several pods: shop/order-0, shop-staging/order-0",
            "NAMESPACE/NAME",
        ),
        (
            "10.244.1.60",
            Outcome::Ignored,
            "10.244.1.60 is shop/gateway-6d5f8b9c77-zz9xx, which asks not to be found",
            "annotation",
        ),
        (
            "10.244.2.40",
            Outcome::Excluded,
            "10.244.2.40 is pod shop/stock-5f9c8d7b66-m4n5b, which exclude.pods",
            "exclude.pods",
        ),
        (
            "10.244.2.23",
            Outcome::Filtered,
            "10.244.2.23 is pod shop/item-6c8f7d9b44-q9w8e, which does not meet filter",
            "filter",
        ),
        (
            "batch-pending-0",
            Outcome::NoAddress,
            "name batch-pending-0 is pod shop/batch-pending-0, which has no address (phase Pending)",
            "wait",
        ),
        ("10.9.9.9", Outcome::Absent, "10.9.9.9 is none of the 11 pods of the cluster", "trusted_proxies"),
        ("nobody", Outcome::Absent, "name nobody is none of the 11 pods of the cluster", "spelled"),
        ("127.0.0.6", Outcome::NoPods, "127.0.0.6 is an address that no pod can have", "trusted_proxies"),
    ] {
        let explanation = explain(what);
        assert_eq!(explanation.outcome, outcome, "{explanation:?}");
        assert!(explanation.message.starts_with(message), "{}", explanation.message);
        assert!(explanation.advice.is_some_and(|text| text.contains(advice)), "{what}");
    }
    let ended = explain("report-28934220-b7k2p");
    assert_eq!(ended.outcome, Outcome::AddressTaken);
    assert!(ended.message.contains("another pod has its address 10.244.2.40 by now"), "{}", ended.message);
    let container = explain(&format!("cri-o://{}", "7c4f".repeat(16)));
    assert_eq!((container.outcome, container.kind), (Outcome::AddressTaken, Kind::Container));
    let expected = "container 7c4f7c4f7c4f is pod shop/user-7b8d9f5c44-old01 on node node-1, deleted 30 s ago, and another pod has its address 10.244.1.50 by now: only spans from before are stamped with it";
    assert_eq!(container.message, expected);
    assert_eq!(explain("7c4f7c4f7c4f").message, expected, "as short as tools print it");
    let part = table(Coverage::Part);
    let explanation = explain_in(&part, &LostPeers::default(), "10.9.9.9");
    assert_eq!((explanation.outcome, explanation.covers_cluster), (Outcome::Unknown, false));
    assert!(explanation.advice.is_some_and(|text| text.contains("podstamp.pods.from")));
}

#[test]
fn all_pods_that_have_it_are_listed_with_what_keeps_them_from_being_found() {
    let explanation = explain("10.244.1.50");
    assert_eq!(explanation.message, "10.244.1.50 is pod shop/user-7b8d9f5c44-new02 on node node-1");
    let states: Vec<_> =
        explanation.pods.iter().map(|pod| (pod.name.as_str(), pod.states.as_slice())).collect();
    assert!(states.contains(&("user-7b8d9f5c44-old01", &[State::Deleted][..])), "{states:?}");
    assert!(states.contains(&("user-7b8d9f5c44-new02", &[][..])), "{states:?}");
    assert_eq!(explain("192.168.10.11").pods[0].states, [State::HostNetwork]);
    assert_eq!(explain("10.244.2.23").pods[0].states, [State::Filtered]);
}

#[test]
fn what_came_from_an_address_is_told() {
    let (table, lost_peers) = (table(Coverage::Cluster), LostPeers::default());
    for _ in 0..14 {
        lost_peers.note("192.168.10.12".parse().unwrap(), 2);
    }
    let explanation = explain_in(&table, &lost_peers, "192.168.10.12");
    let expected = "192.168.10.12 is node node-2, not a pod; 14 requests came from it in the last minute without leading to a pod, the last 0 s ago";
    assert_eq!(explanation.message, expected);
    assert_eq!(explanation.lost, Some(Lost { requests: 14, resources: 28, last_seconds: 0 }));
    lost_peers.note("10.244.1.17".parse().unwrap(), 1);
    let contradicted = explain_in(&table, &lost_peers, "10.244.1.17");
    assert!(contradicted.advice.is_some_and(|text| text.contains("k8s.pod")), "{}", contradicted.message);

    let peers = ExplainedPeers::of(&lost_peers, Some(&table));
    let told: Vec<_> = peers.peers.iter().map(|peer| (peer.is, peer.node.as_deref())).collect();
    assert_eq!(told, [(Some(Outcome::Node), Some("node-2")), (Some(Outcome::Found), None)]);
    assert_eq!(ExplainedPeers::of(&lost_peers, None).peers[0].is, None);
}

#[test]
fn a_pod_that_was_deleted_is_remembered() {
    let table = table(Coverage::Cluster);
    let gone = |subject: &Subject<'_>| {
        let is_gone = *subject == Subject::Address("10.9.9.9".parse().unwrap());
        is_gone.then(|| Departed { pod: "shop/cart-0".to_owned(), ago: Duration::from_secs(7) })
    };
    let turns_away = |_: &Pod| None;
    let lost_peers = LostPeers::default();
    let scene = Scene {
        table: &table,
        turns_away: &turns_away,
        leaving: &leaving,
        gone: &gone,
        lost_peers: &lost_peers,
    };
    let explanation = scene.explain("10.9.9.9");
    assert_eq!(explanation.outcome, Outcome::Deleted);
    assert_eq!(explanation.message, "10.9.9.9 was pod shop/cart-0, deleted 7 s ago");
    assert_eq!(scene.explain("10.9.9.8").outcome, Outcome::Absent);
}

#[test]
fn an_explanation_goes_through_json_and_reads_as_text() {
    let explanation = explain("shop/order-0");
    let json = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    let expected = "\
name shop/order-0 is pod shop/order-0 on node node-1: stamped is 10.244.1.31
  pod shop/order-0, uid 6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a03, node node-1, phase Running, started 2026-11-20T08:00:00Z, addresses 10.244.1.31
";
    assert_eq!(explanation.to_string(), expected);
}
