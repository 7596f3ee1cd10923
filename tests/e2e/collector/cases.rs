//! The conformance cases, by way of HTTP and gRPC through a real Collector with podstamp in it: a pipeline for each, all in one
//! process.
//!
//! The address of a client comes as the Collector's users have it come through a proxy: in the header of one that is trusted.
//! What is expected of upstreams that fail does not apply: sending is for the Collector's exporters.

mod elsewhere;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use podstamp_core::interface;
use podstamp_test_support::blocking::grpc::{Grpc, INVALID_ARGUMENT, framed};
use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::cases::body;
use podstamp_test_support::cases::{self, Answer, Case, Resource, Signal, Span};
use podstamp_test_support::runtime::otelcol;
use podstamp_test_support::wait_until;
use serde_json::{Map, Value, json};

use super::process::Collector;
use crate::cases::{assert_sent, serve_pods};
use elsewhere::Mode;

#[test]
fn every_case_holds_in_a_collector_whose_filter_gets_the_resources() {
    run(Mode::Resources);
}

#[test]
fn every_case_holds_in_a_collector_whose_filter_gets_whole_batches() {
    run(Mode::Batches);
}

/// Runs all cases, those as well that cannot hold here: the list of these has none that does.
fn run(mode: Mode) {
    let Some(binary) = otelcol() else { return };
    let mut cases = cases::all();
    cases.iter_mut().for_each(|(_, case)| add_spans(case));
    let upstream = Raw::answering(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let pods = serve_pods(cases.iter().map(|(name, case)| (name.as_str(), case)), |request| {
        request.header("x-case").unwrap().to_owned()
    });
    let config = configuration(&cases, mode, upstream.address, pods.address);
    let collector = Collector::measured(&binary, &config);
    wait_until("the pods of each case", || {
        let log = collector.log();
        let known = ["pods loaded", "pods.endpoint is not used"].map(|text| log.matches(text).count());
        known.iter().sum::<usize>() == cases.len()
    });
    let mut failed = BTreeMap::new();
    for (name, case) in &cases {
        let run = Run { name, case, upstream: &upstream, collector: &collector };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run.whole())) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            failed.insert(name.as_str(), said.unwrap_or_default());
        }
    }
    let listed: BTreeSet<_> = elsewhere::cases(mode).collect();
    let holding: Vec<_> = listed.iter().filter(|name| !failed.contains_key(*name)).collect();
    assert!(holding.is_empty(), "listed, and not there or not failing: {holding:#?}");
    failed.retain(|name, _| !listed.contains(name));
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Gives a span to each resource of traces that has none: the Collector's receiver answers a request without spans, and keeps it.
fn add_spans(case: &mut Case) {
    if case.request.signal != Signal::Traces {
        return;
    }
    // Ended now: an earlier end would say that they are an earlier pod's.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let span = || Span { start: Some(now), end: Some(now), times: 1, ..Span::default() };
    let add = |resources: &mut Vec<Resource>| {
        let without =
            resources.iter_mut().filter(|resource| resource.kinds.is_empty() && resource.spans.is_empty());
        without.map(|resource| resource.spans.push(span())).count()
    };
    let added = add(&mut case.request.body);
    if let Some(resources) = case.expect.forward.as_mut().and_then(|forward| forward.resources.as_mut()) {
        add(resources);
    }
    if added > 0 {
        *case.expect.report.entry("spans".to_owned()).or_default() += u32::try_from(added).unwrap();
    }
}

/// A case in its pipeline.
struct Run<'a> {
    name: &'a str,
    case: &'a Case,
    upstream: &'a Raw,
    collector: &'a Collector,
}

/// The answer that a client got.
struct Seen {
    /// Of HTTP; `None` over gRPC.
    status: Option<u16>,
    /// `google.rpc.Code`.
    code: i32,
    message: String,
}

impl Run<'_> {
    fn whole(&self) {
        let before = (self.upstream.requests(), self.counts());
        let seen = self.send();
        let sent = self.upstream.received().split_off(before.0);
        match (&self.case.expect.forward, &self.case.expect.answer) {
            (Some(forward), None) => {
                assert_eq!(seen.code, 0, "{}", seen.message);
                let [request] = sent.as_slice() else { panic!("{} requests came", sent.len()) };
                assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
                let signal = self.case.request.signal.into();
                let sent = body::decode(signal, &request.body);
                if forward.unchanged {
                    let came = body::encode(&self.case.request);
                    let is_json = self.case.request.json.is_some();
                    assert!(is_json || body::decode(signal, &came) == sent, "unchanged: {sent:#?}");
                }
                if let Some(expected) = &forward.resources {
                    assert_sent(&sent, expected);
                }
                assert!(forward.parts.is_none() && forward.copies.is_empty(), "it is sent as it is");
                for key in &self.case.expect.notices {
                    self.expect_notice(key);
                }
            }
            (None, Some(answer)) => {
                assert!(sent.is_empty(), "{sent:?}");
                self.check(&seen, answer);
            }
            other => panic!("{other:?}"),
        }
        self.check_counts(&before.1);
    }

    fn send(&self) -> Seen {
        let request = &self.case.request;
        let body = body::encode(request);
        let receiver = format!("otlp/{}", self.name);
        let forwarded = self.forwarded();
        let mut headers: Vec<_> = forwarded.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if self.is_grpc() {
            let client = Grpc::connect(self.collector.grpc(&receiver));
            let called = client.call_to(request.signal.into(), &headers, framed(&body));
            let message = called.header("grpc-message").unwrap_or_default().to_owned();
            return Seen { status: None, code: called.code(), message };
        }
        headers.extend(request.content_type.as_deref().map(|value| ("content-type", value)));
        let path = request.path.as_deref().unwrap_or_else(|| interface::Signal::from(request.signal).path());
        let response = Client::connect(self.collector.http(&receiver)).send("POST", path, &headers, &body);
        let (code, message) = if response.status == 200 {
            (0, String::new())
        } else {
            let Status { code, message, .. } = Status::of(&response);
            (code, message)
        };
        Seen { status: Some(response.status), code, message }
    }

    fn is_grpc(&self) -> bool {
        self.case.request.content_type.as_deref().is_some_and(|value| value.starts_with("application/grpc"))
    }

    /// The headers of the case, and the case's peer as the proxy that it came through last.
    fn forwarded(&self) -> Vec<(&'static str, String)> {
        let request = &self.case.request;
        let mut headers: Vec<_> =
            request.forwarded_for.iter().map(|value| ("x-forwarded-for", value.clone())).collect();
        let peer = request.peer.as_deref().filter(|peer| !is_own(peer));
        let mut has_forwarded = false;
        for (name, value) in &request.headers {
            let mut value = value.clone();
            if let (true, Some(peer)) = (name == "forwarded", peer) {
                has_forwarded = true;
                value +=
                    &if peer.contains(':') { format!(", for=\"[{peer}]\"") } else { format!(", for={peer}") };
            }
            headers.push((name.clone().leak(), value));
        }
        if !has_forwarded || !request.forwarded_for.is_empty() {
            headers.extend(peer.map(|peer| ("x-forwarded-for", peer.to_owned())));
        }
        headers
    }

    fn check(&self, seen: &Seen, expected: &Answer) {
        // The Collector's receiver has one status for all that will not do.
        let (status, code) = if expected.status == 413 {
            (400, Some(INVALID_ARGUMENT))
        } else {
            (expected.status, expected.code)
        };
        assert_eq!(seen.status.unwrap_or(status), status, "{}", seen.message);
        assert_eq!(seen.code == 0, status == 200, "{}", seen.message);
        assert_eq!(code.unwrap_or(seen.code), seen.code, "{}", seen.message);
        for part in &expected.contains {
            assert!(seen.message.contains(part), "{part:?} in {:?}", seen.message);
        }
        if let Some(key) = &expected.notice {
            self.expect_notice(key);
        }
    }

    /// As lines of the log name the processor.
    fn component(&self) -> String {
        format!("\"otelcol.component.id\": \"podstamp/{}\"", self.name)
    }

    fn expect_notice(&self, key: &str) {
        let log = self.collector.log();
        let component = self.component();
        let kind = format!("\"kind\": \"{key}");
        assert!(
            log.lines().any(|line| line.contains(&component) && line.contains(&kind)),
            "no notice {key}: {:?}",
            log.lines().filter(|line| line.contains(&component)).collect::<Vec<_>>()
        );
    }

    /// All counts so far, of all cases.
    fn counts(&self) -> BTreeMap<&'static str, f64> {
        let metrics = self.collector.metrics();
        COUNTED.iter().map(|(count, name, labels)| (*count, metrics.sum(name, labels))).collect()
    }

    fn check_counts(&self, before: &BTreeMap<&'static str, f64>) {
        let mut met = self.counts();
        met.retain(|count, value| {
            *value -= before[count];
            *value > 0.0
        });
        let met: BTreeMap<_, _> =
            met.into_iter().map(|(count, value)| (count.to_owned(), value as u32)).collect();
        let mut expected = self.case.expect.report.clone();
        // The Collector has a Resource where there was none.
        expected.remove("resources_created");
        assert_eq!(met, expected);
    }
}

/// Whether an address is the one that the tests' connections come from.
fn is_own(peer: &str) -> bool {
    peer == "127.0.0.1"
}

/// The Collector's configuration: of each case a receiver, a processor with its document, an exporter and its pipelines.
fn configuration(cases: &[(String, Case)], mode: Mode, upstream: SocketAddr, pods: SocketAddr) -> Value {
    let [mut receivers, mut processors, mut exporters, mut pipelines] = [(); 4].map(|()| Map::new());
    for (name, case) in cases {
        let protocol = json!({"endpoint": "127.0.0.1:0", "include_metadata": true});
        let mut http = protocol.clone();
        if let Some(path) = &case.request.path {
            http["traces_url_path"] = path.as_str().into();
        }
        receivers.insert(format!("otlp/{name}"), json!({"protocols": {"http": http, "grpc": protocol}}));
        let mut processor = cases::document(&case.config);
        let trusted = &mut processor["podstamp"]["trusted_proxies"];
        if case.request.peer.as_deref().is_some_and(|peer| !is_own(peer)) {
            let more = json!("127.0.0.1");
            match trusted {
                Value::Array(proxies) => proxies.push(more),
                other => *other = json!([more]),
            }
        } else if trusted.is_null() {
            processor["podstamp"].as_object_mut().unwrap().remove("trusted_proxies");
        }
        processor["pods"] = json!({
            "endpoint": format!("http://{pods}"), "headers": {"x-case": name}, "wait": "0s", "interval": "1h",
        });
        processor["guard_spans"] = (mode == Mode::Batches).into();
        processor["instances"] = 1.into();
        // Far over what a machine with much else to do takes.
        processor["timeout"] = "1m".into();
        processors.insert(format!("podstamp/{name}"), processor);
        let off = json!({"enabled": false});
        let exporter = json!({
            "endpoint": format!("http://{upstream}"), "compression": "none", "sending_queue": off, "retry_on_failure": off,
        });
        exporters.insert(format!("otlphttp/{name}"), exporter);
        let pipeline = json!({
            "receivers": [format!("otlp/{name}")], "processors": [format!("podstamp/{name}")],
            "exporters": [format!("otlphttp/{name}")],
        });
        let signal = match case.request.signal {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        };
        pipelines.insert(format!("{signal}/{name}"), pipeline);
    }
    json!({
        "receivers": receivers, "processors": processors, "exporters": exporters,
        "service": {
            "pipelines": pipelines,
            // Of what many processors say alike it would leave out most.
            "telemetry": {"logs": {"sampling": {"enabled": false}}},
        },
    })
}

/// The counts of a case, and where the Collector shows them; not how many spans are far from now, which depends on the clock.
const COUNTED: &[Counted] = &[
    ("resources", RESOURCES, &[("outcome", "accepted")]),
    ("spans", SPANS, &[("outcome", "accepted")]),
    ("address_kept", ADDRESSES, &[("from", "kept")]),
    ("address_pipeline", ADDRESSES, &[("from", "pipeline")]),
    ("address_pod_ip", ADDRESSES, &[("from", "pod_ip")]),
    ("address_pod", ADDRESSES, &[("from", "pod")]),
    ("address_connection", ADDRESSES, &[("from", "connection")]),
    ("address_unknown", ADDRESSES, &[("from", "unknown")]),
    ("address_contradicted", ADDRESSES, &[("from", "contradicted")]),
    ("refused", REPAIRS, &[("rule", "refused")]),
    ("kinds_cleared", REPAIRS, &[("rule", "kind_cleared")]),
    ("addresses_normalised", REPAIRS, &[("rule", "address_normalised")]),
    ("addresses_repaired", REPAIRS, &[("rule", "address_repaired")]),
    ("peers_renamed", REPAIRS, &[("rule", "peer_renamed")]),
    ("spans_moved", REPAIRS, &[("rule", "span_moved")]),
    ("spans_senseless", REPAIRS, &[("rule", "span_senseless")]),
    ("names_cut", REPAIRS, &[("rule", "name_cut")]),
    ("texts_mended", REPAIRS, &[("rule", "text_mended")]),
    ("requests_split", REPAIRS, &[("rule", "request_split")]),
];

/// A count, the metric that shows it, and the labels of its samples.
type Counted = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const RESOURCES: &str = "otelcol_podstamp_resources";

const SPANS: &str = "otelcol_podstamp_spans";

const ADDRESSES: &str = "otelcol_podstamp_addresses";

const REPAIRS: &str = "otelcol_podstamp_guard_repairs";
