//! The conformance cases, by way of HTTP and gRPC through a real Envoy: a listener for each, all in one VM.
//!
//! The expectations of another attempt do not apply: a proxy's attempts are its route's. Nor does an answer that is too
//! long: a proxy passes it on as it comes.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use podstamp_core::interface;
use podstamp_test_support::blocking::grpc::{Called, Grpc, framed};
use podstamp_test_support::blocking::http::{Client, Response, get};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::cases::body;
use podstamp_test_support::cases::{self, Answer, Case, Outcome};
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Envoy;
use super::setup::{bridge, cluster, filter, plugin, router, socket, state, typed};
use crate::cases::{as_asked, assert_sent, serve_pods, success};
use crate::served::wait_until;

#[test]
fn every_case_holds_in_envoy() {
    let cases: Vec<_> = cases::all().into_iter().filter(|(name, case)| is_for_a_proxy(name, case)).collect();
    let upstream = Raw::replying(as_asked);
    let pods = serve_pods(cases.iter().map(|(name, case)| (name.as_str(), case)), |request| {
        assert!(request.line.contains("&since="), "{}", request.line);
        // Each asks for them by its name.
        request.header("host").unwrap().to_owned()
    });
    let bootstrap = bootstrap(&cases, upstream.address, pods.address);
    let Some(envoy) = Envoy::start(&bootstrap, TempDir::new().unwrap(), 1) else { return };
    let addresses = listeners(&envoy);
    // The worker's VM and the main thread's.
    wait_until("the pods of each case", || envoy.log().matches("pods-read").count() == 2 * cases.len());

    let mut expected = BTreeMap::<String, u32>::new();
    let mut requests = 0;
    let mut failed = Vec::new();
    for (name, case) in &cases {
        let run = Run { name, case, address: addresses[name.as_str()], upstream: &upstream, envoy: &envoy };
        match catch_unwind(AssertUnwindSafe(|| run.whole())) {
            Ok(times) => {
                requests += times;
                for (what, count) in &case.expect.report {
                    *expected.entry(what.clone()).or_default() += count * times;
                }
            }
            Err(_) => failed.push(format!("{name} ({})", case.why)),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    // Of all that the module tells Envoy, the requests come last.
    wait_until("all requests are counted", || total(&envoy, "podstamp_requests_total_outcome") == requests);
    let counted = COUNTED.iter().map(|(what, name)| ((*what).to_owned(), total(&envoy, name)));
    let counted: BTreeMap<_, _> = counted.filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, expected);
}

/// A case on its listener.
struct Run<'a> {
    name: &'a str,
    case: &'a Case,
    address: SocketAddr,
    upstream: &'a Raw,
    envoy: &'a Envoy,
}

/// The answer that a client got.
enum Seen {
    Http(Response),
    Grpc(Called),
}

impl Run<'_> {
    /// Gives how many requests that were.
    fn whole(&self) -> u32 {
        let before = self.upstream.requests();
        let seen = self.send("status-200");
        let sent = self.upstream.received().split_off(before);
        match (&self.case.expect.forward, &self.case.expect.answer) {
            (Some(forward), None) => {
                let [request] = sent.as_slice() else { panic!("{} requests came", sent.len()) };
                assert!(forward.copies.is_empty());
                let body = body::encode(&self.case.request);
                if let Some(url) = &forward.url {
                    let path = url.splitn(4, '/').last().unwrap();
                    assert_eq!(request.line, format!("POST /{path} HTTP/1.1"));
                }
                assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
                assert_eq!(request.body == body, forward.unchanged, "unchanged");
                if let Some(expected) = &forward.resources {
                    let sent = body::decode(self.case.request.signal.into(), &request.body);
                    assert_sent(&sent, expected);
                }
                self.check(&seen, &success());
                for key in &self.case.expect.notices {
                    self.envoy.wait_for_log(&[&format!("wasm log {} ", self.name), &format!(": {key}: ")]);
                }
            }
            (None, Some(answer)) => {
                // To refuse, a proxy may have to send an empty batch.
                assert!(sent.iter().all(|request| request.body.is_empty()), "{sent:?}");
                self.check(&seen, answer);
            }
            other => panic!("{other:?}"),
        }
        let mut times = 1;
        for conclusion in &self.case.conclude {
            let outcome = match conclusion.outcome {
                Outcome::Status(status) => format!("status-{status}"),
                Outcome::NotConnected => "not-connected".to_owned(),
                Outcome::Closed => "closed".to_owned(),
                Outcome::TimedOut => "timed-out".to_owned(),
                Outcome::Away | Outcome::Waited | Outcome::Oversized => continue,
            };
            // A proxy sends nothing in parts.
            if conclusion.delivered > 0 {
                continue;
            }
            let Some(answer) = &conclusion.answer else {
                // Nor can it send a body again.
                assert!(conclusion.retry.is_some() || conclusion.mended.is_some());
                continue;
            };
            if outcome == "not-connected" && self.is_grpc() {
                // Over HTTP/2 the body may come after the answer, and then it counts nowhere.
                continue;
            }
            times += 1;
            let seen = self.send(&outcome);
            let own = !outcome.starts_with("status");
            match &seen {
                // The bridge knows few words for what a proxy says itself.
                Seen::Grpc(called) if own => assert_ne!(called.code(), 0),
                _ => self.check(&seen, answer),
            }
        }
        times
    }

    fn send(&self, outcome: &str) -> Seen {
        let request = &self.case.request;
        let body = body::encode(request);
        let peer = request.peer.as_deref().unwrap_or("unknown");
        let mut headers = vec![("x-outcome", outcome), ("x-peer", peer)];
        headers.extend(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        headers.extend(request.forwarded_for.iter().map(|value| ("x-forwarded-for", value.as_str())));
        let content_type = request.content_type.as_deref();
        if self.is_grpc() {
            let client = Grpc::connect(self.address);
            return Seen::Grpc(client.call_to(
                request.signal.into(),
                &[("x-outcome", outcome), ("x-peer", peer)],
                framed(&body),
            ));
        }
        headers.extend(content_type.map(|value| ("content-type", value)));
        let path = request.path.as_deref().unwrap_or_else(|| interface::Signal::from(request.signal).path());
        Seen::Http(Client::connect(self.address).send("POST", path, &headers, &body))
    }

    fn is_grpc(&self) -> bool {
        self.case.request.content_type.as_deref().is_some_and(|value| value.starts_with("application/grpc"))
    }

    fn check(&self, seen: &Seen, expected: &Answer) {
        let status = match seen {
            Seen::Grpc(called) => {
                let message = called.header("grpc-message").unwrap_or_default().to_owned();
                let code = called.code();
                assert_eq!(code == 0, expected.status == 200);
                (code, message)
            }
            Seen::Http(response) => {
                assert_eq!(response.status, expected.status);
                if response.status == 200 {
                    (0, response.warning())
                } else {
                    let Status { code, message, .. } = Status::of(response);
                    (code, message)
                }
            }
        };
        assert_eq!(expected.code.unwrap_or(status.0), status.0);
        // The warning of a success is not among what a proxy can say over gRPC: see its log.
        let said = !matches!(seen, Seen::Grpc(_)) || status.0 != 0;
        for part in expected.contains.iter().filter(|_| said) {
            assert!(status.1.contains(part), "{part:?} in {:?}", status.1);
        }
        for (name, value) in &expected.headers {
            let header = match seen {
                Seen::Grpc(called) => called.header(name).map(str::to_owned),
                Seen::Http(response) => response.header(name).map(str::to_owned),
            };
            assert_eq!(header.as_ref(), Some(value), "{name}");
        }
        if let Some(key) = &expected.notice {
            self.envoy.wait_for_log(&[&format!("wasm log {} ", self.name), &format!(": {key}: ")]);
        }
    }
}

fn bootstrap(cases: &[(String, Case)], upstream: SocketAddr, pods: SocketAddr) -> Value {
    let listeners: Vec<_> = cases.iter().map(|(name, case)| listener(name, case)).collect();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    json!({
        "admin": {"address": socket(any)},
        "static_resources": {
            "listeners": listeners,
            "clusters": [
                cluster("upstream", upstream), cluster("nobody", closed_port()), cluster("pods", pods),
            ],
        },
    })
}

fn listener(name: &str, case: &Case) -> Value {
    let mut document = cases::document(&case.config);
    document["podstamp"]["proxy_wasm"] =
        json!({"pods": {"cluster": "pods", "authority": name, "interval": "1h"}});
    let mut plugin = plugin(&document);
    plugin["name"] = name.into();
    let outcome = |value: &str| json!([{"name": "x-outcome", "string_match": {"exact": value}}]);
    let routes = json!([
        {"match": {"prefix": "/", "headers": outcome("not-connected")}, "route": {"cluster": "nobody"}},
        {"match": {"prefix": "/", "headers": outcome("timed-out")}, "route": {"cluster": "upstream", "timeout": "0.1s"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}},
    ]);
    let filters = [
        bridge(),
        state("podstamp.peer", "%REQ(x-peer)%"),
        filter("wasm", typed("filters.http.wasm.v3.Wasm", json!({"config": plugin}))),
        router(),
    ];
    let manager = json!({
        "stat_prefix": "case",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": filters,
    });
    let manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", manager);
    json!({
        "name": name,
        "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    })
}

/// Where each listener listens.
fn listeners(envoy: &Envoy) -> HashMap<String, SocketAddr> {
    let (_, text) = get(envoy.admin, "/listeners?format=json");
    let listeners: Value = serde_json::from_str(&text).unwrap();
    let address = |listener: &Value| {
        let socket = &listener["local_address"]["socket_address"];
        let address = format!("{}:{}", socket["address"].as_str().unwrap(), socket["port_value"]);
        (listener["name"].as_str().unwrap().to_owned(), address.parse().unwrap())
    };
    listeners["listener_statuses"].as_array().unwrap().iter().map(address).collect()
}

/// Over all values of the labels that a name leaves out.
fn total(envoy: &Envoy, name: &str) -> u32 {
    let (_, text) = get(envoy.admin, "/stats/prometheus");
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum()
}

/// The counts of a case, and where Envoy shows them; not how many spans are far from now, which depends on the clock.
const COUNTED: &[(&str, &str)] = &[
    ("resources", "podstamp_resources_total_outcome"),
    ("spans", "podstamp_spans_total_outcome"),
    ("address_kept", "podstamp_addresses_total_from_kept{"),
    ("address_pipeline", "podstamp_addresses_total_from_pipeline{"),
    ("address_pod_ip", "podstamp_addresses_total_from_pod_ip{"),
    ("address_pod", "podstamp_addresses_total_from_pod{"),
    ("address_connection", "podstamp_addresses_total_from_connection{"),
    ("address_unknown", "podstamp_addresses_total_from_unknown{"),
    ("address_contradicted", "podstamp_addresses_total_from_contradicted{"),
    ("refused", "podstamp_guard_repairs_total_rule_refused{"),
    ("kinds_cleared", "podstamp_guard_repairs_total_rule_kind_cleared{"),
    ("resources_created", "podstamp_guard_repairs_total_rule_resource_created{"),
    ("addresses_normalised", "podstamp_guard_repairs_total_rule_address_normalised{"),
    ("addresses_repaired", "podstamp_guard_repairs_total_rule_address_repaired{"),
    ("peers_renamed", "podstamp_guard_repairs_total_rule_peer_renamed{"),
    ("spans_moved", "podstamp_guard_repairs_total_rule_span_moved{"),
    ("spans_senseless", "podstamp_guard_repairs_total_rule_span_senseless{"),
    ("names_cut", "podstamp_guard_repairs_total_rule_name_cut{"),
    ("texts_mended", "podstamp_guard_repairs_total_rule_text_mended{"),
    ("requests_split", "podstamp_guard_repairs_total_rule_request_split{"),
];

/// A proxy's clock is the real one, and what it sends is one request.
fn is_for_a_proxy(name: &str, case: &Case) -> bool {
    let in_parts = case.expect.forward.as_ref().is_some_and(|forward| forward.parts.is_some());
    !WITHOUT_A_PROXY.contains(&name) && case.request.now.is_none() && !in_parts
}

/// Several exporters, which a proxy refuses, and a host without a clock.
const WITHOUT_A_PROXY: [&str; 2] =
    ["several_exporters_get_the_same", "guard_without_a_clock_knows_no_future"];
