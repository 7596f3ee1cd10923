//! `cargo xtask bench`: what podstamp costs, side by side in one run.
//!
//! Machines are noisy: every figure is the median of interleaved samples, and ratios within one row say more than any
//! figure alone. The results are also written to `target/bench.json`, or `--json FILE`; `--quick` takes fewer samples;
//! `batch`, `codec`, `coding`, `host`, `lane`, `pods` or `shapes` runs one part, of which `shapes` fails where time grows faster than n log n.
//! `collector`, `console`, `envoy`, `kubernetes` and `queue` run only where they are asked for: they fetch an OpenTelemetry Collector, an
//! Envoy and a Kubernetes API server, `queue` writes gigabytes, and `console` takes its time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that fails may stop"
)]
#![allow(clippy::print_stdout, reason = "the table is the product")]

mod batch;
mod codec;
mod coding;
mod collector;
mod console;
mod envoy;
mod grpc;
mod host;
mod kubernetes;
mod load;
mod oracle;
mod pods;
mod queue;
mod sample;
mod served;
mod shapes;

use std::process::ExitCode;

use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some("--upstream" | "--agent" | "--serve") = arguments.first().map(String::as_str) {
        host::child(&arguments);
        return ExitCode::SUCCESS;
    }
    if arguments.first().is_some_and(|argument| argument == "--cluster") {
        kubernetes::cluster::child(&arguments);
        return ExitCode::SUCCESS;
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let named =
        arguments.iter().position(|argument| argument == "--json").map(|at| arguments[at + 1].clone());
    let file = named.unwrap_or_else(|| "target/bench.json".to_owned());
    let quick = has("--quick");
    let all = ![
        "batch",
        "codec",
        "coding",
        "collector",
        "console",
        "envoy",
        "host",
        "kubernetes",
        "lane",
        "pods",
        "queue",
        "shapes",
    ]
    .into_iter()
    .any(has);
    let mut results = json!({"quick": quick, "machine": machine()});
    if all || has("codec") {
        results["codec"] = codec::run(quick);
    }
    if all || has("coding") {
        results["coding"] = coding::run(quick);
    }
    if all || has("host") {
        results["host"] = host::run(quick);
    }
    if all || has("batch") {
        results["batch"] = batch::run(quick);
    }
    if all || has("lane") {
        results["lane"] = host::lane(quick);
    }
    if all || has("pods") {
        results["pods"] = pods::run(quick);
    }
    let mut sound = true;
    if all || has("shapes") {
        (results["shapes"], sound) = shapes::run(quick);
    }
    if has("envoy") {
        results["envoy"] = envoy::run(quick);
    }
    if has("collector") {
        results["collector"] = collector::run(quick);
    }
    if has("console") {
        results["console"] = console::run(quick);
    }
    if has("queue") {
        results["queue"] = queue::run(quick);
    }
    if has("kubernetes") {
        results["kubernetes"] = kubernetes::run(quick);
    }
    std::fs::write(&file, serde_json::to_string_pretty(&results).unwrap()).unwrap();
    println!("\nresults also in {file}");
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({"cpu": model, "cores": cores})
}
