//! Where podstamp and the Collector differ, and why.

/// A reason, and every difference that follows from it in the traffic of the test.
pub(super) struct Difference {
    #[expect(dead_code, reason = "for whoever reads the table")]
    why: &'static str,
    documents: &'static [&'static str],
    cases: &'static [&'static str],
    /// Key, what leaves the Collector, what leaves podstamp.
    attributes: &'static [(&'static str, &'static str, &'static str)],
}

impl Difference {
    /// Document, case, key and the two values, for each.
    pub(super) fn rows(&self) -> Vec<[String; 5]> {
        let documents = self.documents.iter();
        let cases = documents.flat_map(|document| self.cases.iter().map(move |case| (*document, *case)));
        let rows = cases.flat_map(|(document, case)| {
            self.attributes.iter().map(move |(key, theirs, ours)| [document, case, *key, *theirs, *ours])
        });
        rows.map(|row| row.map(str::to_owned)).collect()
    }
}

pub(super) const BALANCER: &str = "deepflow-load-balancer.yaml";
pub(super) const SIMPLE: &str = "deepflow-simple.yaml";
/// Stands for an attribute that is not there.
pub(super) const NONE: &str = "(none)";

/// Cases of a name that several namespaces have. The Collector goes by the name alone, and takes the pod that it heard of
/// last, which may be either.
pub(super) const GUESSED: &[&str] = &["name in two namespaces", "name and namespace"];

const BOTH: &[&str] = &[BALANCER, SIMPLE];
const UNKNOWN: &str = "0.0.0.0";
/// The client of the Collector, here the test.
const SENDER: &str = "127.0.0.1";

pub(super) const KNOWN: &[Difference] = &[
    // === what podstamp finds and the Collector does not
    Difference {
        why: "a pod is known by all its addresses, not by status.podIP alone",
        documents: &[BALANCER],
        cases: &["pod ip of the other family"],
        attributes: &[
            ("k8s.pod.name", NONE, "item-6c8f7d9b44-q9w8e"),
            ("k8s.pod.uid", NONE, "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a02"),
        ],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["pod ip of the other family"],
        attributes: &[
            ("k8s.deployment.name", NONE, "item"),
            ("k8s.namespace.name", NONE, "shop"),
            ("k8s.node.name", NONE, "node-2"),
            ("k8s.pod.name", NONE, "item-6c8f7d9b44-q9w8e"),
            ("k8s.pod.start_time", NONE, "2026-11-20T08:00:00Z"),
            ("k8s.pod.uid", NONE, "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a02"),
        ],
    },
    Difference {
        why: "where an identifier finds no pod the next association is tried",
        documents: &[BALANCER],
        cases: &["unknown host name, known ip"],
        attributes: &[("k8s.pod.uid", NONE, "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01")],
    },
    Difference {
        why: "what a resource says of its pod finds it without an association",
        documents: &[SIMPLE],
        cases: &["host name", "pod name"],
        attributes: &[("app.host.ip", NONE, "10.244.1.17")],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["pod uid"],
        attributes: &[("app.host.ip", NONE, "10.244.2.40")],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["name and namespace"],
        attributes: &[("app.host.ip", NONE, "10.244.2.31")],
    },
    Difference {
        why: "the same; its eBPF spans have the node's address",
        documents: &[SIMPLE],
        cases: &["host network by name"],
        attributes: &[("app.host.ip", NONE, "192.168.10.11")],
    },
    // === where the Collector guesses and podstamp does not
    Difference {
        why: "a pod that has another address than the resource says is not the one",
        documents: &[BALANCER],
        cases: &["app.host.ip of another pod"],
        attributes: &[
            ("k8s.pod.ip", "10.244.1.17", NONE),
            ("k8s.pod.uid", "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01", NONE),
        ],
    },
    Difference {
        why: "the pods on a host's network share its address, which therefore tells none of them",
        documents: &[BALANCER],
        cases: &["node address as pod ip"],
        attributes: &[
            ("app.host.ip", "192.168.10.11", UNKNOWN),
            ("k8s.pod.name", "kube-proxy-4hxkq", NONE),
            ("k8s.pod.uid", "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a05", NONE),
        ],
    },
    Difference {
        why: "the same; this document has no association by attributes",
        documents: &[SIMPLE],
        cases: &["node address as pod ip"],
        attributes: &[("app.host.ip", "192.168.10.11", UNKNOWN)],
    },
    Difference {
        why: "a pod whose annotation says `ignore` is ignored: the Collector drops annotations that no rule extracts before it looks",
        documents: &[BALANCER],
        cases: &["ignored pod"],
        attributes: &[
            ("app.host.ip", "10.244.1.60", UNKNOWN),
            ("k8s.pod.ip", "10.244.1.60", NONE),
            ("k8s.pod.uid", "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a0a", NONE),
        ],
    },
    Difference {
        why: "the connection's address is stamped only if it can be a pod's",
        documents: &[BALANCER],
        cases: &["nothing", "service alone", "no resource"],
        attributes: &[("app.host.ip", SENDER, UNKNOWN), ("k8s.pod.ip", SENDER, NONE)],
    },
    Difference {
        why: "the same",
        documents: &[BALANCER],
        cases: &["app.host.ip", "app.host.ip mapped", "app.host.ip twice"],
        attributes: &[("k8s.pod.ip", SENDER, NONE)],
    },
    // === what deepflow-agent needs
    Difference {
        why: "every resource leaves with an address: the agent would add the sender's, or stop adding",
        documents: &[BALANCER],
        cases: &["unknown host name"],
        attributes: &[("app.host.ip", NONE, UNKNOWN)],
    },
    Difference {
        why: "the same; since v0.140 the Collector writes no k8s.pod.ip that is not listed in `extract`, and this document lists none",
        documents: &[SIMPLE],
        cases: &[
            "name in two namespaces",
            "ignored pod",
            "unknown host name",
            "nothing",
            "service alone",
            "no resource",
        ],
        attributes: &[("app.host.ip", NONE, UNKNOWN)],
    },
    Difference {
        why: "what is no address is not stamped",
        documents: BOTH,
        cases: &["pod ip that is none"],
        attributes: &[("app.host.ip", "not an address", UNKNOWN)],
    },
    Difference {
        why: "the same",
        documents: BOTH,
        cases: &["pod ip that is a number"],
        attributes: &[("app.host.ip", "IntValue(7)", UNKNOWN)],
    },
    Difference {
        why: "an address leaves as DeepFlow writes it",
        documents: BOTH,
        cases: &["app.host.ip mapped"],
        attributes: &[("app.host.ip", "::ffff:10.244.1.17", "10.244.1.17")],
    },
    Difference {
        why: "and once",
        documents: BOTH,
        cases: &["app.host.ip twice"],
        attributes: &[("app.host.ip", "unknown and 10.244.1.17", "10.244.1.17")],
    },
    Difference {
        why: "one that is unusable is repaired",
        documents: BOTH,
        cases: &["app.host.ip that is none"],
        attributes: &[("app.host.ip", "unknown", "10.244.1.17")],
    },
    Difference {
        why: "the same",
        documents: BOTH,
        cases: &["app.host.ip empty"],
        attributes: &[("app.host.ip", "", "10.244.1.17")],
    },
    Difference {
        why: "the same",
        documents: BOTH,
        cases: &["app.host.ip that is a number"],
        attributes: &[("app.host.ip", "IntValue(7)", "10.244.1.17")],
    },
    // === what the Collector writes and podstamp does not
    Difference {
        why: "podstamp's directory knows no images",
        documents: &[SIMPLE],
        cases: &["pod ip"],
        attributes: &[
            ("container.image.name", "registry.example.com/item", NONE),
            ("container.image.tag", "1.0", NONE),
        ],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["address of a finished pod, used again"],
        attributes: &[
            ("container.image.name", "registry.example.com/stock", NONE),
            ("container.image.tag", "1.0", NONE),
        ],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["address of two pods"],
        attributes: &[
            ("container.image.name", "registry.example.com/user", NONE),
            ("container.image.tag", "1.0", NONE),
        ],
    },
    Difference {
        why: "the same",
        documents: &[SIMPLE],
        cases: &["unknown host name, known ip"],
        attributes: &[
            ("container.image.name", "registry.example.com/shop-web", NONE),
            ("container.image.tag", "1.0", NONE),
        ],
    },
];
