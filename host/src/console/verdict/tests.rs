use podstamp_core::directory::{Details, Directory, Lookup, Pod, Term};
use podstamp_core::interface::{CollectorStamp, ExaminedAttribute, ExaminedLookup};
use podstamp_pods::{Coverage, KeptKeys, PodParts, Table};

use super::*;
use crate::observe::LostPeers;
use crate::pods::explain::Scene;

/// A cluster with the pod shop/cart-0 at 10.1.1.1, on the node n1 at 192.168.0.1.
fn cluster(coverage: Coverage) -> Pods {
    use podstamp_core::directory::Fields;
    let mut table = Table::new(Fields::ALL, KeptKeys::ALL, coverage);
    let cart = PodParts {
        name: "cart-0".into(),
        namespace: "shop".into(),
        uid: "u".into(),
        node: "n1".into(),
        ips: vec!["10.1.1.1".parse().unwrap()],
        node_ips: vec!["192.168.0.1".parse().unwrap()],
        ..PodParts::default()
    };
    table.upsert(&cart).unwrap();
    let table = std::sync::Arc::new(table);
    let known = std::sync::Arc::clone(&table);
    Pods {
        explain: Box::new(move |address| {
            let lost_peers = LostPeers::default();
            let scene = Scene {
                table: &table,
                turns_away: &|_: &Pod| None,
                leaving: &|_| None,
                gone: &|_| None,
                lost_peers: &lost_peers,
            };
            Some(scene.explain(&address.to_string()))
        }),
        find: Box::new(move |address| Some(known.find(&[Term::Ip(address)], Details::default()))),
    }
}

fn no_cluster() -> Pods {
    Pods { explain: Box::new(|_| None), find: Box::new(|_| None) }
}

fn cart() -> ExaminedPod {
    ExaminedPod {
        namespace: "shop".into(),
        name: "cart-0".into(),
        uid: "u".into(),
        node: "n1".into(),
        addresses: vec!["10.1.1.1".into()],
        host_network: false,
    }
}

fn resource(found: AddressSource, connection: &str) -> ExaminedResource {
    ExaminedResource {
        service: "cart".into(),
        found,
        address: Some("0.0.0.0".into()),
        connection: Some(connection.into()),
        ..ExaminedResource::default()
    }
}

fn of(resource: ExaminedResource, pods: &Pods) -> Explained {
    of_request(vec![resource], pods).remove(0).explained
}

fn titles(explained: &Explained) -> Vec<&'static str> {
    explained.advice.iter().map(|advice| advice.title).collect()
}

#[test]
fn an_unknown_pod_behind_a_node_is_told_to_keep_traffic_local() {
    let explained = of(resource(AddressSource::Unknown, "192.168.0.1"), &cluster(Coverage::Cluster));
    assert_eq!(
        explained.verdict,
        "Nothing in the resource names a pod, and 192.168.0.1 is node n1, not a pod."
    );
    assert_eq!(titles(&explained), ["Keep the traffic on the node", "Have the client name its pod"]);
    assert!(explained.advice[0].snippet.as_ref().unwrap().contains("internalTrafficPolicy: Local"));
    assert!(explained.advice[1].snippet.as_ref().unwrap().contains("fieldPath: status.podIP"));
}

#[test]
fn an_unknown_pod_behind_a_balancer_is_told_to_trust_it() {
    let explained = of(resource(AddressSource::Unknown, "203.0.113.7"), &cluster(Coverage::Cluster));
    assert_eq!(titles(&explained), ["Believe the balancer", "Have the client name its pod"]);
    let snippet = explained.advice[0].snippet.as_deref();
    assert_eq!(snippet, Some("podstamp:\n  trusted_proxies: [\"203.0.113.7\"]\n"));
}

#[test]
fn where_podstamp_knows_no_pods_or_not_all_of_them_it_says_so() {
    let none = of(resource(AddressSource::Unknown, "10.9.9.9"), &no_cluster());
    assert_eq!(titles(&none), ["Have podstamp know the pods", "Have the client name its pod"]);
    let some = of(resource(AddressSource::Unknown, "10.9.9.9"), &cluster(Coverage::Part));
    assert_eq!(titles(&some), ["Have podstamp know all pods", "Have the client name its pod"]);
}

#[test]
fn a_pod_without_an_address_is_named_and_waited_for() {
    let mut pending = resource(AddressSource::Unknown, "192.168.0.1");
    pending.pod = Some(ExaminedPod { addresses: Vec::new(), ..cart() });
    let explained = of(pending, &cluster(Coverage::Cluster));
    assert_eq!(explained.verdict, "It is pod shop/cart-0, which has no address of its own now.");
    assert_eq!(titles(&explained), ["Wait for its address"]);
}

#[test]
fn a_relays_pod_is_told_apart_from_the_one_that_has_no_address_yet() {
    let mut pending = resource(AddressSource::Contradicted, "10.1.1.9");
    pending.pod = Some(ExaminedPod { addresses: Vec::new(), ..cart() });
    let lookup = |term: &str, pod: &str| ExaminedLookup {
        terms: vec![term.into()],
        answer: LookupAnswer::Found,
        pod: Some(pod.into()),
    };
    pending.lookups =
        vec![lookup("host.name=cart-0", "shop/cart-0"), lookup("address=10.1.1.9", "shop/gateway-0")];
    let explained = of(pending, &cluster(Coverage::Cluster));
    assert_eq!(
        explained.verdict,
        "It is pod shop/cart-0 by host.name=cart-0, which has no address of its own now. What else was found, \
         shop/gateway-0, is another pod: its address would be wrong."
    );
    assert_eq!(titles(&explained), ["Wait for its address"]);
}

#[test]
fn a_contradiction_names_what_the_resource_says() {
    let mut lost = resource(AddressSource::Contradicted, "10.1.1.1");
    lost.claims.push(ExaminedAttribute { key: "k8s.pod.uid".into(), value: "other".into() });
    lost.lookups.push(ExaminedLookup {
        terms: vec!["address=10.1.1.1".into()],
        answer: LookupAnswer::Found,
        pod: Some("shop/cart-0".into()),
    });
    let explained = of(lost, &cluster(Coverage::Cluster));
    assert!(explained.verdict.starts_with("A pod was found (shop/cart-0), but"), "{}", explained.verdict);
    assert!(explained.advice[0].text.contains("k8s.pod.uid=other"));
}

#[test]
fn what_was_found_says_by_what_and_whether_the_collector_differs() {
    let mut found = resource(AddressSource::Pod, "192.168.0.1");
    found.address = Some("10.1.1.1".into());
    found.pod = Some(cart());
    found.lookups.push(ExaminedLookup {
        terms: vec!["k8s.pod.uid=u".into()],
        answer: LookupAnswer::Found,
        pod: Some("shop/cart-0".into()),
    });
    found.collector = CollectorStamp { address: Some("192.168.0.1".into()), pod: None };
    let explained = of(found.clone(), &cluster(Coverage::Cluster));
    assert_eq!(
        explained.verdict,
        "It is pod shop/cart-0 by k8s.pod.uid=u, so that its address 10.1.1.1 was stamped."
    );
    assert!(explained.collector.differs && explained.advice.is_empty());
    found.collector = CollectorStamp { address: found.address.clone(), pod: Some("shop/cart-0".into()) };
    assert!(!of(found, &cluster(Coverage::Cluster)).collector.differs);
    // An address that is not known and none at all are the same to DeepFlow.
    let unknown = resource(AddressSource::Unknown, "192.168.0.1");
    assert!(!of(unknown, &cluster(Coverage::Cluster)).collector.differs);
}

#[test]
fn an_address_that_came_with_the_resource_and_is_no_pods_looks_wrong() {
    let row = |address: &str, found: &str, pod: &str| {
        let mut row =
            Service { address: address.into(), found: found.into(), pod: pod.into(), ..Service::default() };
        suspect(&mut row, &cluster(Coverage::Cluster));
        row.suspicious.is_some()
    };
    assert!(row("10.7.7.7", "kept", ""));
    assert!(
        !row("10.7.7.7", "pipeline", "")
            && !row("10.1.1.1", "kept", "")
            && !row("10.7.7.7", "kept", "cart-0")
    );
    let mut elsewhere = Service { address: "10.7.7.7".into(), found: "kept".into(), ..Service::default() };
    suspect(&mut elsewhere, &cluster(Coverage::Part));
    assert_eq!(elsewhere.suspicious, None, "it may be another node's");
    assert!(matches!((cluster(Coverage::Cluster).find)("10.1.1.1".parse().unwrap()), Some(Lookup::Found(_))));
}
