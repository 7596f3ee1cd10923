//! Clients of Jaeger and Zipkin through a Collector with podstamp in it: every span arrives under its pod.

mod jaeger;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::runtime::otelcol;
use podstamp_test_support::spans;
use serde_json::{Value, json};

use super::process::{Collector, written};
use crate::fake_agent::FakeAgent;
use crate::served::{Setup, fixture};

#[test]
fn spans_of_jaegers_and_zipkins_clients_arrive_under_their_pods() {
    let Some(binary) = otelcol() else { return };
    let pods: Vec<_> = (1..=5).map(|index| (format!("web-{index}"), format!("10.244.1.{index}"))).collect();
    let pods: Vec<_> = pods.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect();
    let central =
        Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(spans::pods(&pods)).serve();
    let agent = FakeAgent::start();
    let addresses = Addresses::default();
    let collector = start(&binary, &agent, central.admin, &addresses);
    collector.wait_for_log(&["pods loaded"]);
    let mut otlp = Client::connect(collector.http("otlp"));
    for (name, _) in &pods {
        assert_eq!(otlp.export(&spans::export(&[(name, name)])).status, 200);
        assert_eq!(jaeger::call(addresses.grpc, name, name), 0);
        assert_eq!(jaeger::post_binary(addresses.http, name, name), 202);
        jaeger::send_compact(addresses.udp, name, name);
        assert_eq!(post_zipkin(addresses.zipkin, &[(name, name)]), 202);
    }
    // All in one: a Zipkin collector passes on what it has of many.
    assert_eq!(
        post_zipkin(addresses.zipkin, &pods.iter().map(|(name, _)| (*name, *name)).collect::<Vec<_>>()),
        202
    );
    // One whose pod is not known.
    assert_eq!(jaeger::call(addresses.grpc, "stranger", "gone-1"), 0);
    assert_eq!(post_zipkin(addresses.zipkin, &[("stranger", "gone-1")]), 202);
    agent.wait_for_spans(6 * pods.len() as u64 + 2);
    let mut placed: BTreeMap<_, usize> = BTreeMap::new();
    agent.placed().into_iter().for_each(|pod| *placed.entry(pod).or_default() += 1);
    let mut expected: BTreeMap<_, _> =
        pods.iter().map(|(name, address)| (((*name).to_owned(), (*address).to_owned()), 6)).collect();
    expected.insert(("stranger".to_owned(), "0.0.0.0".to_owned()), 2);
    assert_eq!(placed, expected);
}

/// Where the Collector is to listen.
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
    udp: SocketAddr,
    zipkin: SocketAddr,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { grpc: closed_port(), http: closed_port(), udp: closed_port(), zipkin: closed_port() }
    }
}

/// DeepFlow's pipeline for load balancers in podstamp, with the pods of another podstamp.
fn start(binary: &Path, agent: &FakeAgent, pods: SocketAddr, addresses: &Addresses) -> Collector {
    let mut podstamp: Value = serde_saphyr::from_str(&fixture("deepflow-load-balancer.yaml")).unwrap();
    podstamp["pods"] = json!({"endpoint": format!("http://{pods}")});
    let off = json!({"enabled": false});
    let config = json!({
        "receivers": {
            "otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}},
            "jaeger": {"protocols": {
                "grpc": {"endpoint": addresses.grpc},
                "thrift_http": {"endpoint": addresses.http},
                "thrift_compact": {"endpoint": addresses.udp},
            }},
            "zipkin": {"endpoint": addresses.zipkin},
        },
        "processors": {"podstamp": podstamp},
        "exporters": {"otlphttp": {
            "traces_endpoint": agent.url(), "compression": "none", "sending_queue": off, "retry_on_failure": off,
        }},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {
                "receivers": ["otlp", "jaeger", "zipkin"], "processors": ["podstamp"], "exporters": ["otlphttp"],
            }},
        },
    });
    Collector::start(binary, &written(&config), &[])
}

/// A span of each service and pod in Zipkin's JSON, version 2. Returns the status of the answer.
fn post_zipkin(to: SocketAddr, pods: &[(&str, &str)]) -> u16 {
    let spans = pods.iter().map(|(service, pod)| {
        json!({
            "traceId": "07070707070707070707070707070707", "id": "0909090909090909", "name": "work", "kind": "SERVER",
            "timestamp": 1_700_000_000_000_000_u64, "duration": 20_000,
            "localEndpoint": {"serviceName": service}, "tags": {"host.name": pod},
        })
    });
    let body = Value::from_iter(spans).to_string();
    Client::connect(to)
        .send("POST", "/api/v2/spans", &[("content-type", "application/json")], body.as_bytes())
        .status
}
