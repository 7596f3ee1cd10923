//! The same traffic through the Collector and through podstamp, with the same document: what differs is known.

mod difference;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::kubernetes::Kubernetes;
use podstamp_test_support::runtime::otelcol;

use self::difference::{BALANCER, Difference, GUESSED, NONE, SIMPLE};
use super::traffic::{cases, request};
use super::{Collector, traffic};
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, fixture};

#[test]
fn the_collector_and_podstamp_differ_only_where_podstamp_means_to() {
    let Some(binary) = otelcol() else {
        return;
    };
    let mut found = BTreeSet::new();
    for document in [BALANCER, SIMPLE] {
        let [collector, podstamp] = Sides::start(&binary, document).send();
        for (case, _) in cases() {
            let (theirs, ours) = (&collector[case], &podstamp[case]);
            // The server reads the address that was stamped, in whatever company.
            let stamped: IpAddr = ours.attributes["app.host.ip"].parse().unwrap();
            assert_eq!(ours.addresses, [stamped; 2], "{document}: {case}");
            if document == BALANCER && GUESSED.contains(&case) {
                continue;
            }
            let keys: BTreeSet<_> = theirs.attributes.keys().chain(ours.attributes.keys()).collect();
            for key in keys {
                let value = |seen: &Seen| seen.attributes.get(key).map_or(NONE, String::as_str).to_owned();
                if value(theirs) != value(ours) {
                    found.insert([document, case, key, &value(theirs), &value(ours)].map(str::to_owned));
                }
            }
        }
    }
    let known: BTreeSet<_> = difference::KNOWN.iter().flat_map(Difference::rows).collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(unknown.is_empty() && gone.is_empty(), "not listed: {unknown:#?}\nlisted, but not so: {gone:#?}");
}

#[test]
fn of_two_pods_with_one_name_the_collector_takes_either_and_podstamp_none_but_the_one_that_is_meant() {
    let Some(binary) = otelcol() else {
        return;
    };
    let [collector, podstamp] = Sides::start(&binary, BALANCER).send();
    let address = |seen: &BTreeMap<String, Seen>, case: &str| seen[case].attributes["app.host.ip"].clone();
    for case in GUESSED {
        let taken = address(&collector, case);
        assert!(["10.244.1.31", "10.244.2.31"].contains(&taken.as_str()), "{case}: {taken}");
    }
    assert_eq!(address(&podstamp, "name in two namespaces"), "0.0.0.0");
    assert_eq!(address(&podstamp, "name and namespace"), "10.244.2.31");
}

/// The agent adds the sender's address, here the Collector's, to resources that have none, but only up to the first that
/// has one.
#[test]
fn what_the_collector_leaves_unstamped_gets_another_address_alone_than_in_company() {
    let Some(binary) = otelcol() else {
        return;
    };
    let [collector, podstamp] = Sides::start(&binary, BALANCER).send();
    let [alone, in_company]: [IpAddr; 2] = [[127, 0, 0, 1].into(), [0, 0, 0, 0].into()];
    assert_eq!(collector["unknown host name"].addresses, [in_company, alone]);
    assert_eq!(podstamp["unknown host name"].addresses, [in_company; 2]);
}

/// Collector and podstamp, each towards an agent of its own.
struct Sides {
    collector: (Collector, FakeAgent),
    podstamp: (Served, FakeAgent),
    _kubernetes: Kubernetes,
}

/// The resource that an agent got for a case.
#[derive(Debug, Default)]
struct Seen {
    /// The attributes of the resource, by key; of a key that is there twice, all values.
    attributes: BTreeMap<String, String>,
    /// The address that DeepFlow would use where it came in a request with others, and in one of its own.
    addresses: Vec<IpAddr>,
}

impl Sides {
    fn start(binary: &Path, document: &str) -> Self {
        let agents = [(); 2].map(|()| FakeAgent::with(|builder| builder.keep_bodies()));
        let pods = fixture("pods.json");
        let kubernetes = Kubernetes::serve(&pods);
        let [one, other] = agents;
        let config = with_upstream(document, &one.url());
        let collector = Collector::with_otlp(
            binary,
            &as_a_collector_needs_it(&config),
            &[("KUBECONFIG", &kubernetes.config())],
        );
        let config = with_upstream(document, &other.url());
        let served = Setup { config, ..Setup::default() }.pods(pods).serve();
        Self { collector: (collector, one), podstamp: (served, other), _kubernetes: kubernetes }
    }

    /// Sends all cases through both, on a connection each: all in one request, then each in its own.
    fn send(&self) -> [BTreeMap<String, Seen>; 2] {
        let all = cases();
        [(self.collector.0.http("otlp"), &self.collector.1), (self.podstamp.0.address, &self.podstamp.1)].map(
            |(address, agent)| {
                let mut client = Client::connect(address);
                assert_eq!(client.export(&request(&all)).status, 200);
                // A Collector has it in a queue: one after the other, so that they arrive in order.
                agent.wait_for_spans(all.len() as u64);
                for (index, case) in all.iter().enumerate() {
                    assert_eq!(client.export(&request(std::slice::from_ref(case))).status, 200);
                    agent.wait_for_spans((all.len() + index + 1) as u64);
                }
                seen(agent)
            },
        )
    }
}

fn seen(agent: &FakeAgent) -> BTreeMap<String, Seen> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (record, message) in agent.records().iter().zip(agent.messages()) {
        assert_eq!(record.resources.len(), message.resource_spans.len());
        for (stored, arrived) in record.resources.iter().zip(message.resource_spans) {
            let span = &arrived.scope_spans[0].spans[0];
            assert_eq!(*span, traffic::span(&span.name), "a span is nobody's to change");
            let attributes = attributes(&arrived);
            let seen = seen.entry(span.name.clone()).or_default();
            if seen.addresses.is_empty() {
                seen.attributes = attributes;
            } else {
                assert_eq!(seen.attributes, attributes, "{}: alone and with others", span.name);
            }
            seen.addresses.push(stored.server_address);
        }
    }
    seen
}

pub(super) fn attributes(resource: &ResourceSpans) -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<String, String> = BTreeMap::new();
    for attribute in resource.resource.iter().flat_map(|resource| &resource.attributes) {
        let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(other) => format!("{other:?}"),
            None => String::new(),
        };
        let entry = attributes.entry(attribute.key.clone()).or_default();
        if !entry.is_empty() {
            entry.push_str(" and ");
        }
        entry.push_str(&value);
    }
    attributes
}

/// The document as DeepFlow has it, but for the address of the agent. Where the page shows only processors, the exporter is
/// the one of its other document.
fn with_upstream(document: &str, url: &str) -> String {
    let simple = fixture("deepflow-simple.yaml");
    let (exporters, _) = simple.split_once("processors:").unwrap();
    let mut text = fixture(document);
    if !text.contains("exporters:") {
        text = format!("{exporters}{text}      exporters: [otlphttp]\n");
    }
    text.replace("http://deepflow-agent.deepflow/api/v1/otel/trace", url)
}

/// With what a test lacks or the page leaves out: a pipeline's receivers, and the API of a cluster that is not around it.
pub(super) fn as_a_collector_needs_it(config: &str) -> String {
    let changed = config.replace("    traces:\n", "    traces:\n      receivers: [otlp]\n");
    assert_ne!(changed, config);
    let config = changed.replace("    auth_type: \"serviceAccount\"\n", "");
    let changed = config.replace(
        "  k8sattributes:\n",
        "  k8sattributes:\n    auth_type: kubeConfig\n    wait_for_metadata: true\n",
    );
    assert_ne!(changed, config);
    changed.replace("service:\n", "service:\n  telemetry:\n    metrics:\n      level: none\n")
}
