//! Few small requests: what each takes of the processor, with the filter on and off.
//!
//! At 100 requests a second most of a request is waking up: the figure is higher than under load, and it is what the machine's owner pays
//! while little happens.

use std::time::Duration;

use podstamp_test_support::bodies;
use serde_json::{Value, json};

use crate::load;
use crate::open_loop;
use crate::process::Process;
use crate::sample::median;

pub(super) fn run(quick: bool) -> Value {
    println!(
        "\n{RATE:.0} small requests a second: CPU us a request with the filter on and off; they take turns.\n"
    );
    println!("{:>22} {:>5} {:>9} {:>9} {:>7} {:>17}", "body", "conn", "on", "off", "off/on", "p50 ms on/off");
    let sink = Process::start(&["--upstream"]);
    let sides = ["on", "off"].map(|filter| Process::start(&["--serve", filter, &sink.address.to_string()]));
    let (rounds, time) = if quick { (3, Duration::from_secs(2)) } else { (9, Duration::from_secs(4)) };
    let mut rows = Vec::new();
    for (label, spans) in [("1 KiB, 2 spans", 2), ("5 KiB, 10 spans", 10)] {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for connections in [1, 8] {
            let mut samples = [Vec::new(), Vec::new()];
            for round in 0..=rounds {
                for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    let before = sides[side].exact_cpu_seconds();
                    let ran = open_loop::run(sides[side].address, &request, RATE, connections, time);
                    let cpu = (sides[side].exact_cpu_seconds() - before) / ran.latencies.len() as f64 * 1e6;
                    // The first round warms up.
                    if round > 0 {
                        samples[side].push((cpu, ran.quantile(0.5) * 1e3));
                    }
                }
            }
            let ratio = median(samples[0].iter().zip(&samples[1]).map(|(on, off)| off.0 / on.0).collect());
            let of = |read: fn(&(f64, f64)) -> f64| {
                samples.each_ref().map(|side| median(side.iter().map(read).collect()))
            };
            let (cpu, p50) = (of(|sample| sample.0), of(|sample| sample.1));
            println!(
                "{label:>22} {connections:>5} {:>9.1} {:>9.1} {ratio:>7.2} {:>8.3}/{:>8.3}",
                cpu[0], cpu[1], p50[0], p50[1]
            );
            rows.push(json!({
                "label": label, "connections": connections, "cpu_microseconds": {"on": cpu[0], "off": cpu[1]},
                "ratio": ratio, "p50_ms": {"on": p50[0], "off": p50[1]},
            }));
        }
    }
    json!(rows)
}

/// Requests a second: a node with a few busy services, each of which sends batches.
const RATE: f64 = 100.0;
