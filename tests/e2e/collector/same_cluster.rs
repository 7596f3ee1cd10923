//! The Collector and podstamp watch one API server, while pods come and go: what differs is known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use podstamp_test_support::api_server::{ApiServer, Namespace, container_id};
use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::runtime::otelcol;
use serde_json::json;

use super::Collector;
use super::side_by_side::{as_a_collector_needs_it, attributes};
use crate::fake_agent::FakeAgent;
use crate::kubernetes::watching::{Attributes, NOW, Watching, document, request, within};
use crate::served::wait_until;

#[test]
fn of_pods_that_come_and_go_the_collector_and_podstamp_tell_the_same_but_for_what_is_known() {
    let (Some(binary), Some(server)) = (otelcol(), ApiServer::start()) else {
        return;
    };
    let shop = server.namespace();
    let node = shop.node_address(1);
    let web = shop.pod("web-6d4cf8b9d7-x2x7k").label("pod-template-hash", "6d4cf8b9d7");
    let web = web.owner("ReplicaSet", &replica_set(&server, &shop)).create();
    web.run(&[&shop.address(1), &shop.address_v6(1)], &node);
    let container = container_id(7);
    web.containers_run(&[("app", &format!("containerd://{container}"))]);
    let pending = shop.pod("pending-1").create();
    let proxy = shop.pod("proxy-1").host_network().create();
    proxy.run(&[&node], &node);
    let names = ["leaving-1", "gone-1", "replaced-1", "finished-1", "cart-0"];
    let [leaving, gone, replaced, finished, cart] =
        [2, 3, 4, 5, 6].map(|number: u8| shop.running(names[usize::from(number) - 2], &shop.address(number)));
    let mut texts = Texts::of(&shop);
    for pod in [&web, &pending, &proxy, &leaving, &gone, &replaced, &finished, &cart] {
        texts.name(&pod.uid, &format!("uid of {}", pod.name));
        texts.name(pod.object()["metadata"]["creationTimestamp"].as_str().unwrap(), "when it was created");
    }

    let mut sides = Sides::start(&binary, &server, &shop);
    sides.catch_up(&shop, 101);
    let mut seen = Seen::new();
    let mut ask = |sides: &Sides, texts: &Texts, case: &'static str, attributes: Attributes<'_>| {
        seen.insert(case, sides.ask(attributes).map(|side| texts.normal(side)));
    };
    ask(&sides, &texts, "uid", &[("k8s.pod.uid", &*web.uid)]);
    ask(&sides, &texts, "name", &[("host.name", &web.name)]);
    ask(&sides, &texts, "address", &[("k8s.pod.ip", &shop.address(1))]);
    ask(&sides, &texts, "address of the other family", &[("k8s.pod.ip", &shop.address_v6(1))]);
    ask(&sides, &texts, "container", &[("container.id", &container)]);
    ask(&sides, &texts, "no address yet", &[("k8s.pod.uid", &*pending.uid)]);
    ask(&sides, &texts, "host network", &[("k8s.pod.uid", &*proxy.uid)]);
    ask(&sides, &texts, "node's address", &[("k8s.pod.ip", &node)]);

    leaving.delete_gracefully();
    gone.delete_now();
    finished.end("Succeeded");
    replaced.delete_now();
    cart.delete_now();
    for (name, number) in [("next-1", 4), ("after-1", 5), ("cart-0", 7)] {
        let pod = shop.pod(name).create();
        pod.run_since(&[&shop.address(number)], &node, "2026-03-31T23:33:20Z");
        texts.name(&pod.uid, &format!("uid of {name} that came later"));
    }
    sides.catch_up(&shop, 102);
    ask(&sides, &texts, "being deleted", &[("host.name", "leaving-1")]);
    ask(&sides, &texts, "deleted, by uid", &[("k8s.pod.uid", &*gone.uid)]);
    ask(&sides, &texts, "deleted, by name", &[("host.name", "gone-1")]);
    ask(&sides, &texts, "deleted, by address", &[("k8s.pod.ip", &shop.address(3))]);
    ask(&sides, &texts, "address of a deleted pod, used again", &[("k8s.pod.ip", &shop.address(4))]);
    ask(&sides, &texts, "deleted, its address used again, by uid", &[("k8s.pod.uid", &*replaced.uid)]);
    ask(&sides, &texts, "finished, its address used again, by uid", &[("k8s.pod.uid", &*finished.uid)]);
    ask(&sides, &texts, "address of a finished pod, used again", &[("k8s.pod.ip", &shop.address(5))]);
    ask(&sides, &texts, "name that was given again", &[("host.name", "cart-0")]);
    ask(&sides, &texts, "name that was given again, the first by uid", &[("k8s.pod.uid", &*cart.uid)]);

    server.kill();
    ask(&sides, &texts, "without an API server", &[("k8s.pod.uid", &*web.uid)]);
    server.start_again();
    web.status(&json!({"phase": "Failed"}));
    sides.catch_up(&shop, 103);
    ask(&sides, &texts, "after the API server came back", &[("host.name", "marker-101")]);

    let mut found = BTreeSet::new();
    for (case, [theirs, ours]) in &seen {
        let keys: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
        for key in keys {
            let value =
                |side: &BTreeMap<String, String>| side.get(key).map_or(NONE, String::as_str).to_owned();
            if value(theirs) != value(ours) {
                found.insert([(*case).to_owned(), key.clone(), value(theirs), value(ours)]);
            }
        }
    }
    let known: BTreeSet<_> = KNOWN.iter().flat_map(Difference::rows).collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(unknown.is_empty() && gone.is_empty(), "not listed: {unknown:#?}\nlisted, but not so: {gone:#?}");
}

/// Case: what the Collector and podstamp made of it.
type Seen = BTreeMap<&'static str, [BTreeMap<String, String>; 2]>;

/// A ReplicaSet that a Deployment owns: the Collector asks the API, podstamp goes by the name.
fn replica_set(server: &ApiServer, shop: &Namespace<'_>) -> String {
    let name = "web-6d4cf8b9d7";
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0"}]},
    });
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "web-uid", "controller": true,
    });
    let object = json!({
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    });
    server.create(&format!("/apis/apps/v1/namespaces/{}/replicasets", shop.name), &object);
    name.to_owned()
}

/// Collector and podstamp, each towards an agent of its own.
struct Sides {
    collector: (Collector, FakeAgent),
    podstamp: Watching,
}

impl Sides {
    fn start(binary: &Path, server: &ApiServer, shop: &Namespace<'_>) -> Self {
        let account = server.service_account(&shop.name, "reader");
        let verbs = json!(["get", "list", "watch"]);
        account.grant(&json!([
            {"apiGroups": [""], "resources": ["pods", "namespaces", "nodes"], "verbs": verbs},
            {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": verbs},
        ]));
        let config = account.kube_config();
        let balancer = document(&config, &within(&shop.name));
        let extracted = "        - k8s.pod.ip\n        - k8s.deployment.name\n        - k8s.namespace.name\n        - k8s.node.name\n        - k8s.pod.start_time\n";
        let balancer = balancer.replace("        - k8s.pod.ip\n", extracted);
        let agent = FakeAgent::with(|builder| builder.keep_bodies());
        let theirs = format!(
            "{balancer}      exporters: [otlphttp]\nexporters:\n  otlphttp:\n    traces_endpoint: {}\n",
            agent.url()
        );
        // The Collector finds the kubeconfig by its variable alone.
        let theirs = theirs.replace(&format!("    kube_config_path: {}\n", config.display()), "");
        let theirs = as_a_collector_needs_it(&theirs.replace("    auth_type: kubeConfig\n", ""));
        let collector = (Collector::with_otlp(binary, &theirs, &[("KUBECONFIG", &config)]), agent);
        let podstamp = Watching::with(&balancer, |setup| setup);
        podstamp.wait_until_ready();
        Self { collector, podstamp }
    }

    /// Waits until both have heard of a pod that is new, and with it of all that happened before.
    fn catch_up(&mut self, shop: &Namespace<'_>, number: u8) {
        let name = format!("marker-{number}");
        let pod = shop.running(&name, &shop.address(number));
        self.podstamp.wait_for(&pod.uid, &[&shop.address(number)]);
        wait_until("the Collector knows the new pod", || {
            let [theirs, _] = self.ask(&[("host.name", &name)]);
            theirs.get("app.host.ip").is_some_and(|address| *address == shop.address(number))
        });
    }

    /// The attributes with which a resource leaves each.
    fn ask(&self, resource: Attributes<'_>) -> [BTreeMap<String, String>; 2] {
        let body = request(&[resource], NOW);
        let sides = [
            (self.collector.0.http("otlp"), &self.collector.1),
            (self.podstamp.served.address, &self.podstamp.agent),
        ];
        sides.map(|(address, agent)| {
            let before = agent.agent().totals().spans;
            agent.agent().forget_records();
            assert_eq!(Client::connect(address).export(&body).status, 200);
            agent.wait_for_spans(before + 1);
            attributes(&agent.take_message().resource_spans[0])
        })
    }
}

/// What differs from run to run, and what stands for it.
struct Texts(Vec<(String, String)>);

impl Texts {
    fn of(shop: &Namespace<'_>) -> Self {
        let start = |address: String| address.strip_suffix('0').unwrap().to_owned();
        Self(vec![
            (start(shop.address(0)), "10.244.1.".to_owned()),
            (start(shop.address_v6(0)), "fd00::".to_owned()),
            (start(shop.node_address(0)), "192.168.1.".to_owned()),
            (shop.name.clone(), "shop".to_owned()),
        ])
    }

    fn name(&mut self, text: &str, name: &str) {
        self.0.push((text.to_owned(), name.to_owned()));
    }

    fn normal(&self, attributes: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let normal = |text: String| self.0.iter().fold(text, |text, (from, to)| text.replace(from, to));
        attributes.into_iter().map(|(key, value)| (key, normal(value))).collect()
    }
}

/// A reason, and every difference that follows from it.
struct Difference {
    #[expect(dead_code, reason = "for whoever reads the table")]
    why: &'static str,
    cases: &'static [&'static str],
    /// Key, what leaves the Collector, what leaves podstamp.
    attributes: &'static [(&'static str, &'static str, &'static str)],
}

impl Difference {
    fn rows(&self) -> Vec<[String; 4]> {
        let row = |case: &str, (key, theirs, ours): &(&str, &str, &str)| {
            [case, key, theirs, ours].map(str::to_owned)
        };
        let cases = self.cases.iter();
        cases.flat_map(|case| self.attributes.iter().map(move |attribute| row(case, attribute))).collect()
    }
}

/// Stands for an attribute that is not there.
const NONE: &str = "(none)";

const KNOWN: &[Difference] = &[
    Difference {
        why: "a pod is known by all its addresses, not by status.podIP alone",
        cases: &["address of the other family"],
        attributes: &[
            ("k8s.deployment.name", NONE, "web"),
            ("k8s.namespace.name", NONE, "shop"),
            ("k8s.node.name", NONE, "node-1"),
            ("k8s.pod.name", NONE, "web-6d4cf8b9d7-x2x7k"),
            ("k8s.pod.start_time", NONE, "when it was created"),
            ("k8s.pod.uid", NONE, "uid of web-6d4cf8b9d7-x2x7k"),
        ],
    },
    Difference {
        why: "a container leads to its pod without an association; the connection's address, here the test's, is no pod's",
        cases: &["container"],
        attributes: &[("app.host.ip", "127.0.0.1", "10.244.1.1"), ("k8s.pod.ip", "127.0.0.1", NONE)],
    },
    Difference {
        why: "an address that another pod has by now is not stamped for spans that ended since",
        cases: &["deleted, its address used again, by uid"],
        attributes: &[("app.host.ip", "10.244.1.4", "0.0.0.0"), ("k8s.pod.ip", "10.244.1.4", NONE)],
    },
    Difference {
        why: "the same",
        cases: &["finished, its address used again, by uid"],
        attributes: &[("app.host.ip", "10.244.1.5", "0.0.0.0"), ("k8s.pod.ip", "10.244.1.5", NONE)],
    },
    Difference {
        why: "an empty text is no address",
        cases: &["no address yet"],
        attributes: &[("app.host.ip", "", "0.0.0.0"), ("k8s.pod.ip", "", NONE)],
    },
    Difference {
        why: "the pods on a host's network share its address, which therefore tells none of them",
        cases: &["node's address"],
        attributes: &[
            ("app.host.ip", "192.168.1.1", "0.0.0.0"),
            ("k8s.namespace.name", "shop", NONE),
            ("k8s.node.name", "node-1", NONE),
            ("k8s.pod.name", "proxy-1", NONE),
            ("k8s.pod.start_time", "when it was created", NONE),
            ("k8s.pod.uid", "uid of proxy-1", NONE),
        ],
    },
];
