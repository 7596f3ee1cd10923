//! What is kept of a resource for later requests, and that it is used only where nothing else would come out.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::Stamps;
use crate::directory::{Details, Directory, Lookup, Pod, Term, address_key, change_key};
use crate::pipeline::fixture::{Table, pod};

/// A directory in a state that the test sets.
#[derive(Default)]
struct Known {
    table: Table,
    state: u64,
    /// What has changed since the first state.
    changed: Vec<u32>,
}

impl Directory for Known {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.table.find(terms, want)
    }

    fn state(&self) -> Option<u64> {
        Some(self.state)
    }

    fn unchanged(&self, _: u64, keys: &[u32]) -> bool {
        !keys.iter().any(|key| self.changed.contains(key))
    }
}

/// Requests to one filter, each of them tried with what is known of the ones ahead of it and without.
struct Requests {
    filter: Filter,
    pods: Known,
    stamps: Stamps,
}

impl Requests {
    /// `more` is laid over DeepFlow's configuration.
    fn new(pods: Vec<Pod>, more: &Json) -> Self {
        let mut document: Json = serde_json::from_str(crate::config::DEFAULT_DOCUMENT).unwrap();
        for (section, entries) in more.as_object().unwrap() {
            for (name, entry) in entries.as_object().unwrap() {
                document[section][name] = entry.clone();
            }
        }
        let filter = Filter::configure(&document).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let table = Table { pods, covers_cluster: true, ..Table::default() };
        Self { filter, pods: Known { table, state: 1, changed: Vec::new() }, stamps: Stamps::with_room() }
    }

    /// Sends a body; gives the values of `key` as they leave, and whether the directory was asked.
    fn send(&mut self, peer: &str, tenant: &str, body: &[u8], key: &str) -> (Vec<String>, bool) {
        let headers =
            [Header::new("content-type", "application/x-protobuf"), Header::new("x-tenant", tenant)];
        let peer = Some(peer.parse().unwrap());
        let now = Some(NOW);
        let request =
            Request { signal: Signal::Traces, path: "/v1/traces", peer, headers: &headers, body, now };
        let plain = self.filter.prepare(&request, &self.pods);
        self.pods.table.asked.borrow_mut().clear();
        let prepared = self.filter.prepare_with(&request, &self.pods, &mut self.stamps);
        assert_eq!(prepared, plain);
        let Verdict::Forward(outbound) = prepared.verdict else { panic!("{prepared:?}") };
        let sent = outbound.content.into_body(body.to_vec()).unwrap();
        let sent = ExportTraceServiceRequest::decode(&sent[..]).unwrap();
        let attributes = sent.resource_spans.into_iter().flat_map(|spans| spans.resource.unwrap().attributes);
        let values = attributes.filter(|attribute| attribute.key == key).map(|attribute| {
            match attribute.value.and_then(|value| value.value) {
                Some(Value::StringValue(text)) => text,
                other => panic!("{other:?}"),
            }
        });
        (values.collect(), !self.pods.table.asked.borrow().is_empty())
    }

    /// The addresses that a body of these resources leaves with, and whether the directory was asked.
    fn addresses(&mut self, resources: &[&[(&str, &str)]]) -> (Vec<String>, bool) {
        self.send(PEER, "blue", &body(resources, &[NOW]), "app.host.ip")
    }
}

/// A body with these resources, each of which has spans that end then.
fn body(resources: &[&[(&str, &str)]], ends: &[u64]) -> Vec<u8> {
    let attribute = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
        ..KeyValue::default()
    };
    let span = |end: &u64| Span { end_time_unix_nano: *end, ..Span::default() };
    let spans = |attributes: &&[(&str, &str)]| ResourceSpans {
        resource: Some(Resource {
            attributes: attributes.iter().map(attribute).collect(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans { spans: ends.iter().map(span).collect(), ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    let resource_spans = resources.iter().map(spans).collect();
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

const NOW: u64 = 1_780_000_000_000_000_000;
const PEER: &str = "10.1.0.7";
const WEB: &[(&str, &str)] = &[("service.name", "web"), ("k8s.pod.uid", "uid-web-1")];
const CART: &[(&str, &str)] = &[("service.name", "cart"), ("k8s.pod.uid", "uid-cart-1")];

fn pods() -> Vec<Pod> {
    vec![pod("web-1", &["10.1.1.1"]), pod("cart-1", &["10.1.1.2"])]
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn of_a_resource_that_comes_again_the_directory_is_not_asked() {
    let mut requests = Requests::new(pods(), &json!({}));
    let both = texts(["10.1.1.1", "10.1.1.2"]);
    assert_eq!(requests.addresses(&[WEB, CART]), (both.clone(), true));
    assert_eq!(requests.addresses(&[WEB, CART]), (both, false));
    let other: &[(&str, &str)] = &[("service.name", "web"), ("k8s.pod.uid", "uid-cart-1")];
    assert_eq!(requests.addresses(&[CART, other, WEB]), (texts(["10.1.1.2", "10.1.1.2", "10.1.1.1"]), true));
}

#[test]
fn one_that_comes_with_its_address_stays_as_it_is() {
    let mut requests = Requests::new(pods(), &json!({}));
    let body = body(&[WEB], &[NOW]);
    requests.send(PEER, "blue", &body, "app.host.ip");
    let stamped: &[(&str, &str)] = &[
        ("k8s.pod.uid", "uid-web-1"),
        ("k8s.pod.ip", "10.1.1.1"),
        ("k8s.pod.name", "web-1"),
        ("app.host.ip", "10.1.1.1"),
    ];
    for asks in [true, false] {
        assert_eq!(requests.addresses(&[stamped]), (texts(["10.1.1.1"]), asks));
    }
}

#[test]
fn a_directory_that_changes_is_asked_again() {
    let mut requests = Requests::new(pods(), &json!({}));
    requests.addresses(&[WEB, CART]);
    requests.pods.table.pods[0] = pod("web-1", &["10.1.1.9"]);
    requests.pods.state += 1;
    requests.pods.changed = vec![change_key(&[Term::Uid("uid-web-1")])];
    assert_eq!(requests.addresses(&[CART]), (texts(["10.1.1.2"]), false), "it is about another pod");
    assert_eq!(requests.addresses(&[WEB]), (texts(["10.1.1.9"]), true));
    requests.pods.changed.clear();
    assert_eq!(requests.addresses(&[WEB, CART]), (texts(["10.1.1.9", "10.1.1.2"]), false));
    // Another pod takes the address over.
    let released = Pod { released: Some(1), ..pod("web-1", &["10.1.1.9"]) };
    requests.pods.table.pods[0] = released;
    requests.pods.state += 1;
    requests.pods.changed = vec![address_key([10, 1, 1, 9].into())];
    assert!(requests.addresses(&[WEB]).1);
}

#[test]
fn the_same_resource_of_another_sender_is_looked_at() {
    let mut requests = Requests::new(Vec::new(), &json!({}));
    requests.pods.table.covers_cluster = false;
    let body = body(&[&[("service.name", "web")]], &[NOW]);
    for peer in ["10.1.0.7", "10.1.0.8", "10.1.0.7"] {
        assert_eq!(requests.send(peer, "blue", &body, "app.host.ip").0, texts([peer]));
    }
}

#[test]
fn what_a_header_decides_is_not_kept() {
    let mut requests = Requests::new(
        pods(),
        &json!({
            "receivers": {"otlp": {"protocols": {"http": {"include_metadata": true}}}},
            "processors": {"resource": {"attributes": [
                {"key": "tenant", "from_context": "metadata.x-tenant", "action": "insert"},
            ]}},
            "service": {"pipelines": {"traces": {
                "receivers": ["otlp"], "processors": ["resource"], "exporters": ["otlphttp"],
            }}},
        }),
    );
    let body = body(&[WEB], &[NOW]);
    for tenant in ["blue", "green", "blue"] {
        assert_eq!(requests.send(PEER, tenant, &body, "tenant").0, texts([tenant]));
    }
}

#[test]
fn what_the_end_of_spans_decides_is_not_kept() {
    // The address is another pod's since then: spans from before are this pod's.
    let old = Pod { released: Some(NOW), ..pod("web-1", &["10.1.1.1"]) };
    let mut requests = Requests::new(vec![old], &json!({}));
    let mut address = |end: u64| requests.send("10.9.9.9", "blue", &body(&[WEB], &[end]), "app.host.ip").0;
    let (before, after) = (address(NOW - 1), address(NOW + 1));
    assert_ne!(before, after);
    for _ in 0..2 {
        assert_eq!((address(NOW - 1), address(NOW + 1)), (before.clone(), after.clone()));
    }
}

#[test]
fn rules_about_spans_hold_for_a_resource_that_is_known() {
    let mut requests = Requests::new(pods(), &json!({"podstamp": {"guard": {"spans_per_request": 3}}}));
    let sizes = [1, 2, 3, 4, 9, 1];
    // Ahead of the clock, long ago, without an end: each is told with the service that the resource names.
    for end in [NOW, NOW + 3_600_000_000_000, 1, 0] {
        for spans in sizes {
            let body = body(&[WEB, CART, WEB], &vec![end; spans]);
            let (addresses, _) = requests.send(PEER, "blue", &body, "app.host.ip");
            assert_eq!(addresses[0], "10.1.1.1");
        }
    }
}
