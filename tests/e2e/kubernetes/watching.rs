//! podstamp that watches an API server, between clients and a fake agent.

use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use podstamp_core::directory::{Details, Directory, Lookup, Term};
use podstamp_pods::{ListingReader, Table};
use podstamp_test_support::blocking::http::{Client, PROTOBUF, get};
use podstamp_test_support::spans::span;
use prost::Message;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, exporter, fixture, wait_until};

/// A running podstamp and its agent.
pub(crate) struct Watching {
    pub(crate) served: Served,
    pub(crate) agent: FakeAgent,
}

/// What a client says of a resource: keys and values.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// DeepFlow's document for load balancers, with pods from the API that a kubeconfig leads to, and further lines in
/// `k8sattributes`, indented by four.
pub(crate) fn document(kube_config: &Path, lines: &str) -> String {
    let access = format!("auth_type: kubeConfig\n    kube_config_path: {}\n{lines}", kube_config.display());
    let document = fixture("deepflow-load-balancer.yaml");
    assert!(document.contains("auth_type: \"serviceAccount\"\n"));
    document.replace("auth_type: \"serviceAccount\"\n", &access)
}

/// Of [`document`]: the pods of a namespace alone.
pub(crate) fn within(namespace: &str) -> String {
    format!("    filter:\n      namespace: {namespace}\n")
}

impl Watching {
    /// Starts podstamp, and waits until it knows the pods.
    pub(crate) fn start(kube_config: &Path, lines: &str) -> Self {
        let watching = Self::begin(kube_config, lines);
        watching.wait_until_ready();
        watching
    }

    /// Starts podstamp.
    pub(crate) fn begin(kube_config: &Path, lines: &str) -> Self {
        Self::with(&document(kube_config, lines), |setup| setup)
    }

    /// Starts podstamp with a document that lacks an exporter. Whoever connects may say whom it speaks for.
    pub(crate) fn with(document: &str, change: impl FnOnce(Setup) -> Setup) -> Self {
        let agent = FakeAgent::with(|builder| builder.keep_bodies());
        let config = format!("{document}\n{}", exporter(&agent.url()));
        let setup = Setup { config, ..Setup::default() }.own("  trusted_proxies: [127.0.0.1]\n");
        Self { served: change(setup).serve(), agent }
    }

    pub(crate) fn wait_until_ready(&self) {
        wait_until("podstamp is ready", || self.readiness().0 == 200);
    }

    /// Status and text of `/readyz`.
    pub(crate) fn readiness(&self) -> (u16, String) {
        get(self.served.admin, "/readyz")
    }

    /// The table that spans are looked up in; one without pods while there is none.
    pub(crate) fn table(&self) -> Option<Table> {
        let response =
            Client::connect(self.served.admin).send("GET", "/pods", &[("connection", "close")], b"");
        (response.status == 200).then(|| ListingReader::new(response.body).finish().unwrap())
    }

    /// The addresses of a pod that the table has; `None`: it has no such pod.
    pub(crate) fn addresses(&self, uid: &str) -> Option<Vec<String>> {
        match self.table()?.find(&[Term::Uid(uid)], Details::default()) {
            Lookup::Found(pod) => Some(pod.ips.iter().map(ToString::to_string).collect()),
            _ => None,
        }
    }

    /// Waits until the table has a pod with these addresses.
    pub(crate) fn wait_for(&self, uid: &str, addresses: &[&str]) {
        wait_until(&format!("{uid} has {addresses:?}"), || {
            self.addresses(uid).is_some_and(|found| found == addresses)
        });
    }

    /// Waits until the table lacks a pod.
    pub(crate) fn wait_until_gone(&self, uid: &str) {
        wait_until(&format!("{uid} is gone"), || self.addresses(uid).is_none());
    }

    /// The address with which DeepFlow gets a span of a resource that comes from 127.0.0.1, which is no pod's.
    pub(crate) fn stamped(&self, attributes: Attributes<'_>) -> String {
        self.send(attributes, None, NOW).0
    }

    /// The same for a resource that comes from some address.
    pub(crate) fn stamped_from(&self, peer: &str, attributes: Attributes<'_>) -> String {
        self.send(attributes, Some(peer), NOW).0
    }

    /// The same for a span that ended at some time, in seconds since 1970.
    pub(crate) fn stamped_late(&self, attributes: Attributes<'_>, ended: u64) -> String {
        self.send(attributes, None, ended).0
    }

    /// The attributes of a resource as the agent got it.
    pub(crate) fn written(&self, attributes: Attributes<'_>) -> Vec<(String, String)> {
        self.send(attributes, None, NOW).1
    }

    /// The same for one without attributes that comes from some address.
    pub(crate) fn written_from(&self, peer: &str) -> Vec<(String, String)> {
        self.send(&[], Some(peer), NOW).1
    }

    fn send(
        &self,
        attributes: Attributes<'_>,
        peer: Option<&str>,
        ended: u64,
    ) -> (String, Vec<(String, String)>) {
        self.agent.agent().forget_records();
        let mut headers = vec![PROTOBUF];
        headers.extend(peer.map(|peer| ("x-forwarded-for", peer)));
        let body = request(&[attributes], ended);
        let response = Client::connect(self.served.address).send("POST", "/v1/traces", &headers, &body);
        assert_eq!(response.status, 200, "{}", response.message());
        self.received()
    }

    /// The address of the one resource that the agent got, and its attributes.
    pub(crate) fn received(&self) -> (String, Vec<(String, String)>) {
        let records = self.agent.records();
        let [record] = records.as_slice() else { panic!("one request becomes {}", records.len()) };
        let address = record.resources[0].server_address.to_string();
        let message = self.agent.take_message();
        let resource = message.resource_spans.into_iter().next().unwrap().resource.unwrap();
        let texts = resource.attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value)));
        (address, texts.collect())
    }
}

/// A request with a span of each resource, which ended at some time, in seconds since 1970.
pub(crate) fn request(resources: &[Attributes<'_>], ended: u64) -> Vec<u8> {
    let resource_spans = resources.iter().map(|attributes| {
        let scope_spans =
            vec![ScopeSpans { spans: vec![span(ended * 1_000_000_000, &[])], ..Default::default() }];
        let attributes = attributes.iter().map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
            ..Default::default()
        });
        let resource = Some(Resource { attributes: attributes.collect(), ..Default::default() });
        ResourceSpans { resource, scope_spans, ..Default::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

/// What is stamped where the pod, or its address, is not known.
pub(crate) const UNKNOWN: &str = "0.0.0.0";

/// Later than the pods of the tests started, and not ahead of any clock.
pub(crate) const NOW: u64 = 1_790_000_000;
