//! Lookups, and tables that come as text.

mod change;
mod listing;

use podstamp_core::directory::{Details, Directory, Field, Fields, Lookup, Term};

use crate::listing::write;
use crate::{Coverage, KeptKeys, Keys, ListingReader, PodParts, Table};

/// What `tests/fixtures/pods.json` comes to: the host's tests hold one against the other.
const PODS: &str = include_str!("../../../tests/fixtures/pods.listing");

/// The outcome in short: a pod as namespace/name.
fn find(table: &impl Directory, terms: &[Term<'_>]) -> String {
    match table.find(terms, Details::default()) {
        Lookup::Found(pod) => format!("{}/{}", pod.namespace, pod.name),
        other => format!("{other:?}"),
    }
}

fn ip(text: &str) -> Term<'_> {
    Term::Ip(text.parse().unwrap())
}

fn table(pods: &[PodParts<'_>]) -> Table {
    let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
    for pod in pods {
        table.upsert(pod).unwrap();
    }
    table
}

/// The shop, with all that is known of it.
fn shop() -> Table {
    ListingReader::new(PODS.into()).finish().unwrap()
}

/// The shop with less known of it.
fn shop_with(fields: Fields) -> Table {
    ListingReader::new(write(&shop(), fields).into()).finish().unwrap()
}

#[test]
fn all_addresses_of_a_dual_stack_pod_find_it_also_ipv4_mapped() {
    let table = shop();
    for address in ["10.244.2.23", "fd00:10:244:2::17", "::ffff:10.244.2.23"] {
        assert_eq!(find(&table, &[ip(address)]), "shop/item-6c8f7d9b44-q9w8e", "{address}");
    }
}

#[test]
fn a_pod_on_the_hosts_network_is_found_by_name_and_uid_but_never_by_address() {
    let table = shop();
    assert_eq!(find(&table, &[Term::Name("kube-proxy-4hxkq")]), "kube-system/kube-proxy-4hxkq");
    assert_eq!(
        find(&table, &[Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a05")]),
        "kube-system/kube-proxy-4hxkq"
    );
    assert_eq!(find(&table, &[ip("192.168.10.11")]), "Node");
    assert_eq!(find(&table, &[ip("192.168.10.11"), Term::Name("kube-proxy-4hxkq")]), "Absent");
    assert_eq!(find(&table, &[ip("192.168.10.12")]), "Node", "known as a pod's hostIP");
}

#[test]
fn an_address_belongs_to_the_pod_that_started_last_and_still_runs() {
    let table = shop();
    assert_eq!(find(&table, &[ip("10.244.2.40")]), "shop/stock-5f9c8d7b66-m4n5b", "the job is done");
    assert_eq!(find(&table, &[Term::Name("report-28934220-b7k2p")]), "shop/report-28934220-b7k2p");
    assert_eq!(find(&table, &[ip("10.244.1.50")]), "shop/user-7b8d9f5c44-new02");
    let old = [ip("10.244.1.50"), Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a08")];
    assert_eq!(find(&table, &old), "shop/user-7b8d9f5c44-old01");
}

#[test]
fn a_host_name_is_cut_where_linux_has_no_longer_one() {
    let long = "candies-sharing-216-fresh-8bzv4-system-container-impl-01234567-404075885";
    let pods = table(&[PodParts { name: long.into(), ..PodParts::default() }]);
    let again = ListingReader::new(write(&pods, Fields::ALL).into()).finish().unwrap();
    for table in [pods, again] {
        let expected = format!("/{long}");
        assert_eq!(find(&table, &[Term::Hostname(&long[..62])]), expected, "without the dash at the end");
        assert_eq!(find(&table, &[Term::Hostname(long)]), "Absent");
        assert_eq!(find(&table, &[Term::Name(long)]), expected);
    }
}

#[test]
fn containers_lead_to_their_pods_and_their_names_to_none_by_themselves() {
    let pod = |name: &'static str, containers: &[(&'static str, &'static str)]| PodParts {
        name: name.into(),
        uid: name.into(),
        ips: vec!["10.0.0.1".parse().unwrap()],
        deployment: "web".into(),
        containers: containers.iter().map(|(name, id)| ((*name).into(), (*id).into())).collect(),
        ..PodParts::default()
    };
    let id = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999";
    let former = "0123456789abcdef0000";
    let pods = table(&[
        pod(
            "a",
            &[
                ("app", "containerd://aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"),
                ("app", former),
            ],
        ),
        pod("b", &[("app", "docker://odd"), ("proxy", "")]),
        pod("c", &[]),
    ]);
    let again = ListingReader::new(write(&pods, Fields::ALL).into()).finish().unwrap();
    for table in [&pods, &again] {
        for (terms, expected) in [
            (&[Term::Container(id)][..], "/a"),
            (&[Term::Container(former)], "/a"),
            (&[Term::Container("odd")], "/b"),
            (&[Term::Container("")], "Absent"),
            (&[Term::Container("aaaabbbb")], "Absent"),
            (&[Term::Deployment("web"), Term::ContainerName("proxy")], "/b"),
            (&[Term::Deployment("web"), Term::ContainerName("app")], "Ambiguous"),
            (&[Term::Uid("c"), Term::ContainerName("app")], "Absent"),
            (&[Term::Uid("a"), Term::ContainerName("app"), Term::Container(id)], "/a"),
        ] {
            assert_eq!(find(table, terms), expected, "{terms:?}");
        }
    }
    let without =
        ListingReader::new(write(&pods, Fields::ALL.without(Field::Containers)).into()).finish().unwrap();
    assert_eq!(find(&without, &[Term::Container(id)]), "Unknown");
    assert_eq!(find(&without, &[Term::Uid("a"), Term::ContainerName("app")]), "Unknown");
}

#[test]
fn an_ended_pod_gives_its_address_to_the_next_one() {
    let released = |name| {
        let Lookup::Found(pod) = shop().find(&[Term::Name(name)], Details::default()) else { panic!() };
        pod.released
    };
    // When the other one started.
    assert_eq!(released("report-28934220-b7k2p"), Some(1_795_169_100_000_000_000));
    assert_eq!(released("stock-5f9c8d7b66-m4n5b"), None, "it has it now");
    assert_eq!(released("kube-proxy-4hxkq"), None);
}

#[test]
fn an_ended_pod_has_given_its_address_away_when_the_first_other_one_started() {
    let pod = |name: &'static str, ips: &[&str], started: &'static str, finished| PodParts {
        name: name.into(),
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        started: started.into(),
        finished,
        ..PodParts::default()
    };
    let released = |others: &[PodParts<'static>]| {
        let ended = pod("ended", &["10.0.0.1", "fd00::1"], "2026-01-01T00:00:00Z", true);
        let table = table(&[&[ended], others].concat());
        let Lookup::Found(pod) = table.find(&[Term::Name("ended")], Details::default()) else { panic!() };
        pod.released
    };
    let second = pod("second", &["10.0.0.1"], "1970-01-01T00:00:02Z", false);
    let first = pod("first", &["fd00::1"], "1970-01-01T00:00:01Z", false);
    let unknown = pod("unknown", &["10.0.0.1"], "", false);
    let other = pod("other", &["10.0.0.2"], "1970-01-01T00:00:01Z", false);
    let ended_too = pod("ended-too", &["10.0.0.1"], "1970-01-01T00:00:01Z", true);
    assert_eq!(released(&[other, ended_too]), None);
    assert_eq!(released(std::slice::from_ref(&second)), Some(2_000_000_000));
    assert_eq!(released(&[second.clone(), first]), Some(1_000_000_000));
    assert_eq!(released(&[second, unknown]), Some(0), "nobody knows");
}

#[test]
fn a_name_in_two_namespaces_needs_its_namespace() {
    let table = shop();
    assert_eq!(find(&table, &[Term::Name("order-0")]), "Ambiguous");
    assert_eq!(
        find(&table, &[Term::Name("order-0"), Term::Namespace("shop-staging")]),
        "shop-staging/order-0"
    );
    assert_eq!(find(&table, &[Term::Namespace("shop"), Term::Name("order-0")]), "shop/order-0");
    assert_eq!(find(&table, &[Term::Name("order-0"), Term::Namespace("default")]), "Absent");
    assert_eq!(find(&table, &[Term::Name("order-0"), Term::Node("node-2")]), "shop-staging/order-0");
    assert_eq!(find(&table, &[Term::Hostname("order-0"), ip("10.244.1.31")]), "shop/order-0");
}

#[test]
fn a_live_pod_goes_before_finished_and_leaving_ones_of_its_name() {
    let items = [("a", true, false), ("b", false, false), ("c", false, true)];
    let list = |items: &[(&'static str, bool, bool)]| {
        let pod = |(namespace, finished, deleting): (&'static str, _, _)| PodParts {
            name: "x".into(),
            namespace: namespace.into(),
            uid: namespace.into(),
            finished,
            deleting,
            ..PodParts::default()
        };
        table(&items.iter().map(|item| pod(*item)).collect::<Vec<_>>())
    };
    assert_eq!(find(&list(&items), &[Term::Name("x")]), "b/x");
    assert_eq!(find(&list(&items[2..]), &[Term::Name("x")]), "c/x");
    assert_eq!(find(&list(&[items[0], items[2]]), &[Term::Name("x")]), "Ambiguous");
    assert_eq!(find(&list(&[items[1], items[1]]), &[Term::Name("x")]), "b/x", "one pod, listed twice");
}

#[test]
fn of_two_that_share_an_address_it_does_not_matter_which_came_first() {
    let pod = |name: &'static str, ignored| PodParts {
        name: name.into(),
        uid: name.into(),
        ips: vec!["10.0.0.1".parse().unwrap()],
        ignored,
        ..PodParts::default()
    };
    let (found, ignored) = (pod("a", false), pod("b", true));
    assert_eq!(find(&table(&[found.clone(), ignored.clone()]), &[ip("10.0.0.1")]), "Ambiguous");
    assert_eq!(find(&table(&[ignored, found]), &[ip("10.0.0.1")]), "Ambiguous");
}

#[test]
fn an_ignored_pod_is_never_found() {
    let table = shop();
    for terms in [
        &[ip("10.244.1.60")][..],
        &[Term::Name("gateway-6d5f8b9c77-zz9xx"), Term::Namespace("shop")],
        &[Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a0a")],
        &[Term::Label("app", "gateway")],
    ] {
        assert_eq!(find(&table, terms), "Ignored", "{terms:?}");
    }
}

#[test]
fn other_terms_find_a_pod_if_it_is_the_only_one() {
    let table = shop();
    let web = "shop/shop-web-7d4b9c6f58-x2x7k";
    for _ in 0..2 {
        assert_eq!(find(&table, &[Term::Deployment("shop-web")]), web);
        assert_eq!(
            find(&table, &[Term::Deployment("user")]),
            "shop/user-7b8d9f5c44-new02",
            "the other is leaving"
        );
        assert_eq!(find(&table, &[Term::Label("app", "shop-web"), Term::Namespace("shop")]), web);
        assert_eq!(find(&table, &[Term::Label("app", "order")]), "Ambiguous");
        assert_eq!(find(&table, &[Term::Label("app", "order"), Term::Node("node-1")]), "shop/order-0");
        assert_eq!(find(&table, &[Term::Annotation("prometheus.io/scrape", "true")]), web);
        assert_eq!(
            find(&table, &[Term::Namespace("kube-system"), Term::Node("node-1")]),
            "kube-system/kube-proxy-4hxkq"
        );
        assert_eq!(find(&table, &[Term::Hostname("batch-pending-0")]), "shop/batch-pending-0");
        assert_eq!(find(&table, &[Term::Namespace("shop")]), "Ambiguous");
        assert_eq!(find(&table, &[Term::Node("node-9")]), "Absent");
    }
    for key in 0..20 {
        assert_eq!(find(&table, &[Term::Label(&format!("key-{key}"), "x")]), "Absent");
    }
    assert_eq!(
        find(&table, &[Term::Label("k8s-app", "kube-proxy")]),
        "kube-system/kube-proxy-4hxkq",
        "without an index"
    );
}

#[test]
fn what_is_missing_means_more_in_a_table_of_the_whole_cluster() {
    let whole = shop_with(Fields::ALL.without(Field::Labels));
    let part = write(&whole, Fields::ALL).replacen("cluster", "part", 1);
    let part = ListingReader::new(part.into()).finish().unwrap();
    for terms in [&[ip("10.9.9.9")][..], &[Term::Name("nobody")], &[Term::Uid("")], &[Term::Name("")]] {
        assert_eq!(
            (find(&whole, terms), find(&part, terms)),
            ("Absent".to_owned(), "Unknown".to_owned()),
            "{terms:?}"
        );
    }
    assert_eq!(find(&part, &[ip("192.168.10.11")]), "Node");
    assert_eq!(find(&whole, &[Term::Label("app", "shop-web")]), "Unknown", "labels are not kept");
    assert_eq!((find(&whole, &[]), find(&part, &[])), ("Unknown".to_owned(), "Unknown".to_owned()));
}
