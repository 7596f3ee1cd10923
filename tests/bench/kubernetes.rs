//! podstamp on a cluster's pods, beside an OpenTelemetry Collector with `k8sattributes`: memory, time until it knows all pods,
//! and what changes cost.
//!
//! Up to 10,000 pods are in a real API server, which runs on this machine as well. 100,000 of them would take it a quarter of
//! an hour and 16 GB: there, and for changes, a scripted server sends the same JSON over plain HTTP, 10 KB a pod.

pub(crate) mod cluster;
mod lookups;
mod pod;
mod processes;
mod real;
mod sides;

use std::path::PathBuf;
use std::time::Duration;

use podstamp_test_support::runtime;
use serde_json::{Value, json};

use crate::process::cpu_seconds;
use crate::sample::median;
use cluster::Cluster;
use processes::{Frozen, forget_peak};
use real::Real;
use sides::{Program, Side};

pub(crate) fn run(quick: bool) -> Value {
    json!({"start": start(quick), "changes": changes(quick), "lookups": lookups::run(quick)})
}

/// A server of pods.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Server {
    Real(Real),
    Scripted(Cluster),
}

impl Server {
    fn kube_config(&self) -> PathBuf {
        match self {
            Self::Real(real) => real.kube_config(),
            Self::Scripted(cluster) => cluster.kube_config(),
        }
    }

    fn process_id(&self) -> u32 {
        match self {
            Self::Real(real) => real.process_id(),
            Self::Scripted(cluster) => cluster.process_id(),
        }
    }
}

/// The start of a program: until it is ready, and the memory that it has then.
struct Start {
    seconds: f64,
    resident: f64,
}

/// What there is of one size: the medians of podstamp and the Collector.
fn start(quick: bool) -> Value {
    println!("\nA cluster's pods, until all are known. `own part` is the start of an empty cluster.\n");
    println!(
        "{:>9} {:>9} {:>11} {:>10} {:>7} {:>13} {:>10} {:>7} {:>12} {:>12} {:>12}",
        "pods",
        "server",
        "podstamp s",
        "Collector",
        "ratio",
        "podstamp MiB",
        "Collector",
        "ratio",
        "peak/after",
        "table B/pod",
        "RSS B/pod"
    );
    let podstamp = Program::podstamp();
    let collector = runtime::otelcol().map(Program::collector);
    let sizes: &[(usize, bool)] = if quick {
        &[(0, false), (1_000, false), (10_000, false)]
    } else {
        &[(0, false), (1_000, true), (10_000, true), (10_000, false), (100_000, false)]
    };
    let mut empty = f64::NAN;
    let mut rows = Vec::new();
    for &(pods, real) in sizes {
        let server = match real.then(|| Real::start(pods)) {
            None => Server::Scripted(Cluster::start(pods)),
            Some(Some(real)) => Server::Real(real),
            // Why has been said.
            Some(None) => continue,
        };
        let row = size(&server, pods, &podstamp, collector.as_ref(), empty, quick);
        if pods == 0 {
            empty = row["resident_mib"]["podstamp"].as_f64().unwrap();
        }
        rows.push(row);
    }
    json!(rows)
}

fn size(
    server: &Server,
    pods: usize,
    podstamp: &Program,
    collector: Option<&Program>,
    empty: f64,
    quick: bool,
) -> Value {
    let mut starts: [Vec<Start>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..if quick { 1 } else { 3 } {
        for (program, starts) in [Some(podstamp), collector].into_iter().zip(&mut starts) {
            starts.extend(
                program.map(|program| measure_start(&mut program.start(&server.kube_config()), quick)),
            );
        }
    }
    let seconds = starts.each_ref().map(|starts| median(starts.iter().map(|start| start.seconds).collect()));
    let memory = starts.each_ref().map(|starts| median(starts.iter().map(|start| start.resident).collect()));
    let (peak, table) = measure_peak(server, podstamp);
    let each = (memory[0] - empty) * 1024.0 * 1024.0 / pods as f64;
    let kind = if matches!(server, Server::Real(_)) { "real" } else { "scripted" };
    println!(
        "{pods:>9} {kind:>9} {:>11.2} {:>10.2} {:>7.2} {:>13.1} {:>10.1} {:>7.1} {peak:>12.2} {:>12.0} {each:>12.0}",
        seconds[0],
        seconds[1],
        seconds[1] / seconds[0],
        memory[0],
        memory[1],
        memory[1] / memory[0],
        table / pods as f64,
    );
    json!({
        "pods": pods, "server": kind, "table_bytes_per_pod": table / pods as f64, "resident_bytes_per_pod": each,
        "peak_while_listing": peak,
        "seconds": {"podstamp": seconds[0], "collector": seconds[1], "ratio": seconds[1] / seconds[0]},
        "resident_mib": {"podstamp": memory[0], "collector": memory[1], "ratio": memory[1] / memory[0]},
    })
}

fn measure_start(side: &mut Side, quick: bool) -> Start {
    let seconds = side.wait_until_ready().as_secs_f64();
    settle(quick);
    Start { seconds, resident: side.memory().resident }
}

/// Both give memory back to the system, in their own time.
fn settle(quick: bool) {
    std::thread::sleep(Duration::from_secs(if quick { 2 } else { 5 }));
}

/// The most memory while podstamp lists, as a multiple of what it has after; and the bytes of its table. The server answers only
/// when podstamp's own start is over, which takes memory too.
fn measure_peak(server: &Server, podstamp: &Program) -> (f64, f64) {
    let frozen = Frozen::new(&[server.process_id()]);
    let mut side = podstamp.start(&server.kube_config());
    side.wait_for_start();
    std::thread::sleep(Duration::from_millis(500));
    forget_peak(side.process_id());
    drop(frozen);
    side.wait_until_ready();
    settle(true);
    let memory = side.memory();
    (memory.peak / memory.resident, side.table_bytes())
}

/// The time of the processor that a change takes, at each size.
fn changes(quick: bool) -> Value {
    println!("\n{RATE} pods a second get other addresses: the processor's time for each, in microseconds.\n");
    println!("{:>9} {:>10} {:>10} {:>7}", "pods", "podstamp", "Collector", "ratio");
    let podstamp = Program::podstamp();
    let collector = runtime::otelcol().map(Program::collector);
    let sizes: &[usize] = if quick { &[10_000] } else { &[1_000, 10_000, 100_000] };
    let rows = sizes.iter().map(|&pods| {
        let server = Cluster::start(pods);
        let count = RATE * if quick { 4 } else { 10 };
        let each = [Some(&podstamp), collector.as_ref()].map(|program| {
            let Some(program) = program else { return f64::NAN };
            let mut side = program.start(&server.kube_config());
            side.wait_until_ready();
            settle(quick);
            let before = cpu_seconds(side.process_id());
            server.change(RATE, count);
            (cpu_seconds(side.process_id()) - before) / count as f64 * 1e6
        });
        println!("{pods:>9} {:>10.0} {:>10.0} {:>7.1}", each[0], each[1], each[1] / each[0]);
        json!({"pods": pods, "microseconds": {"podstamp": each[0], "collector": each[1], "ratio": each[1] / each[0]}})
    });
    rows.collect()
}

/// Changes a second: those of a cluster of 100,000 pods in which each lives for some hours, many times over.
const RATE: usize = 500;

/// Nothing takes that long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);
