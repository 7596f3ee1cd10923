//! What goes wrong around podstamp in a Collector: the Collector lives on, and the next batch passes.

use std::net::SocketAddr;

use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::runtime::otelcol;
use podstamp_test_support::spans;
use serde_json::{Value, json};

use super::process::{Collector, written};
use crate::fake_agent::FakeAgent;
use crate::served::{Setup, fixture, wait_until};

#[test]
fn all_faults_of_the_configuration_are_told_with_their_paths_and_nothing_starts() {
    let Some(binary) = otelcol() else { return };
    let agent = FakeAgent::start();
    let podstamp = json!({
        "timeout": "0s",
        "pods": {"endpoint": "podstamp-pods:8888"},
        "podstamp": {"trusted_proxies": ["10.0.0.0/33"], "guard": {"clear_span_kind": 7}},
        "processors": {"resource": {"attributes": [{"key": "app.host.ip", "action": "insrt", "value": "x"}]}},
    });
    let mut collector = Collector::launch(&binary, &written(&config(&podstamp, &agent)), &[]);
    assert!(!collector.ended().success());
    let log = collector.log();
    for told in [
        "processors::podstamp: timeout: 0s",
        "pods.endpoint: ",
        "podstamp.trusted_proxies[0]: ",
        "podstamp.guard.clear_span_kind: ",
        "processors.resource.attributes[0].action: ",
    ] {
        assert!(log.contains(told), "{told} is not in:\n{log}");
    }
}

#[test]
fn pods_that_cannot_be_had_at_the_start_come_later_and_batches_pass_meanwhile() {
    let Some(binary) = otelcol() else { return };
    let (agent, central) = (FakeAgent::start(), closed_port());
    let collector = Collector::start(&binary, &written(&config(&balancer(central), &agent)), &[]);
    collector.wait_for_log(&["no pods from", &central.to_string()]);
    let address_of = |pod: &str| address_of(pod, &collector, &agent);
    assert_eq!(address_of("web-1"), "0.0.0.0");
    let serve = |pods: &[(&str, &str)]| {
        let setup = Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(spans::pods(pods));
        Setup { admin: Some(central.port()), ..setup }.serve()
    };
    let first = serve(&[("web-1", "10.244.1.1")]);
    wait_until("the pods are there", || address_of("web-1") == "10.244.1.1");
    drop(first);
    // What is known stays, until it is known better.
    assert_eq!(address_of("web-1"), "10.244.1.1");
    let _second = serve(&[("web-1", "10.244.1.9"), ("web-2", "10.244.1.2")]);
    wait_until("the new pods are there", || address_of("web-2") == "10.244.1.2");
    assert_eq!(address_of("web-1"), "10.244.1.9");
}

#[test]
fn a_body_that_cannot_be_read_is_refused_and_the_next_one_passes() {
    let Some(binary) = otelcol() else { return };
    let agent = FakeAgent::start();
    for guard_spans in [false, true] {
        let podstamp = json!({"guard_spans": guard_spans});
        let collector = Collector::start(&binary, &written(&config(&podstamp, &agent)), &[]);
        let mut client = Client::connect(collector.http("otlp"));
        for (content_type, body) in [
            ("application/x-protobuf", &b"\xff\xff\xff\xff"[..]),
            ("application/x-protobuf", b"\x0a\xff"),
            ("application/json", b"{\"resourceSpans\": [{"),
        ] {
            let response = client.send("POST", "/v1/traces", &[("content-type", content_type)], body);
            assert_eq!(response.status, 400, "{body:?}");
        }
        agent.agent().forget_records();
        // A kind that ends the agent's process.
        assert_eq!(client.export(&spans::export_kind("web", "web-1", 77)).status, 200);
        assert_eq!(agent.placed(), [("web".to_owned(), "0.0.0.0".to_owned())]);
        assert!(collector.is_running());
    }
    assert_eq!(agent.agent().totals().aborts, 0);
}

/// The address that a resource of a pod is stamped with.
fn address_of(pod: &str, collector: &Collector, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(Client::connect(collector.http("otlp")).export(&spans::export(&[("shop", pod)])).status, 200);
    agent.placed().pop().unwrap().1
}

/// DeepFlow's pipeline for load balancers, with the pods of a podstamp.
fn balancer(pods: SocketAddr) -> Value {
    let mut podstamp: Value = serde_saphyr::from_str(&fixture("deepflow-load-balancer.yaml")).unwrap();
    podstamp["pods"] = json!({"endpoint": format!("http://{pods}"), "interval": "10ms"});
    podstamp
}

/// The Collector's configuration with this one of podstamp's.
fn config(podstamp: &Value, agent: &FakeAgent) -> Value {
    let off = json!({"enabled": false});
    json!({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "processors": {"podstamp": podstamp},
        "exporters": {"otlphttp": {
            "traces_endpoint": agent.url(), "compression": "none", "sending_queue": off, "retry_on_failure": off,
        }},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {
                "receivers": ["otlp"], "processors": ["podstamp"], "exporters": ["otlphttp"],
            }},
        },
    })
}
