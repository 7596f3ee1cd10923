//! Lookups and reading, end to end.

use podstamp_core::directory::Fields;

use super::*;

mod changes;

const PODS: &str = include_str!("../../../tests/fixtures/pods.json");

fn table(text: &str) -> Table {
    read_pods(text.as_bytes(), KeptKeys::ALL, Coverage::Cluster).unwrap()
}

fn error(text: &str) -> String {
    read_pods(text.as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap_err().to_string()
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
    let want = Details { labels: true, annotations: true, brief: false };
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
fn containers_of_all_kinds_lead_to_their_pod_and_so_do_former_ones() {
    let table = table(PODS);
    for (id, expected) in [
        ("4f1c".repeat(16), "shop/user-7b8d9f5c44-old01"),
        ("5e2d".repeat(16), "shop/user-7b8d9f5c44-old01"),
        ("6d3e".repeat(16), "shop/user-7b8d9f5c44-old01"),
        (format!("cri-o://{}", "7c4f".repeat(16)), "shop/user-7b8d9f5c44-old01"),
        ("9999".repeat(16), "Absent"),
    ] {
        assert_eq!(find(&table, &[Term::Container(&id)]), expected, "{id}");
    }
    let pending = [Term::Name("batch-pending-0"), Term::ContainerName("batch")];
    assert_eq!(find(&table, &pending), "shop/batch-pending-0", "it has not been started yet");
}

/// The tests of lookups read that one.
#[test]
fn the_fixture_is_the_listing_of_the_other_fixture() {
    let written = podstamp_pods::listing::write(&table(PODS), Fields::ALL);
    assert_eq!(written, include_str!("../../../tests/fixtures/pods.listing"));
}

#[test]
fn labels_and_annotations_come_only_where_asked_for_and_kept() {
    let name = [Term::Name("shop-web-7d4b9c6f58-x2x7k")];
    let labels = |keep: KeptKeys, want| {
        let table = read_pods(PODS.as_bytes(), keep, Coverage::Cluster).unwrap();
        let Lookup::Found(pod) = table.find(&name, want) else { panic!() };
        (pod.labels.len(), pod.annotations.len())
    };
    let all = Details { labels: true, annotations: true, brief: false };
    assert_eq!(labels(KeptKeys::ALL, Details::default()), (0, 0));
    assert_eq!(labels(KeptKeys::default(), all), (0, 0));
    let only = KeptKeys { labels: Keys::Only(["app".to_owned()].into()), annotations: Keys::None };
    assert_eq!(labels(only, all), (1, 0));
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
    assert!(read_pods(&b"\xFF\xFE{\0"[..], KeptKeys::default(), Coverage::Cluster).is_err());
}

#[test]
fn a_replaced_table_brings_the_indexes_that_lookups_have_used() {
    let look = |pods: &dyn Directory| {
        let by_label = pods.find(&[Term::Label("app", "shop-web")], Details::default());
        assert!(matches!(by_label, Lookup::Found(pod) if pod.name == "shop-web-7d4b9c6f58-x2x7k"));
        assert!(matches!(pods.find(&[Term::Node("node-9")], Details::default()), Lookup::Absent));
    };
    let fresh = table(PODS);
    look(&fresh);
    assert!(fresh.lacks_index());

    let pods = Pods::new(table(PODS));
    look(&pods);
    pods.replace(table(PODS));
    look(&pods);
    assert!(!pods.table().lacks_index());
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
    for (keep, limit) in
        [(KeptKeys::default(), 300), (KeptKeys { labels: Keys::All, annotations: Keys::None }, 400)]
    {
        let table = read_pods(text.as_bytes(), keep, Coverage::Cluster).unwrap();
        assert_eq!((table.len(), table.skipped().pods), (pods, 0));
        assert!(find(&table, &[ip("10.0.48.211")]).starts_with("team-99/payment-service-4166-"));
        let bytes = table.memory() / pods;
        assert!(bytes < limit, "{bytes} bytes a pod");
    }
}
