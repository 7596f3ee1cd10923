//! podstamp and an OpenTelemetry Collector at the same job: DeepFlow's pipeline for load balancers, 1,000 pods, the same
//! sink; then podstamp inside of that Collector. They take turns on one core, where there is `taskset` the same one, under the same load.
//!
//! The figure compared is CPU time a span, from `/proc`: the load generator and the sink have the other cores. The Collector
//! sends from its receiver's goroutine, without its queue: that costs it less, and neither then acknowledges what it has
//! not delivered.

mod inside;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use podstamp_test_support::kubernetes::Kubernetes;
use podstamp_test_support::runtime;
use podstamp_test_support::{bodies, otlp_json};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::grpc;
use crate::host::{Process, gzipped};
use crate::load;
use crate::sample::median;

const SPANS: usize = 1_000;
const CONNECTIONS: usize = 4;

pub(crate) fn run(quick: bool) -> Value {
    let Some(otelcol) = runtime::otelcol() else {
        return Value::Null;
    };
    let podstamp = std::env::current_exe().unwrap().with_file_name("podstamp");
    assert!(podstamp.exists(), "{} is missing: `cargo xtask bench` builds it", podstamp.display());
    println!(
        "\nAt an OpenTelemetry Collector's job, on one core: {SPANS} spans a request, {CONNECTIONS} connections.\n"
    );
    println!(
        "{:>20} {:>14} {:>22} {:>14} {:>7} {:>17}",
        "in", "out", "podstamp spans/s/core", "Collector", "ratio", "MiB"
    );
    let sink = Process::start(&["--upstream"]);
    let mut rows = Vec::new();
    // The Collector compresses what it sends unless told otherwise; podstamp does not.
    for (out, ours, theirs) in
        [("uncompressed", "none", "none"), ("gzip", "gzip", "gzip"), ("defaults", "none", "gzip")]
    {
        let sides = [Side::podstamp(&podstamp, &sink, ours), Side::collector(&otelcol, &sink, theirs)];
        for body in BODIES {
            rows.push(row(&sides, body, out, quick));
        }
    }
    json!({"at_its_job": rows, "inside": inside::run(&otelcol, &sink, quick)})
}

fn row(sides: &[Side; 2], body: Body, out: &str, quick: bool) -> Value {
    let (rounds, time) = if quick { (3, Duration::from_secs(1)) } else { (7, Duration::from_secs(2)) };
    let Body { label, gzip, .. } = body;
    let plain = bodies::of_spans(SPANS);
    let bytes = match body.protocol {
        Protocol::Json => otlp_json::plain(&prost::Message::decode(&*plain).unwrap()).into_bytes(),
        Protocol::Protobuf | Protocol::Grpc => plain,
    };
    let bytes = if gzip { gzipped(&bytes) } else { bytes };
    let (request, message) =
        (load::request(&bytes, body.content_type(), gzip), grpc::Message::new(&bytes, gzip));
    let spans_per_cpu_second = |side: &Side| {
        let before = side.process.cpu_seconds();
        let round = match body.protocol {
            Protocol::Grpc => grpc::run(side.grpc, &message, CONNECTIONS, time),
            Protocol::Protobuf | Protocol::Json => {
                load::run(side.process.address, &request, CONNECTIONS, time)
            }
        };
        (round.latencies.len() * SPANS) as f64 / (side.process.cpu_seconds() - before)
    };
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let sample = spans_per_cpu_second(side);
            // The first round warms up.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let ratios = samples[0].iter().zip(&samples[1]).map(|(ours, theirs)| ours / theirs).collect();
    let ([ours, theirs], ratio) = (samples.map(median), median(ratios));
    let memory = [&sides[0], &sides[1]].map(|side| side.process.resident_mib());
    println!(
        "{label:>20} {out:>14} {ours:>22.0} {theirs:>14.0} {ratio:>7.1} {:>8.1}/{:>8.1}",
        memory[0], memory[1]
    );
    json!({
        "in": label, "out": out, "spans": SPANS, "connections": CONNECTIONS, "bytes": bytes.len(),
        "ratio": ratio, "resident_mib": memory,
        "spans_per_cpu_second": {"podstamp": ours, "collector": theirs},
    })
}

/// A kind of request: its protocol and its coding.
#[derive(Clone, Copy)]
struct Body {
    label: &'static str,
    protocol: Protocol,
    gzip: bool,
}

#[derive(Clone, Copy)]
enum Protocol {
    Protobuf,
    Json,
    Grpc,
}

impl Body {
    fn content_type(self) -> &'static str {
        if matches!(self.protocol, Protocol::Json) { "application/json" } else { "application/x-protobuf" }
    }
}

const BODIES: [Body; 6] = [
    Body { label: "HTTP protobuf", protocol: Protocol::Protobuf, gzip: false },
    Body { label: "HTTP protobuf gzip", protocol: Protocol::Protobuf, gzip: true },
    Body { label: "gRPC", protocol: Protocol::Grpc, gzip: false },
    Body { label: "gRPC gzip", protocol: Protocol::Grpc, gzip: true },
    Body { label: "HTTP JSON", protocol: Protocol::Json, gzip: false },
    Body { label: "HTTP JSON gzip", protocol: Protocol::Json, gzip: true },
];

/// A server under load.
struct Side {
    process: Process,
    grpc: SocketAddr,
    _files: (TempDir, Option<Kubernetes>),
}

impl Side {
    fn podstamp(binary: &Path, sink: &Process, compression: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let pods = folder.path().join("pods.json");
        std::fs::write(&pods, bodies::pods(PODS).to_string()).unwrap();
        let config =
            write(&folder, &format!("{PROCESSORS}{RECEIVERS}{}{PIPELINE}", exporter(sink, compression)));
        let mut command = pinned(binary);
        command.arg("serve").arg("--config").arg(config).arg("--pods").arg(pods).env("NO_COLOR", "1");
        let (child, [http, grpc]) =
            started(command, ["taking OTLP/HTTP at http://", "taking OTLP/gRPC at http://"], "sending to");
        Self { process: Process::of(child, http), grpc, _files: (folder, None) }
    }

    fn collector(binary: &Path, sink: &Process, compression: &str) -> Self {
        let reached = "auth_type: kubeConfig\n    wait_for_metadata: true";
        let processors = PROCESSORS.replace("auth_type: serviceAccount", reached);
        Self::collector_with(binary, sink, compression, &format!("{processors}{PIPELINE}"))
    }

    /// A Collector with these processors and pipelines; the variable for its kubeconfig names a cluster with the pods.
    fn collector_with(binary: &Path, sink: &Process, compression: &str, processors: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let kubernetes = Kubernetes::serve(&bodies::pods(PODS).to_string());
        let exporter = format!("{}    sending_queue:\n      enabled: false\n", exporter(sink, compression));
        let quiet = "  telemetry:\n    metrics:\n      level: none\n";
        let config = write(&folder, &format!("{RECEIVERS}{exporter}{processors}{quiet}"));
        let mut command = pinned(binary);
        command.arg("--config").arg(config).env("KUBECONFIG", kubernetes.config()).env("GOMAXPROCS", "1");
        let endpoint = "\"endpoint\": \"";
        let (child, [grpc, http]) = started(command, [endpoint, endpoint], "Everything is ready");
        Self { process: Process::of(child, http), grpc, _files: (folder, Some(kubernetes)) }
    }
}

/// On the last core alone, where `taskset` is there.
pub(crate) fn pinned(binary: &Path) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let core = (cores - 1).to_string();
    let there =
        Command::new("taskset").args(["-c", &core, "true"]).status().is_ok_and(|ended| ended.success());
    if !there {
        return Command::new(binary);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core]).arg(binary);
    command
}

/// Starts a server and reads the addresses that follow these texts in its log, in that order.
fn started(mut command: Command, texts: [&str; 2], ready: &str) -> (Child, [SocketAddr; 2]) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut addresses = Vec::new();
    loop {
        let line = lines.next().expect("it ends before it is ready").unwrap();
        if let Some((_, rest)) = texts.get(addresses.len()).and_then(|text| line.split_once(text)) {
            let end = rest.find(|char: char| !char.is_ascii_digit() && !".:".contains(char));
            addresses.push(rest[..end.unwrap_or(rest.len())].parse().unwrap());
        }
        if line.contains(ready) {
            break;
        }
    }
    // The process must not block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, [addresses[0], addresses[1]])
}

fn write(folder: &TempDir, config: &str) -> PathBuf {
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config).unwrap();
    file
}

fn exporter(sink: &Process, compression: &str) -> String {
    format!(
        "exporters:\n  otlphttp:\n    traces_endpoint: http://{}/api/v1/otel/trace\n    compression: {compression}\n",
        sink.address
    )
}

const PODS: usize = 1_000;

/// As DeepFlow documents them for a load balancer.
const PROCESSORS: &str = "
processors:
  resource/pre:
    attributes: [{key: k8s.pod.name, from_attribute: host.name, action: insert}]
  k8sattributes:
    auth_type: serviceAccount
    extract:
      metadata: [k8s.pod.name, k8s.pod.uid, k8s.pod.ip]
    passthrough: false
    pod_association:
      - sources: [{from: resource_attribute, name: k8s.pod.name}]
      - sources: [{from: resource_attribute, name: k8s.pod.ip}]
      - sources: [{from: resource_attribute, name: k8s.pod.uid}]
      - sources: [{from: connection}]
  resource/post:
    attributes: [{key: app.host.ip, from_attribute: k8s.pod.ip, action: insert}]
";

const RECEIVERS: &str = "
receivers:
  otlp:
    protocols:
      grpc: {endpoint: '127.0.0.1:0'}
      http: {endpoint: '127.0.0.1:0'}
";

const PIPELINE: &str = "
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [resource/pre, k8sattributes, resource/post]
      exporters: [otlphttp]
";
