//! What is told of a request, on the pipeline that DeepFlow documents for load balancers.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::{Value as Json, json};

use super::limits::size_of_resource;
use crate::Filter;
use crate::config::DEFAULT_DOCUMENT;
use crate::interface::{
    AddressSource, CollectorStamp, Examination, Examined, ExaminedAttribute, ExaminedResource, Header,
    LookupAnswer, Request, Signal,
};
use crate::pipeline::fixture::{Table, pod};

const ALL: Examination = Examination { payloads: true, resources: 1000, spans: 1000, text: 1000 };

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource_spans(attributes: &[(&str, &str)], spans: Vec<Span>) -> ResourceSpans {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn body(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn document() -> Json {
    serde_json::from_str(DEFAULT_DOCUMENT).unwrap()
}

/// A request in protobuf, of traces.
fn request<'a>(body: &'a [u8], peer: &str, headers: &'a [Header]) -> Request<'a> {
    let peer = peer.parse().ok();
    Request { signal: Signal::Traces, path: "/v1/traces", peer, headers, body, now: None }
}

fn protobuf() -> [Header; 1] {
    [Header::new("content-type", "application/x-protobuf")]
}

fn examine(body: &[u8], peer: &str, table: &Table, options: &Examination) -> Examined {
    let filter = Filter::configure(&document()).unwrap();
    filter.examine(&request(body, peer, &protobuf()), options, table)
}

/// The only resource of a request that has these attributes.
fn examined(attributes: &[(&str, &str)], peer: &str, table: &Table) -> ExaminedResource {
    let mut examined = examine(&body(vec![resource_spans(attributes, vec![])]), peer, table, &ALL);
    assert_eq!((&examined.fault, examined.resources.len()), (&None, 1));
    examined.resources.remove(0)
}

/// Two pods of a cluster that is known whole, and a node.
fn shop() -> Table {
    Table {
        pods: vec![pod("cart-0", &["10.1.0.7", "fd00::7"]), pod("relay-0", &["10.1.0.9"])],
        nodes: vec!["10.0.0.1".parse().unwrap()],
        containers: vec![("uid-cart-0", "main", "c0ffee")],
        covers_cluster: true,
        ..Table::default()
    }
}

fn pod_of(resource: &ExaminedResource) -> Option<&str> {
    resource.pod.as_ref().map(|pod| pod.name.as_str())
}

fn collector(address: Option<&str>, pod: Option<&str>) -> CollectorStamp {
    CollectorStamp { address: address.map(str::to_owned), pod: pod.map(str::to_owned) }
}

#[test]
fn a_resource_is_told_with_its_service_its_address_its_pod_and_its_spans() {
    let span = Span {
        trace_id: vec![9; 16],
        span_id: vec![7; 8],
        parent_span_id: vec![8; 8],
        name: "GET /".to_owned(),
        kind: 9,
        start_time_unix_nano: 5,
        end_time_unix_nano: 11,
        attributes: vec![attribute("http.route", "/")],
        status: Some(Status { message: "no".to_owned(), code: 2 }),
        ..Span::default()
    };
    let body = body(vec![resource_spans(
        &[("service.name", "cart"), ("service.namespace", "shop"), ("service.instance.id", "1")],
        vec![span],
    )]);
    let told = examine(&body, "10.1.0.7", &shop(), &ALL);
    assert_eq!((told.fault, told.resources_omitted, told.spans_omitted), (None, 0, 0));
    let [resource] = &told.resources[..] else { panic!("one resource") };
    let ExaminedResource { service, service_namespace, service_instance, .. } = resource;
    assert_eq!([service, service_namespace, service_instance], ["cart", "shop", "1"]);
    assert_eq!((resource.found, resource.address.as_deref()), (AddressSource::Pipeline, Some("10.1.0.7")));
    let pod = resource.pod.as_ref().unwrap();
    assert_eq!([&pod.namespace, &pod.name, &pod.uid, &pod.node], ["shop", "cart-0", "uid-cart-0", "node-1"]);
    assert_eq!(
        (&pod.addresses[..], pod.host_network),
        (&["10.1.0.7".to_owned(), "fd00::7".to_owned()][..], false)
    );
    assert_eq!(resource.connection.as_deref(), Some("10.1.0.7"));
    assert_eq!(resource.collector, collector(Some("10.1.0.7"), Some("shop/cart-0")));
    assert_eq!((resource.spans_total, resource.spans.len()), (1, 1));
    let span = &resource.spans[0];
    assert_eq!((span.name.as_str(), span.kind, span.start, span.end, span.error), ("GET /", 0, 5, 11, true));
    assert_eq!((&span.trace_id[..], &span.span_id[..]), (&[9; 16][..], &[7; 8][..]));
    assert_eq!((&span.parent_span_id[..], span.status_message.as_str()), (&[8; 8][..], "no"));
    let route = ExaminedAttribute { key: "http.route".to_owned(), value: "/".to_owned() };
    assert_eq!(span.attributes, [route]);
    let without = examine(&body, "10.1.0.7", &shop(), &Examination { payloads: false, ..ALL });
    let span = &without.resources[0].spans[0];
    assert_eq!((span.status_message.as_str(), span.attributes.len()), ("", 0));
    assert!(span.error);
}

#[test]
fn claims_changes_and_lookups_tell_why() {
    let attributes =
        [("host.name", "laptop"), ("service.name", "cart"), ("app.host.ip", "x"), ("app.host.ip", "y")];
    let resource = examined(&attributes, "10.1.0.7", &shop());
    let claims: Vec<_> =
        resource.claims.iter().map(|claim| (claim.key.as_str(), claim.value.as_str())).collect();
    assert_eq!(claims, [("host.name", "laptop"), ("app.host.ip", "x"), ("app.host.ip", "y")]);
    let changes: Vec<_> = resource
        .changes
        .iter()
        .map(|change| (change.key.as_str(), change.before.as_deref(), change.after.as_deref()))
        .collect();
    let expected = [
        ("app.host.ip", Some("x, y"), Some("10.1.0.7")),
        ("k8s.pod.ip", None, Some("10.1.0.7")),
        ("k8s.pod.name", None, Some("laptop")),
        ("k8s.pod.uid", None, Some("uid-cart-0")),
    ];
    assert_eq!(changes, expected.map(|(key, before, after)| (key, before, after)));
    let lookups: Vec<_> = resource
        .lookups
        .iter()
        .map(|lookup| (lookup.terms.join(" "), lookup.answer, lookup.pod.as_deref()))
        .collect();
    let text = str::to_owned;
    assert_eq!(
        lookups[..2],
        [
            (text("k8s.pod.name=laptop"), LookupAnswer::Absent, None),
            (text("k8s.pod.ip=10.1.0.7"), LookupAnswer::Found, Some("shop/cart-0")),
        ]
    );
    // The Collector stops at the name, which is no pod's.
    assert_eq!(resource.collector, collector(Some("x"), None));
}

#[test]
fn an_untouched_resource_has_no_changes() {
    let attributes = [
        ("app.host.ip", "10.1.0.7"),
        ("k8s.pod.ip", "10.1.0.7"),
        ("k8s.pod.name", "cart-0"),
        ("k8s.pod.uid", "uid-cart-0"),
    ];
    let resource = examined(&attributes, "10.1.0.9", &shop());
    assert_eq!((resource.found, &resource.changes[..]), (AddressSource::Kept, &[][..]));
    assert_eq!(pod_of(&resource), Some("cart-0"));
}

#[test]
fn how_the_address_was_found_and_which_pod_was_believed_are_those_of_the_rewrite() {
    use AddressSource::{Connection, Contradicted, Kept, Pipeline, Pod, Unknown};
    let mut table = shop();
    table.pods.push(pod("new-0", &[]));
    let some = Some;
    for (attributes, peer, found, address, pod) in [
        (&[("app.host.ip", "10.1.0.7")][..], "10.1.0.9", Kept, "10.1.0.7", some("cart-0")),
        (&[("app.host.ip", "10.0.0.1")], "10.1.0.9", Kept, "10.0.0.1", None),
        (&[], "10.1.0.7", Pipeline, "10.1.0.7", some("cart-0")),
        (&[("container.id", "c0ffee")], "10.1.0.9", Pod, "10.1.0.7", some("cart-0")),
        (&[("k8s.pod.uid", "uid-new-0")], "10.1.0.9", Contradicted, "0.0.0.0", some("new-0")),
        (&[("k8s.pod.uid", "uid-gone")], "10.1.0.9", Contradicted, "0.0.0.0", None),
        (&[], "10.0.0.1", Unknown, "0.0.0.0", None),
        (&[], "10.5.5.5", Unknown, "0.0.0.0", None),
    ] {
        let resource = examined(attributes, peer, &table);
        let told = (resource.found, resource.address.as_deref(), pod_of(&resource));
        assert_eq!(told, (found, Some(address), pod), "{attributes:?} by {peer}");
    }
    table.covers_cluster = false;
    let resource = examined(&[], "10.5.5.5", &table);
    assert_eq!((resource.found, pod_of(&resource)), (Pipeline, None));
    let document = json!({"exporters": {"otlphttp": {"traces_endpoint": "http://a:38086/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp"]}}}});
    let filter = Filter::configure(&document).unwrap();
    let body = body(vec![resource_spans(&[], vec![])]);
    let told = filter.examine(&request(&body, "10.1.0.7", &protobuf()), &ALL, &table);
    assert_eq!((told.resources[0].found, pod_of(&told.resources[0])), (Connection, Some("cart-0")));
    assert_eq!(told.resources[0].collector, collector(None, None));
}

#[test]
fn the_collector_goes_by_the_first_complete_entry_and_believes_it() {
    let mut table = shop();
    table.pods.push(pod("jaeger-agent-1", &["10.1.0.3"]));
    table.pods.push(pod("twin", &["10.1.0.4"]));
    table.pods.push(crate::directory::Pod { namespace: "other".into(), ..pod("twin", &["10.1.0.5"]) });
    let mut host = pod("host-0", &["10.0.0.1"]);
    host.host_network = true;
    table.pods.push(host);
    table.pods.push(pod("new-0", &[]));
    let several = Some(CollectorStamp::SEVERAL);
    for (attributes, peer, address, pod) in [
        // A relay's own address, which the container contradicts.
        (&[("container.id", "c0ffee")][..], "10.1.0.9", Some("10.1.0.9"), Some("shop/relay-0")),
        // A node's address, and a pod's second one, are written without a pod.
        (&[], "10.0.0.1", Some("10.0.0.1"), None),
        (&[], "fd00::7", Some("fd00::7"), None),
        (&[], "127.0.0.6", Some("127.0.0.6"), None),
        // A text that is no pod's name ends the search.
        (&[("host.name", "laptop")], "10.1.0.7", None, None),
        (&[("k8s.pod.name", "twin")], "10.1.0.7", None, several),
        (
            &[("k8s.pod.name", "cart-0"), ("k8s.namespace.name", "other")],
            "10.1.0.9",
            Some("10.1.0.7"),
            Some("shop/cart-0"),
        ),
        (&[("k8s.pod.uid", "uid-host-0")], "10.0.0.1", Some("10.0.0.1"), Some("shop/host-0")),
        (&[("k8s.pod.uid", "uid-new-0")], "10.1.0.9", Some(""), Some("shop/new-0")),
        (&[("k8s.pod.ip", "10.1.0.007")], "10.1.0.9", Some("10.1.0.007"), None),
        // Excluded pods are not found.
        (&[], "10.1.0.3", Some("10.1.0.3"), None),
        // What is there already stays.
        (&[("app.host.ip", "127.0.0.1")], "10.1.0.7", Some("127.0.0.1"), Some("shop/cart-0")),
    ] {
        let resource = examined(attributes, peer, &table);
        assert_eq!(resource.collector, collector(address, pod), "{attributes:?} by {peer}");
    }
}

#[test]
fn the_collector_takes_a_trusted_proxy_for_the_client() {
    let mut document = document();
    document["podstamp"] = json!({"trusted_proxies": ["10.9.0.0/16"]});
    let filter = Filter::configure(&document).unwrap();
    let headers = [protobuf()[0].clone(), Header::new("x-forwarded-for", "10.1.0.7")];
    let body = body(vec![resource_spans(&[], vec![])]);
    let told = filter.examine(&request(&body, "::ffff:10.9.0.1", &headers), &ALL, &shop());
    let resource = &told.resources[0];
    assert_eq!((resource.connection.as_deref(), pod_of(resource)), (Some("10.1.0.7"), Some("cart-0")));
    assert_eq!(resource.collector, collector(Some("10.9.0.1"), None));
}

#[test]
fn a_pod_association_that_is_missing_and_passthrough_are_the_collectors_own() {
    let mut document = document();
    document["processors"]["k8sattributes"] =
        json!({"extract": {"metadata": ["k8s.pod.name", "k8s.pod.ip"]}});
    let peer = "10.1.0.9";
    let told = |document: &Json, attributes: &[(&str, &str)]| {
        let filter = Filter::configure(document).unwrap();
        let body = body(vec![resource_spans(attributes, vec![])]);
        filter.examine(&request(&body, peer, &protobuf()), &ALL, &shop()).resources.remove(0).collector
    };
    let cart = collector(Some("10.1.0.7"), Some("shop/cart-0"));
    let relay = collector(Some("10.1.0.9"), Some("shop/relay-0"));
    assert_eq!(told(&document, &[("ip", "10.1.0.7")]), cart);
    assert_eq!(told(&document, &[("host.name", "10.1.0.7")]), relay, "the connection comes first");
    document["processors"]["k8sattributes"] = json!({"passthrough": true});
    assert_eq!(told(&document, &[]), collector(Some("10.1.0.9"), None));
}

#[test]
fn keys_that_are_copied_to_one_that_counts_are_claims() {
    let mut document = document();
    document["processors"]["resource/pre"]["attributes"] = json!([
        {"key": "b", "from_attribute": "a", "action": "insert"},
        {"key": "k8s.pod.name", "from_attribute": "b", "action": "insert"},
        {"key": "d", "from_attribute": "c", "action": "insert"},
    ]);
    let filter = Filter::configure(&document).unwrap();
    let body = body(vec![resource_spans(&[("a", "1"), ("b", "2"), ("c", "3")], vec![])]);
    let told = filter.examine(&request(&body, "10.1.0.7", &protobuf()), &ALL, &shop());
    let keys: Vec<_> = told.resources[0].claims.iter().map(|claim| claim.key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
}

#[test]
fn metrics_and_logs_have_resources_and_no_spans() {
    let mut document = document();
    document["receivers"] = json!({"otlp": {"protocols": {"http": null}}});
    document["exporters"]["otlphttp/far"] = json!({"endpoint": "http://far:4318"});
    let exporters = json!(["otlphttp/far"]);
    document["service"]["pipelines"]["metrics"] = json!({"receivers": ["otlp"], "exporters": exporters});
    document["service"]["pipelines"]["traces"]["receivers"] = json!(["otlp"]);
    let filter = Filter::configure(&document).unwrap();
    // In metrics, field 2 of what lies in field 2 is a metric, which looks like a span.
    let span = Span { name: "a".to_owned(), ..Span::default() };
    let body = body(vec![resource_spans(&[("service.name", "cart")], vec![span])]);
    let headers = protobuf();
    let ask = |signal| {
        let request = Request { signal, ..request(&body, "10.1.0.7", &headers) };
        filter.examine(&request, &ALL, &shop())
    };
    let told = ask(Signal::Metrics);
    let [resource] = &told.resources[..] else { panic!("one resource") };
    assert_eq!((resource.service.as_str(), resource.found), ("cart", AddressSource::Untouched));
    assert_eq!((resource.spans_total, resource.spans.len(), told.spans_omitted), (0, 0, 0));
    let fault = ask(Signal::Logs).fault.unwrap();
    assert!(fault.contains("OTEL_LOGS_EXPORTER=none"), "{fault}");
}

#[test]
fn a_body_in_json_is_told_like_one_in_protobuf() {
    let json = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeSpans": [{"spans": [{"name": "GET /", "kind": 2}]}],
    }]});
    let span = Span { name: "GET /".to_owned(), kind: 2, ..Span::default() };
    let body = body(vec![resource_spans(&[("service.name", "cart")], vec![span])]);
    let filter = Filter::configure(&document()).unwrap();
    let headers = [Header::new("content-type", "application/json")];
    let told = filter.examine(&request(json.to_string().as_bytes(), "10.1.0.7", &headers), &ALL, &shop());
    assert_eq!(told, examine(&body, "10.1.0.7", &shop(), &ALL));
    let told = filter.examine(&request(b"{\"resourceSpans\": 7}", "10.1.0.7", &headers), &ALL, &shop());
    let fault = told.fault.unwrap();
    assert!(fault.contains("line 1, column"), "{fault}");
}

#[test]
fn a_body_that_is_refused_is_told_with_the_place_of_the_fault() {
    let sound = body(vec![resource_spans(&[("service.name", "cart")], vec![])]);
    let broken = [&sound[..], &[0x0a, 0x04, 0x0a, 0x02, 0x0a, 0x09]].concat();
    let told = examine(&broken, "10.1.0.7", &shop(), &ALL);
    let fault = told.fault.unwrap();
    assert!(fault.contains("resource_spans[1].resource") && fault.contains("offset"), "{fault}");
    assert_eq!(told.resources.len(), 1);
    let mut document = document();
    document["podstamp"] = json!({"guard": {"refuse_undecodable": false}});
    let filter = Filter::configure(&document).unwrap();
    let told = filter.examine(&request(&broken, "10.1.0.7", &protobuf()), &ALL, &shop());
    assert!(told.fault.unwrap().contains("refuse_undecodable is off"));
    assert_eq!(told.resources.len(), 0);
    let headers = [Header::new("content-type", "text/plain")];
    let told = filter.examine(&request(&sound, "10.1.0.7", &headers), &ALL, &shop());
    assert!(told.fault.unwrap().contains("content-type"));
}

#[test]
fn texts_that_are_mended_on_the_way_are_told_mended() {
    let mut body = body(vec![resource_spans(&[("service.name", "cart")], vec![])]);
    let at = body.windows(4).position(|bytes| bytes == b"cart").unwrap();
    body[at] = 0xff;
    let told = examine(&body, "10.1.0.7", &shop(), &ALL);
    assert_eq!((told.fault, told.resources[0].service.as_str()), (None, "?art"));
}

#[test]
fn what_is_over_the_limits_is_counted_and_left_out() {
    let span = |number: u8| Span { name: format!("span {number}"), ..Span::default() };
    let spans = || (0..4).map(span).collect::<Vec<_>>();
    let body = body((0..5).map(|_| resource_spans(&[("service.name", "äöü")], spans())).collect());
    let options = Examination { payloads: true, resources: 3, spans: 6, text: 3 };
    let told = examine(&body, "10.1.0.7", &shop(), &options);
    assert_eq!((told.resources.len(), told.resources_omitted, told.spans_omitted), (3, 2, 14));
    let spans: Vec<_> =
        told.resources.iter().map(|resource| (resource.spans_total, resource.spans.len())).collect();
    assert_eq!(spans, [(4, 4), (4, 2), (4, 0)]);
    assert_eq!((told.resources[0].service.as_str(), told.resources[0].spans[0].name.as_str()), ("ä", "spa"));
    let nothing = examine(&body, "10.1.0.7", &shop(), &Examination::default());
    assert_eq!((nothing.resources.len(), nothing.resources_omitted, nothing.spans_omitted), (0, 5, 20));
}

/// Limits hold also where the options do not set any.
const NO_LIMITS: Examination =
    Examination { payloads: true, resources: u32::MAX, spans: u32::MAX, text: u32::MAX };

fn size(told: &Examined) -> usize {
    let spans = told.resources.iter().flat_map(|resource| &resource.spans);
    let spans = spans.map(|span| {
        let attributes = span.attributes.iter().map(|attribute| attribute.key.len() + attribute.value.len());
        span.name.len() + span.status_message.len() + attributes.sum::<usize>()
    });
    told.resources.iter().map(size_of_resource).sum::<usize>() + spans.sum::<usize>()
}

#[test]
fn a_hundred_thousand_resources_take_little_time_and_room() {
    let tiny = [0x0a, 0x00].repeat(100_000);
    let started = Instant::now();
    let told = examine(&tiny, "10.1.0.7", &shop(), &NO_LIMITS);
    assert!(told.resources.len() > 1_000, "{}", told.resources.len());
    assert_eq!(told.resources.len() + told.resources_omitted as usize, 100_000);
    assert!(size(&told) <= 4 << 20);
    assert!(started.elapsed() < Duration::from_secs(30));
    let full = body(vec![resource_spans(&[("k8s.pod.uid", "u")], vec![Span::default()]); 100_000]);
    let told = examine(&full, "10.1.0.7", &shop(), &NO_LIMITS);
    let spans: usize = told.resources.iter().map(|resource| resource.spans.len()).sum();
    assert_eq!(spans + told.spans_omitted as usize, 100_000);
    assert!(size(&told) <= 4 << 20);
}

#[test]
fn hostile_resources_and_spans_are_cut() {
    let long = "x".repeat(1 << 20);
    let deep = (0..30).fold(AnyValue::default(), |inner, _| {
        let values = vec![inner];
        let value = Any::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values });
        AnyValue { value: Some(value) }
    });
    let mut attributes: Vec<_> =
        (0..1000).map(|number| attribute(&format!("k{number}"), &long[..100])).collect();
    attributes.push(KeyValue { key: "deep".to_owned(), value: Some(deep), ..KeyValue::default() });
    attributes.rotate_right(1);
    let span = Span {
        trace_id: vec![1; 4096],
        name: long.clone(),
        kind: i32::MIN,
        attributes,
        status: Some(Status { message: long.clone(), code: 2 }),
        ..Span::default()
    };
    let claims: Vec<_> = std::iter::repeat_n(("host.name", "a"), 1000).collect();
    let resource = resource_spans(&claims, vec![span; 4]);
    let options = Examination { text: 100, ..NO_LIMITS };
    let told = examine(&body(vec![resource]), "10.1.0.7", &shop(), &options);
    let [resource] = &told.resources[..] else { panic!("one resource") };
    assert_eq!((resource.claims.len(), resource.spans.len()), (64, 4));
    let span = &resource.spans[0];
    assert_eq!((span.trace_id.len(), span.name.len(), span.status_message.len()), (32, 100, 100));
    assert_eq!((span.attributes.len(), span.kind), (128, 0));
    assert!(span.attributes[0].value.starts_with("[[[["));
    let told = examine(
        &body(vec![resource_spans(&[("a", &long[..1000])], vec![]); 3]),
        "10.1.0.7",
        &shop(),
        &NO_LIMITS,
    );
    assert_eq!(told.resources.len(), 3);
    let huge = Span { name: "x".repeat(3 << 20), ..Span::default() };
    let told = examine(&body(vec![resource_spans(&[], vec![huge; 2])]), "10.1.0.7", &shop(), &NO_LIMITS);
    assert_eq!((told.resources[0].spans.len(), told.spans_omitted), (1, 1));
}
