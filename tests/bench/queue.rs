//! The queue: what it costs while the agent takes requests, and what it does while the agent does not.
//!
//! The queue on disk is below `target/`: figures that end at the device are beside what the device does alone. The Collector of the tests
//! has no `file_storage`: its queue is in memory, which costs it less than one that outlasts it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use podstamp_test_support::kubernetes::Kubernetes;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::{bodies, runtime};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load;
use crate::process::Process;
use crate::sample::median;
use crate::served::{Feature, Served, addresses};

pub(crate) fn run(quick: bool) -> Value {
    let device = device();
    json!({
        "through": through(quick),
        "device": device,
        "spill": spill(quick),
        "restart": restart(quick),
        "collector": collector(quick),
    })
}

/// The same requests to the same sink, with a queue on disk and without one.
fn through(quick: bool) -> Value {
    println!(
        "\nThe agent takes requests: with the queue on, which nothing goes into, and off; they take turns.\n"
    );
    println!(
        "{:>22} {:>5} {:>10} {:>10} {:>6} {:>17}",
        "body", "conn", "req/s on", "off", "ratio", "p99 ms on/off"
    );
    let (rounds, time) = if quick { (3, Duration::from_millis(500)) } else { (9, Duration::from_secs(1)) };
    let (folder, sink) = (folder(), Process::start(&["--upstream"]));
    let sides = [
        Served::start(&sink.address, Feature::Queue(&folder.path().join("queue"))),
        Served::start(&sink.address, Feature::None),
    ];
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for connections in [1, 16] {
            let mut samples = [Vec::new(), Vec::new()];
            for round in 0..=rounds {
                // Whoever comes second finds the caches warm.
                let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
                for side in order {
                    let ran = load::run(sides[side].process.address, &request, connections, time);
                    if round > 0 {
                        samples[side].push(ran);
                    }
                }
            }
            let of = |read: &dyn Fn(&load::Round) -> f64| {
                samples.each_ref().map(|side| median(side.iter().map(read).collect()))
            };
            let (rates, p99) = (of(&load::Round::rate), of(&|round| round.quantile(0.99) * 1e3));
            let ratios = samples[0].iter().zip(&samples[1]).map(|(on, off)| on.rate() / off.rate());
            let ratio = median(ratios.collect());
            println!(
                "{label:>22} {connections:>5} {:>10.0} {:>10.0} {ratio:>6.3} {:>8.3}/{:>8.3}",
                rates[0], rates[1], p99[0], p99[1]
            );
            rows.push(json!({
                "label": label, "spans": spans, "connections": connections, "ratio": ratio, "p99_ms": p99,
                "requests_per_second": {"on": rates[0], "off": rates[1]},
            }));
        }
    }
    json!(rows)
}

/// What the device takes from one writer that syncs after each write.
fn device() -> Value {
    println!("\nThe device below target/, one writer that syncs after each write.\n");
    println!("{:>12} {:>12} {:>12}", "bytes", "syncs/s", "MB/s");
    let folder = folder();
    let rows = [4 << 10, 64 << 10, 1 << 20, 8 << 20].map(|bytes: usize| {
        let mut file = File::create(folder.path().join("device")).unwrap();
        let content = vec![0xa5; bytes];
        let (begin, mut syncs) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_secs(1) {
            file.write_all(&content).unwrap();
            file.sync_data().unwrap();
            syncs += 1;
        }
        let rate = f64::from(syncs) / begin.elapsed().as_secs_f64();
        let megabytes = rate * bytes as f64 / 1e6;
        println!("{bytes:>12} {rate:>12.0} {megabytes:>12.0}");
        json!({"bytes": bytes, "syncs_per_second": rate, "megabytes_per_second": megabytes})
    });
    json!(rows)
}

/// Nobody listens at the agent's address: all is queued on disk and acknowledged.
fn spill(quick: bool) -> Value {
    println!("\nThe agent is away: requests are acknowledged once the disk has them.\n");
    println!(
        "{:>22} {:>5} {:>10} {:>12} {:>10} {:>9} {:>7}",
        "body", "conn", "MB/s", "spans/s", "ns/span", "p99 ms", "MiB"
    );
    let time = if quick { Duration::from_secs(1) } else { Duration::from_secs(4) };
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        let body = bodies::recent_spans(spans);
        let request = load::request(&body, "application/x-protobuf", false);
        for connections in [16, 64] {
            let folder = folder();
            let side = Served::start(&closed_port(), Feature::Queue(folder.path()));
            // The first request finds out that the agent is away.
            load::run(side.process.address, &request, 1, Duration::from_millis(1));
            let cpu = side.process.cpu_seconds();
            let ran = load::run(side.process.address, &request, connections, time);
            let count = ran.latencies.len() as f64;
            let cpu = (side.process.cpu_seconds() - cpu) / (count * spans as f64) * 1e9;
            let (megabytes, rate) = (ran.rate() * body.len() as f64 / 1e6, ran.rate() * spans as f64);
            let (p99, memory) = (ran.quantile(0.99) * 1e3, side.process.resident_mib());
            println!(
                "{label:>22} {connections:>5} {megabytes:>10.0} {rate:>12.0} {cpu:>10.0} {p99:>9.2} {memory:>7.0}"
            );
            rows.push(json!({
                "label": label, "spans": spans, "connections": connections, "megabytes_per_second": megabytes,
                "spans_per_second": rate, "cpu_nanoseconds_per_span": cpu, "p99_ms": p99, "resident_mib": memory,
            }));
        }
    }
    json!(rows)
}

/// Starts with much queued, and delivers it to an agent that is there then.
fn restart(quick: bool) -> Value {
    let wanted: u64 = if quick { 128 << 20 } else { 1 << 30 };
    let (folder, empty) = (folder(), folder());
    let (label, spans) = BODIES[1];
    let body = bodies::recent_spans(spans);
    let request = load::request(&body, "application/x-protobuf", false);
    let away = closed_port();
    let side = Served::start(&away, Feature::Queue(folder.path()));
    while side.metric("podstamp_queue_disk_bytes") < wanted as f64 {
        load::run(side.process.address, &request, 32, Duration::from_millis(300));
    }
    // Killed: the last segment has no index then.
    drop(side);
    let rounds = if quick { 1 } else { 5 };
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (samples, folder) in seconds.iter_mut().zip([&folder, &empty]) {
            samples.push(Served::start(&away, Feature::Queue(folder.path())).ready_after);
        }
    }
    let [full, none] = seconds.map(median);
    let sink = Process::start(&["--upstream"]);
    let side = Served::start(&sink.address, Feature::Queue(folder.path()));
    let (begin, cpu, queued) =
        (Instant::now(), side.process.cpu_seconds(), side.metric("podstamp_queue_size"));
    while side.metric("podstamp_queue_size") > 0.0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = (side.process.cpu_seconds() - cpu) / (queued / body.len() as f64 * spans as f64) * 1e9;
    let (megabytes, rate) = (queued / elapsed / 1e6, queued / body.len() as f64 * spans as f64 / elapsed);
    println!(
        "\nA start with {} MiB queued, of {label} each, after a kill; then the agent is there.\n",
        wanted >> 20
    );
    println!("{:>28} {full:>12.2}", "s to ready");
    println!("{:>28} {none:>12.2}", "with nothing queued");
    println!("{:>28} {rate:>12.0}", "spans/s delivered");
    println!("{:>28} {megabytes:>12.0}", "MB/s");
    println!("{:>28} {cpu:>12.0}", "CPU ns/span");
    json!({
        "queued_bytes": wanted, "seconds_to_ready": {"queued": full, "nothing": none},
        "delivered": {"spans_per_second": rate, "megabytes_per_second": megabytes, "cpu_nanoseconds_per_span": cpu},
    })
}

/// podstamp with its queue on disk, and a Collector with its queue in memory, while nobody listens at the agent's address.
fn collector(quick: bool) -> Value {
    let Some(otelcol) = runtime::otelcol() else {
        return Value::Null;
    };
    println!(
        "\nThe agent is away: podstamp with its queue on disk and synced, a Collector with its queue in memory.\n"
    );
    println!("{:>22} {:>12} {:>14} {:>12} {:>7}", "body", "in", "spans/s", "CPU ns/span", "MiB");
    let time = if quick { Duration::from_secs(1) } else { Duration::from_secs(4) };
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        let measure = |process: &Process, name: &str| {
            load::run(process.address, &request, 1, Duration::from_millis(1));
            let cpu = process.cpu_seconds();
            let ran = load::run(process.address, &request, 16, time);
            let spans = (ran.latencies.len() * spans) as f64;
            let (rate, cpu) = (spans / ran.seconds, (process.cpu_seconds() - cpu) / spans * 1e9);
            let memory = process.resident_mib();
            println!("{label:>22} {name:>12} {rate:>14.0} {cpu:>12.0} {memory:>7.0}");
            json!({"spans_per_second": rate, "cpu_nanoseconds_per_span": cpu, "resident_mib": memory})
        };
        let folder = folder();
        let ours = Served::start(&closed_port(), Feature::Queue(folder.path()));
        let ours = measure(&ours.process, "podstamp");
        let (process, _files) = collector_away(&otelcol);
        rows.push(json!({"label": label, "podstamp": ours, "collector": measure(&process, "Collector")}));
    }
    json!(rows)
}

/// A Collector with a queue in memory that nothing leaves.
fn collector_away(binary: &Path) -> (Process, (TempDir, Kubernetes)) {
    let folder = TempDir::new().unwrap();
    let kubernetes = Kubernetes::serve(&bodies::pods(10).to_string());
    let config = format!(
        "receivers:\n  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}\n\
         exporters:\n  otlphttp:\n    traces_endpoint: http://{}/api/v1/otel/trace\n    compression: none\n    \
         retry_on_failure: {{max_elapsed_time: 0s}}\n    sending_queue: {{queue_size: 1000000000}}\n\
         service:\n  pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}\n  telemetry: {{metrics: {{level: none}}}}\n",
        closed_port()
    );
    let file = folder.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(binary);
    command.arg("--config").arg(file).env("KUBECONFIG", kubernetes.config());
    let (child, [http]) = addresses(command, [("\"endpoint\": \"", 0)]);
    (Process::of(child, http), (folder, kubernetes))
}

/// A folder on the disk that the build is on: that of temporary files may be in memory.
fn folder() -> TempDir {
    TempDir::new_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap()
}

/// A small request, one of the usual size of a batch, and a large one.
const BODIES: [(&str, usize); 3] =
    [("5 KiB, 10 spans", 10), ("64 KiB, 130 spans", 130), ("1,000 spans", 1_000)];
