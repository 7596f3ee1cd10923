//! Lookups and reading, end to end.

use super::*;

const PODS: &str = include_str!("../../../tests/fixtures/pods.json");

const EVERYTHING: Keep = Keep { labels: Keys::All, annotations: Keys::All };

fn table(text: &str) -> Table {
    Table::read(text.as_bytes(), EVERYTHING, Coverage::Cluster).unwrap()
}

fn error(text: &str) -> String {
    Table::read(text.as_bytes(), Keep::default(), Coverage::Cluster).unwrap_err().to_string()
}

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

#[test]
fn a_pod_comes_with_all_that_is_known_of_it() {
    let want = Details { labels: true, annotations: true };
    let Lookup::Found(pod) = table(PODS).find(&[Term::Name("shop-web-7d4b9c6f58-x2x7k")], want) else {
        panic!()
    };
    assert_eq!(pod.uid, "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01");
    assert_eq!((pod.namespace.as_str(), pod.node.as_str()), ("shop", "node-1"));
    assert_eq!(pod.ips, ["10.244.1.17".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(pod.hostname, pod.name, "spec.hostname is unset");
    assert_eq!((pod.deployment.as_str(), pod.phase.as_str()), ("shop-web", "Running"));
    assert_eq!(pod.start_time, "2026-11-20T08:00:00Z", "the creation, not status.startTime");
    assert!(!pod.host_network);
    let labels = [("app", "shop-web"), ("pod-template-hash", "7d4b9c6f58")];
    assert_eq!(pod.labels, labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(pod.annotations, [("prometheus.io/scrape".to_owned(), "true".to_owned())]);
}

#[test]
fn labels_and_annotations_come_only_where_asked_for_and_kept() {
    let name = [Term::Name("shop-web-7d4b9c6f58-x2x7k")];
    let labels = |keep: Keep, want| {
        let table = Table::read(PODS.as_bytes(), keep, Coverage::Cluster).unwrap();
        let Lookup::Found(pod) = table.find(&name, want) else { panic!() };
        (pod.labels.len(), pod.annotations.len())
    };
    let all = Details { labels: true, annotations: true };
    assert_eq!(labels(EVERYTHING, Details::default()), (0, 0));
    assert_eq!(labels(Keep::default(), all), (0, 0));
    let only = Keep { labels: Keys::Only(["app".to_owned()].into()), annotations: Keys::None };
    assert_eq!(labels(only, all), (1, 0));
}

#[test]
fn all_addresses_of_a_dual_stack_pod_find_it_also_ipv4_mapped() {
    let table = table(PODS);
    for address in ["10.244.2.23", "fd00:10:244:2::17", "::ffff:10.244.2.23"] {
        assert_eq!(find(&table, &[ip(address)]), "shop/item-6c8f7d9b44-q9w8e", "{address}");
    }
}

#[test]
fn a_pod_on_the_hosts_network_is_found_by_name_and_uid_but_never_by_address() {
    let table = table(PODS);
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
    let table = table(PODS);
    assert_eq!(find(&table, &[ip("10.244.2.40")]), "shop/stock-5f9c8d7b66-m4n5b", "the job is done");
    assert_eq!(find(&table, &[Term::Name("report-28934220-b7k2p")]), "shop/report-28934220-b7k2p");
    assert_eq!(find(&table, &[ip("10.244.1.50")]), "shop/user-7b8d9f5c44-new02");
    let old = [ip("10.244.1.50"), Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a08")];
    assert_eq!(find(&table, &old), "shop/user-7b8d9f5c44-old01");
}

#[test]
fn a_name_in_two_namespaces_needs_its_namespace() {
    let table = table(PODS);
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
    let items = [("a", "Failed", ""), ("b", "Running", ""), ("c", "Running", "2026-01-01T00:00:00Z")];
    let list = |items: &[(&str, &str, &str)]| {
        let items = items.iter().map(|(namespace, phase, deleted)| {
            let deleted = if deleted.is_empty() { "null".to_owned() } else { format!("{deleted:?}") };
            format!(
                r#"{{"metadata": {{"name": "x", "namespace": "{namespace}", "uid": "{namespace}", "deletionTimestamp": {deleted}}},
                    "status": {{"phase": "{phase}"}}}}"#
            )
        });
        table(&format!(r#"{{"kind": "PodList", "items": [{}]}}"#, items.collect::<Vec<_>>().join(",")))
    };
    assert_eq!(find(&list(&items), &[Term::Name("x")]), "b/x");
    assert_eq!(find(&list(&items[2..]), &[Term::Name("x")]), "c/x");
    assert_eq!(find(&list(&[items[0], items[2]]), &[Term::Name("x")]), "Ambiguous");
    assert_eq!(find(&list(&[items[1], items[1]]), &[Term::Name("x")]), "b/x", "one pod, listed twice");
}

#[test]
fn an_ignored_pod_is_never_found() {
    let table = table(PODS);
    for terms in [
        &[ip("10.244.1.60")][..],
        &[Term::Name("gateway-6d5f8b9c77-zz9xx"), Term::Namespace("shop")],
        &[Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a0a")],
        &[Term::Label("app", "gateway")],
    ] {
        assert_eq!(find(&table, terms), "Unknown", "{terms:?}");
    }
}

#[test]
fn other_terms_find_a_pod_if_it_is_the_only_one() {
    let table = table(PODS);
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
    let part = Table::read(PODS.as_bytes(), Keep::default(), Coverage::Part).unwrap();
    let whole = Table::read(PODS.as_bytes(), Keep::default(), Coverage::Cluster).unwrap();
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

#[test]
fn yaml_streams_of_pods_read_like_json() {
    let yaml = "\
# two pods and a list
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, creationTimestamp: \"2026-11-20T08:00:00Z\", labels: {version: \"1\", on: yes}}
spec: {nodeName: node-1}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], hostIP: 10.1.0.1}
---
kind: Pod
metadata:
  name: b
---
kind: PodList
items:
- metadata: {name: c}
";
    let table = table(yaml);
    assert_eq!(table.len(), 3);
    assert_eq!(find(&table, &[ip("10.0.0.1")]), "x/a");
    assert_eq!(find(&table, &[Term::Label("on", "yes")]), "x/a");
    assert_eq!(find(&table, &[Term::Name("c")]), "/c");
    let whole: serde_json::Value = serde_json::from_str(PODS).unwrap();
    assert_eq!(self::table(&format!("# YAML\n{whole}")).len(), 11, "JSON is YAML");
}

#[test]
fn several_json_documents_make_one_table() {
    let text = "\u{feff} {\"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}}\n{\"kind\": \"PodList\", \"items\": null}\n";
    assert_eq!(table(text).len(), 1);
}

#[test]
fn one_unusable_pod_costs_only_itself() {
    let table = table(
        r#"{"kind": "List", "items": [
            {"kind": "Service", "metadata": {"name": "web"}},
            {"kind": "Pod", "metadata": {"name": "a"}, "status": {"podIP": "10.0.0.1"}},
            {"kind": "Pod", "metadata": {"name": "b"}, "status": {"podIP": "10.0.0"}},
            {"kind": "Pod", "metadata": {"name": ""}},
            null
        ]}"#,
    );
    assert_eq!((table.len(), find(&table, &[ip("10.0.0.1")]).as_str()), (1, "/a"));
    let first = Some("items[2] (\"b\"): \"10.0.0\" in status.podIPs is no IP address".to_owned());
    assert_eq!(*table.skipped(), Skipped { pods: 3, first, others: 1 });
}

#[test]
fn what_is_no_list_of_pods_is_refused_with_its_place_and_a_way_out() {
    let way_out = "; expected is what `kubectl get pods -A -o json` prints";
    for (text, expected) in [
        (" \n", "it is empty"),
        (
            "{\"kind\": \"List\",\n \"items\": [{\"metadata\": 5}]}",
            "line 2, column 26: invalid type: integer `5`, expected a mapping",
        ),
        ("{\"kind\": \"List\",\n \"items\": [", "line 2, column 11: EOF while parsing a list"),
        ("[]", "line 1, column 1: invalid type: sequence, expected a list of pods"),
        ("{\"kind\": \"ConfigMap\"}", "it holds kind \"ConfigMap\", not pods"),
        (
            "{\"kind\": \"List\", \"items\": [{\"kind\": \"Service\"}]}",
            "it holds a list of other things, not pods",
        ),
        ("receivers:\n  otlp:\n", "it holds something without a kind, not pods"),
    ] {
        assert_eq!(error(text), format!("{expected}{way_out}"), "{text}");
    }
    let yaml = error("kind: Pod\n---\nkind: List\nitems: [\n");
    assert!(yaml.starts_with("line ") && yaml.ends_with(way_out), "{yaml}");
    assert!(Table::read(&b"\xFF\xFE{\0"[..], Keep::default(), Coverage::Cluster).is_err());
}

#[test]
fn a_replaced_table_brings_the_indexes_that_lookups_have_used() {
    let pods = Pods::new(table(PODS));
    assert_eq!(find(&pods, &[Term::Label("app", "shop-web")]), "shop/shop-web-7d4b9c6f58-x2x7k");
    assert_eq!(find(&pods, &[Term::Node("node-9")]), "Absent");
    let fresh = table(PODS);
    let before = fresh.memory();
    pods.replace(fresh);
    assert!(pods.table().memory() > before);
    assert_eq!(find(&pods, &[Term::Label("app", "shop-web")]), "shop/shop-web-7d4b9c6f58-x2x7k");
}

/// Names, nodes, times and owners as in a real cluster; 110 pods a node.
fn cluster(pods: usize) -> String {
    let mut text = String::from("{\"kind\": \"PodList\", \"items\": [");
    for pod in 0..pods {
        let mix = (pod as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (set, node, host) = (
            pod / 3,
            pod / 110,
            format!("10.{}.{}.{}", 200 + pod / 110 / 65536, pod / 110 / 256 % 256, pod / 110 % 256),
        );
        let [_, a, b, c] = (pod as u32).to_be_bytes();
        text += &format!(
            r#"{}{{"metadata": {{"name": "payment-service-{set}-{hash:010x}-{suffix:05x}", "namespace": "team-{team}",
            "uid": "{mix:08x}-0000-4000-8000-{pod:012x}", "creationTimestamp": "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
            "labels": {{"app": "payment-service-{set}", "pod-template-hash": "{hash:010x}", "tier": "backend"}},
            "ownerReferences": [{{"kind": "ReplicaSet", "name": "payment-service-{set}-{hash:010x}"}}]}},
            "spec": {{"nodeName": "ip-{node}.eu-central-1.compute.internal"}},
            "status": {{"phase": "Running", "podIP": "10.{a}.{b}.{c}", "podIPs": [{{"ip": "10.{a}.{b}.{c}"}}], "hostIP": "{host}",
            "startTime": "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z"}}}}"#,
            if pod == 0 { "" } else { "," },
            hash = (set as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24,
            suffix = mix & 0xF_FFFF,
            team = pod % 400,
            mix = mix >> 32,
            day = 1 + mix % 28,
            hour = mix % 24,
            minute = mix / 24 % 60,
            second = mix / 1440 % 60,
        );
    }
    text + "]}"
}

/// An eighth of 100,000 pods fills the hash tables as 100,000 do.
#[test]
fn a_pod_takes_less_than_400_bytes() {
    let pods = 12_500;
    let text = cluster(pods);
    for (keep, limit) in [(Keep::default(), 300), (Keep { labels: Keys::All, annotations: Keys::None }, 400)]
    {
        let table = Table::read(text.as_bytes(), keep, Coverage::Cluster).unwrap();
        assert_eq!((table.len(), table.skipped().pods), (pods, 0));
        assert!(find(&table, &[ip("10.0.48.211")]).starts_with("team-99/payment-service-4166-"));
        let bytes = table.memory() / pods;
        assert!(bytes < limit, "{bytes} bytes a pod");
    }
}
