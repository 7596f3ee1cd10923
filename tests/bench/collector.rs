//! podstamp and an OpenTelemetry Collector at the same job: DeepFlow's pipeline for load balancers, 1,000 pods, the same
//! sink; beside them rotel, which adds one address to all resources. Then podstamp inside of that Collector. They take turns on one core,
//! where there is `taskset` the same one, under the same load.
//!
//! The figure compared is CPU time a span, from `/proc`: the load generator and the sink have the other cores. The Collector
//! sends from its receiver's goroutine, without its queue: that costs it less, and neither then acknowledges what it has
//! not delivered. rotel looks nothing up and acknowledges before it sends.

mod inside;
mod side;

use std::time::Duration;

use podstamp_test_support::runtime;
use podstamp_test_support::{bodies, otlp_json};
use serde_json::{Value, json};

use crate::grpc;
use crate::host::gzipped;
use crate::load;
use crate::process::{Process, pinned};
use crate::sample::median;

pub(crate) use side::{Setup, Side};

const SPANS: usize = 1_000;
const CONNECTIONS: usize = 4;

pub(crate) fn run(quick: bool) -> Value {
    let Some(otelcol) = runtime::otelcol() else {
        return Value::Null;
    };
    let rotel = runtime::rotel();
    println!(
        "\nAt an OpenTelemetry Collector's job, on one core: {SPANS} spans a request, {CONNECTIONS} connections. `times` says how \
         many times the spans that podstamp takes in the same time of a processor.\n"
    );
    println!(
        "{:>20} {:>14} {:>22} {:>12} {:>6} {:>12} {:>6} {:>22}",
        "in", "out", "podstamp spans/s/core", "Collector", "times", "rotel", "times", "MiB"
    );
    let sink = Process::start(&["--upstream"]);
    let mut rows = Vec::new();
    // The Collector and rotel compress what they send unless told otherwise; podstamp does not.
    for (out, ours, theirs) in [
        ("uncompressed", "none", "none"),
        ("gzip", "gzip", "gzip"),
        (AS_SMALL, "gzip\n    compression_params: {level: 6}", "gzip"),
        ("defaults", "none", "gzip"),
    ] {
        let mut sides = vec![
            one_core(Setup::podstamp(sink.address, ours)),
            one_core(Setup::collector(&otelcol, sink.address, theirs)),
        ];
        sides.extend(rotel.as_deref().map(|rotel| one_core(Setup::rotel(rotel, sink.address, theirs))));
        // What comes in gzip is not compressed again, at whatever level.
        for body in BODIES.into_iter().filter(|body| out != AS_SMALL || !body.gzip) {
            rows.push(row(&sides, body, out, quick));
        }
    }
    json!({"at_its_job": rows, "inside": inside::run(&otelcol, &sink, quick)})
}

/// Starts a server where all take turns. Go's runtime counts the cores of the machine rather than those that it may use.
fn one_core(setup: Setup) -> Side {
    setup.start_by(|binary| {
        let mut command = pinned(binary);
        command.env("GOMAXPROCS", "1");
        command
    })
}

/// Of podstamp, the Collector and, where it is there, rotel.
fn row(sides: &[Side], body: Body, out: &str, quick: bool) -> Value {
    let (rounds, time) = if quick { (3, Duration::from_secs(1)) } else { (7, Duration::from_secs(2)) };
    let Body { label, gzip, .. } = body;
    let plain = bodies::recent_spans(SPANS);
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
        // What was acknowledged ahead of time is sent meanwhile.
        std::thread::sleep(AFTERMATH);
        (round.latencies.len() * SPANS) as f64 / (side.process.cpu_seconds() - before)
    };
    let mut samples = vec![Vec::new(); sides.len()];
    for round in 0..=rounds {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let sample = spans_per_cpu_second(side);
            // The first round warms up.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let times = |other: usize| -> Option<f64> {
        let other = samples.get(other)?;
        Some(median(samples[0].iter().zip(other).map(|(ours, theirs)| ours / theirs).collect()))
    };
    let (collector_times, rotel_times) = (times(1), times(2));
    let middles: Vec<_> = samples.iter().map(|samples| median(samples.clone())).collect();
    let memory: Vec<_> = sides.iter().map(|side| side.process.resident_mib()).collect();
    let or_nothing = |value: Option<f64>, places: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.places$}"))
    };
    println!(
        "{label:>20} {out:>14} {:>22.0} {:>12.0} {:>6} {:>12} {:>6} {:>22}",
        middles[0],
        middles[1],
        or_nothing(collector_times, 1),
        or_nothing(middles.get(2).copied(), 0),
        or_nothing(rotel_times, 1),
        memory.iter().map(|mib| format!("{mib:.0}")).collect::<Vec<_>>().join("/"),
    );
    let named =
        |values: &[f64]| json!({"podstamp": values[0], "collector": values[1], "rotel": values.get(2)});
    json!({
        "in": label, "out": out, "spans": SPANS, "connections": CONNECTIONS, "wire": bytes.len(),
        "times": {"collector": collector_times, "rotel": rotel_times},
        "resident_mib": named(&memory), "spans_per_cpu_second": named(&middles),
    })
}

/// Longer than it takes to send what is under way.
const AFTERMATH: Duration = Duration::from_millis(100);

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

/// What leaves in gzip is as small as the Collector makes it: that has the same level unless told otherwise.
const AS_SMALL: &str = "gzip, level 6";

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

const PIPELINE: &str = "
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [resource/pre, k8sattributes, resource/post]
      exporters: [otlphttp]
";
