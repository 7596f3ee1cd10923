//! The configurations of `examples/envoy`, as they are but for ports, hosts and paths.

mod istio;
mod manifests;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use podstamp_fake_agent::{Answer, Script};
use podstamp_test_guests::PROXY_WASM;
use podstamp_test_support::blocking::grpc::{Grpc, RESOURCE_EXHAUSTED};
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export, get};
use podstamp_test_support::blocking::http2::Http2;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::runtime;
use podstamp_test_support::spans;
use serde_json::Value;
use tempfile::TempDir;

use super::Envoy;
use super::setup::read;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

/// A running example.
struct Example {
    envoy: Envoy,
    /// Where it says 4318, 4317 and 9902.
    http: SocketAddr,
    grpc: SocketAddr,
    status: SocketAddr,
}

/// Of the sidecar, as Kubernetes says it.
const POD_IP: (&str, &str) = ("POD_IP", super::POD);

impl Example {
    /// Runs `FOLDER/envoy.yaml` with each of these texts, which have to be there, replaced.
    fn start(folder: &str, replaced: &[(&str, String)]) -> Option<Self> {
        let admin = closed_port();
        let local = |port| format!("{{ address: 127.0.0.1, port_value: {port} }}");
        let everywhere = |port| format!("{{ address: 0.0.0.0, port_value: {port} }}");
        let inside = if folder == "sidecar" { local } else { everywhere };
        let known = [
            (inside(4318), local(0)),
            (inside(4317), local(0)),
            (everywhere(9902), local(0)),
            (local(9901), local(admin.port())),
            (MODULE.to_owned(), PROXY_WASM.to_owned()),
        ];
        let replaced = replaced.iter().map(|(from, to)| ((*from).to_owned(), to.clone()));
        let config =
            known.into_iter().chain(replaced).fold(text(folder, "envoy.yaml"), |config, (from, to)| {
                assert!(config.contains(&from), "examples/envoy/{folder}/envoy.yaml has no {from}");
                config.replace(&from, &to)
            });
        let place = TempDir::new().unwrap();
        let file = place.path().join("envoy.yaml");
        fs::write(&file, config).unwrap();
        let envoy = Envoy::start_with(&file, place, 1, &[POD_IP])?;
        let addresses = |name| listener(&envoy, name);
        let ([http, grpc], [status]) = (&addresses("otlp")[..], &addresses("status")[..]) else {
            panic!("{:?}, {:?}", addresses("otlp"), addresses("status"))
        };
        Some(Self { http: *http, grpc: *grpc, status: *status, envoy })
    }

    /// Runs the commands of the example's README that begin with `curl`, the one for metrics when this one is there. Gives
    /// what each printed.
    fn run_commands_of_readme(&self, folder: &str, metric: &str, label: &str) -> Option<[String; 2]> {
        if Command::new("curl").arg("--version").output().is_err() {
            runtime::skip("curl", "it is not there");
            return None;
        }
        let readme = text(folder, "README.md");
        let commands = readme.split("\n\n").filter(|paragraph| paragraph.starts_with("    curl "));
        let commands: Vec<_> = commands.collect();
        let [export, metrics] = commands[..] else { panic!("{commands:?}") };
        let printed = self.run(export);
        self.counts(metric, label, 1.0);
        Some([printed, self.run(metrics)])
    }

    /// Runs a command with the example's addresses, and gives what it printed.
    fn run(&self, command: &str) -> String {
        let here = [("localhost:4318", self.http), ("localhost:9902", self.status)];
        let command =
            here.iter().fold(command.to_owned(), |text, (from, to)| text.replace(from, &to.to_string()));
        let output = Command::new("sh").arg("-c").arg(&command).output().unwrap();
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a metric is there with its label.
    fn counts(&self, name: &str, label: &str, value: f64) {
        wait_until(name, || self.envoy.metric(name, &[label]) == value);
    }
}

/// The addresses of a listener.
fn listener(envoy: &Envoy, name: &str) -> Vec<SocketAddr> {
    let (_, listeners) = get(envoy.admin, "/listeners?format=json");
    let listeners: Value = serde_json::from_str(&listeners).unwrap();
    let listeners = listeners["listener_statuses"].as_array().unwrap();
    let listener = listeners.iter().find(|listener| listener["name"] == name).unwrap();
    let others = listener["additional_local_addresses"].as_array();
    let all = std::iter::once(&listener["local_address"]).chain(others.into_iter().flatten());
    let address = |address: &Value| {
        let socket = &address["socket_address"];
        format!("{}:{}", socket["address"].as_str().unwrap(), socket["port_value"]).parse().unwrap()
    };
    all.map(address).collect()
}

/// A file of an example.
fn text(folder: &str, name: &str) -> String {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/envoy");
    fs::read_to_string(examples.join(folder).join(name)).unwrap()
}

/// The documents in a file of an example.
fn documents(folder: &str, name: &str) -> Vec<Value> {
    text(folder, name).split("\n---\n").map(read).collect()
}

/// Where examples expect something, and where it is.
fn host(name: &'static str, address: SocketAddr) -> (&'static str, String) {
    (name, format!("{{ address: {}, port_value: {} }}", address.ip(), address.port()))
}

fn agent(address: SocketAddr) -> (&'static str, String) {
    host("{ address: deepflow-agent.deepflow, port_value: 80 }", address)
}

/// HTTP and gRPC, at either port.
fn exports_everywhere(example: &Example, batch: &[u8]) {
    for address in [example.http, example.grpc] {
        let answer = export(address, batch);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(PROTOBUF.1)));
        assert_eq!(Grpc::connect(address).export(batch).code(), 0);
    }
}

/// A request over 1 MiB is taken, and one over podstamp's limit is refused by podstamp.
fn takes_large_bodies(example: &Example, limit: usize) {
    let (fits, does_not) = (spans::large(5 << 20, "nobody"), spans::large(limit + 1, "nobody"));
    assert_eq!(export(example.http, &fits).status, 200);
    assert_eq!(Grpc::connect(example.grpc).export(&fits).code(), 0);
    let answer = export(example.http, &does_not);
    assert_eq!(answer.status, 413);
    assert!(answer.message().contains(&format!("over {limit} bytes")), "{}", answer.message());
    assert_eq!(Grpc::connect(example.grpc).export(&does_not).code(), RESOURCE_EXHAUSTED);
}

/// Metrics are not taken, and their clients learn so in a way that they understand.
fn refuses_metrics(example: &Example) {
    assert_eq!(Client::connect(example.http).send("POST", "/v1/metrics", &[PROTOBUF], b"").status, 404);
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = Http2::connect(example.grpc).send(path, &headers, vec![&[0; 5]]);
    // UNIMPLEMENTED.
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("12")));
}

/// The status listener answers no more than what probes and Prometheus need.
fn shows_its_status(example: &Example, metric: &str) {
    assert_eq!(get(example.status, "/ready"), (200, "LIVE\n".to_owned()));
    assert!(get(example.status, "/stats/prometheus").1.contains(metric), "{metric}");
    for path in ["/", "/config_dump", "/quitquitquit"] {
        assert_eq!(Client::connect(example.status).send("POST", path, &[], b"").status, 404, "{path}");
    }
}

#[test]
fn the_sidecar_stamps_the_address_of_its_pod() {
    let fake = FakeAgent::start();
    let Some(example) = Example::start("sidecar", &[agent(fake.agent().address())]) else { return };
    exports_everywhere(&example, &spans::export(&[("shop", "nobody")]));
    let spoofed = [PROTOBUF, ("x-forwarded-for", "10.9.9.9")];
    let batch = spans::export(&[("shop", "nobody")]);
    assert_eq!(Client::connect(example.http).send("POST", "/v1/traces", &spoofed, &batch).status, 200);
    assert_eq!(fake.placed(), vec![("shop".to_owned(), super::POD.to_owned()); 5]);
    takes_large_bodies(&example, 16 << 20);
    refuses_metrics(&example);
}

#[test]
fn the_sidecars_readme_is_right() {
    let fake = FakeAgent::start();
    let Some(example) = Example::start("sidecar", &[agent(fake.agent().address())]) else { return };
    let Some([answer, metric]) = example.run_commands_of_readme("sidecar", SPANS, "accepted") else { return };
    assert_eq!(fake.placed(), [("shop".to_owned(), super::POD.to_owned())]);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    counts_as_the_readme_says("sidecar", &metric);
    shows_its_status(&example, "podstamp_spans_total{outcome=\"accepted\"} 1");
}

#[test]
fn what_an_agent_cannot_take_now_is_sent_again() {
    let fake = FakeAgent::start();
    let Some(example) = Example::start("sidecar", &[agent(fake.agent().address())]) else { return };
    fake.agent().play(2, Script::Answer(Answer::new(503).unwrap()));
    assert_eq!(export(example.http, &spans::export(&[("shop", "nobody")])).status, 200);
    assert_eq!(fake.records().len(), 3);
}

/// A podstamp with a table, at which the gateway asks.
fn gateway(fake: &FakeAgent, pods: &[(&str, &str)]) -> (Served, Option<Example>) {
    let table = Setup::load_balancer(&fake.url()).pods(spans::pods(pods)).serve();
    let admin = host("{ address: podstamp.deepflow, port_value: 8888 }", table.admin);
    let example = Example::start("gateway", &[agent(fake.agent().address()), admin]);
    (table, example)
}

/// Waits until the worker has a table, and Envoy's main thread its own: the gauges do not tell whose they are.
fn wait_for_table(example: &Example) {
    example.envoy.wait_for_logs(&["wasm", "pods-read"], 2);
}

#[test]
fn the_gateway_finds_pods_by_name() {
    let fake = FakeAgent::start();
    let (_table, example) = gateway(&fake, &[("web-1", "10.244.1.1"), ("cart-1", "10.244.1.2")]);
    let Some(example) = example else { return };
    wait_for_table(&example);
    exports_everywhere(
        &example,
        &spans::export(&[("web", "web-1"), ("cart", "cart-1"), ("other", "nobody")]),
    );
    let placed = [("cart", "10.244.1.2"), ("other", "0.0.0.0"), ("web", "10.244.1.1")];
    let placed: Vec<_> =
        placed.iter().flat_map(|(service, at)| vec![((*service).to_owned(), (*at).to_owned()); 4]).collect();
    assert_eq!(fake.placed(), placed);
    takes_large_bodies(&example, 16 << 20);
    refuses_metrics(&example);
}

#[test]
fn the_gateways_readme_is_right() {
    let fake = FakeAgent::start();
    let (_table, example) = gateway(&fake, &[("web-1", "10.244.1.1")]);
    let Some(example) = example else { return };
    wait_for_table(&example);
    let Some([answer, metric]) = example.run_commands_of_readme("gateway", SPANS, "accepted") else { return };
    assert_eq!(fake.placed(), [(String::new(), "10.244.1.1".to_owned())]);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    counts_as_the_readme_says("gateway", &metric);
    shows_its_status(&example, "podstamp_spans_total{outcome=\"accepted\"} 1");
}

/// The metric is what the README says.
fn counts_as_the_readme_says(folder: &str, metric: &str) {
    let readme = text(folder, "README.md");
    let said = readme.split("shows `").nth(1).and_then(|said| said.split('`').next()).unwrap();
    assert!(metric.lines().any(|line| line == said), "{said}\n{metric}");
}

/// Something that takes OTLP over HTTP and gRPC, ahead of which the example stands.
fn teed(deepflow: &FakeAgent, collector: &Served) -> Option<Example> {
    Example::start(
        "tee",
        &[
            agent(deepflow.agent().address()),
            host("{ address: otel-collector.observability, port_value: 4318 }", collector.address),
            host("{ address: otel-collector.observability, port_value: 4317 }", collector.grpc),
        ],
    )
}

#[test]
fn the_collector_behind_the_tee_gets_all_and_the_agent_copies() {
    let (deepflow, behind) = (FakeAgent::start(), FakeAgent::start());
    let collector = Setup::load_balancer(&behind.url()).serve();
    let Some(example) = teed(&deepflow, &collector) else { return };
    exports_everywhere(&example, &spans::export(&[("shop", "nobody")]));
    assert_eq!(behind.records().len(), 4);
    deepflow.wait_for_spans(4);
    // The peer is this machine, which cannot be a pod.
    assert_eq!(deepflow.placed(), vec![("shop".to_owned(), "0.0.0.0".to_owned()); 4]);
    example.counts("podstamp_copied_spans_total", "delivered", 4.0);
}

#[test]
fn the_originals_of_the_tee_do_not_notice_that_there_is_no_agent() {
    let (deepflow, behind) = (FakeAgent::start(), FakeAgent::start());
    let collector = Setup::load_balancer(&behind.url()).serve();
    deepflow.agent().play_always(Script::Close);
    let Some(example) = teed(&deepflow, &collector) else { return };
    exports_everywhere(&example, &spans::export(&[("shop", "nobody")]));
    assert_eq!(behind.records().len(), 4);
}

#[test]
fn the_readme_of_the_tee_is_right() {
    let (deepflow, behind) = (FakeAgent::start(), FakeAgent::start());
    let collector = Setup::load_balancer(&behind.url()).serve();
    let Some(example) = teed(&deepflow, &collector) else { return };
    let Some([answer, metric]) =
        example.run_commands_of_readme("tee", "podstamp_copied_spans_total", "delivered")
    else {
        return;
    };
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!((deepflow.records().len(), behind.records().len()), (1, 1));
    counts_as_the_readme_says("tee", &metric);
    shows_its_status(&example, "podstamp_copied_spans_total{outcome=\"delivered\"} 1");
}

/// The module's file, as the examples call it.
const MODULE: &str = "/etc/podstamp/module/podstamp.proxy-wasm.wasm";

const SPANS: &str = "podstamp_spans_total";
