//! What podstamp costs inside of a Collector: beside the same Collector without it, and with the processors that it stands for.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use podstamp::pods::{self, Coverage, KeptKeys};
use podstamp_core::directory::{Field, Fields};
use podstamp_pods::listing;
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::bodies;
use serde_json::{Value, json};

use super::{CONNECTIONS, PIPELINE, PODS, PROCESSORS, SPANS, Setup, Side, one_core};
use crate::grpc;
use crate::load;
use crate::process::Process;
use crate::sample::median;

pub(super) fn run(otelcol: &Path, sink: &Process, quick: bool) -> Value {
    println!(
        "\nInside of the Collector, on one core: processor time of a request in us, and of the first kind's.\n"
    );
    println!("{:>28} {:>10} {:>18} {:>26}", "in", "without", "podstamp", "k8sattributes, resource");
    let pods = serve_pods();
    let side = |config: &str| one_core(Setup::collector_with(otelcol, sink.address, "none", config));
    let without = "service:\n  pipelines:\n    traces: {receivers: [otlp], exporters: [otlphttp]}\n";
    let reached = "auth_type: kubeConfig\n    wait_for_metadata: true";
    let theirs = format!("{}{PIPELINE}", PROCESSORS.replace("auth_type: serviceAccount", reached));
    let sides = [side(without), side(&ours(&pods)), side(&theirs)];
    let bodies = [
        (format!("{SPANS} spans"), bodies::recent_spans(SPANS)),
        ("50 resources".to_owned(), bodies::recent_resources(50)),
    ];
    let mut rows = Vec::new();
    for (label, body) in &bodies {
        for over_grpc in [false, true] {
            rows.push(row(&sides, label, body, over_grpc, quick));
        }
    }
    json!(rows)
}

fn row(sides: &[Side; 3], label: &str, body: &[u8], over_grpc: bool, quick: bool) -> Value {
    let (rounds, time) = if quick { (3, Duration::from_secs(1)) } else { (9, Duration::from_secs(2)) };
    let (request, message) =
        (load::request(body, "application/x-protobuf", false), grpc::Message::new(body, false));
    let cost = |side: &Side| {
        let before = side.process.cpu_seconds();
        let round = if over_grpc {
            grpc::run(side.grpc, &message, CONNECTIONS, time)
        } else {
            load::run(side.process.address, &request, CONNECTIONS, time)
        };
        (side.process.cpu_seconds() - before) * 1e6 / round.latencies.len() as f64
    };
    let mut samples = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let sample = cost(side);
            // The first round warms up.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    // Of samples that were taken one after the other.
    let ratio =
        |of: usize| median(samples[of].iter().zip(&samples[0]).map(|(one, none)| one / none).collect());
    let ratios = [ratio(1), ratio(2)];
    let [without, ours, theirs] = samples.map(median);
    let label = format!("{}, {label}", if over_grpc { "gRPC" } else { "HTTP" });
    println!(
        "{label:>28} {without:>10.0} {ours:>10.0} {:>6.2}x {theirs:>18.0} {:>6.2}x",
        ratios[0], ratios[1]
    );
    json!({
        "in": label, "connections": CONNECTIONS, "bytes": body.len(), "ratios": {"podstamp": ratios[0], "processors": ratios[1]},
        "cpu_us": {"without": without, "podstamp": ours, "processors": theirs},
    })
}

/// The same processors within podstamp, which has its pods from another podstamp.
fn ours(pods: &Raw) -> String {
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let order = "service:\n  pipelines:\n    traces:\n      processors: [resource/pre, k8sattributes, resource/post]\n";
    format!(
        "processors:\n  podstamp:\n    pods: {{endpoint: 'http://{}', wait: 0s, interval: 1h}}\n{}{}service:\n  pipelines:\n    traces: {{receivers: [otlp], processors: [podstamp], exporters: [otlphttp]}}\n",
        pods.address,
        indented(PROCESSORS),
        indented(order)
    )
}

/// What a podstamp answers that knows the pods.
fn serve_pods() -> Raw {
    let pods = bodies::pods(PODS).to_string();
    let table = pods::read_pods(pods.as_bytes(), KeptKeys::ALL, Coverage::Cluster).unwrap();
    Raw::replying(move |request, stream| {
        let (_, query) = request.line.split_once("fields=").unwrap();
        let names = query.split([' ', '&']).next().unwrap().split(',');
        let fields = Fields::from_iter(names.filter_map(Field::of_name));
        let text = listing::write_full(&table, fields);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
    })
}
