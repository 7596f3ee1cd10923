//! One worker and two, with few connections and with many.
//!
//! The load generator and the sink need cores of their own. Where there are none, two workers take turns with them, and their
//! throughput says little. What counts then is processor time a request: what two workers take more for a request than one, for locks, for
//! work that moves between them and for caches, is what the second core does not bring.

use std::time::Duration;

use podstamp_test_support::bodies;
use serde_json::{Value, json};

use super::BODIES;
use crate::collector::{Setup, Side};
use crate::load::{self, Round};
use crate::process::{Process, cores, pinned_to};
use crate::sample::median;

pub(super) fn run(quick: bool) -> Value {
    println!(
        "\nOne worker, on one core, and two, on two of {}. `two cores` is what two do of what one does, by processor time a request; \
         throughput says as much where the load generator has two more cores.\n",
        cores()
    );
    println!(
        "{:>22} {:>6} {:>10} {:>10} {:>19} {:>10} {:>17} {:>17}",
        "body",
        "conn",
        "req/s one",
        "two",
        "CPU us/req one/two",
        "two cores",
        "p50 ms one/two",
        "p99 ms one/two"
    );
    let sink = Process::start(&["--upstream"]);
    let sides =
        [1, 2].map(|count| Setup::podstamp(sink.address, "none").start_by(|binary| pinned_to(binary, count)));
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        for connections in [1, 16, 256] {
            rows.push(row(&sides, label, spans, connections, quick));
        }
    }
    json!(rows)
}

fn row(sides: &[Side; 2], label: &str, spans: usize, connections: usize, quick: bool) -> Value {
    let (rounds, time) = if quick { (3, Duration::from_millis(500)) } else { (9, Duration::from_secs(1)) };
    let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let process = &sides[side].process;
            let before = process.exact_cpu_seconds();
            let ran = load::run(process.address, &request, connections, time);
            let cpu = (process.exact_cpu_seconds() - before) / ran.latencies.len() as f64 * 1e6;
            // The first round warms up.
            if round > 0 {
                samples[side].push((cpu, ran));
            }
        }
    }
    let of = |read: &dyn Fn(&(f64, Round)) -> f64| {
        samples.each_ref().map(|side| median(side.iter().map(read).collect()))
    };
    let rates = of(&|(_, round)| round.rate());
    let cpu = of(&|(cpu, _)| *cpu);
    let p50 = of(&|(_, round)| round.quantile(0.5) * 1e3);
    let p99 = of(&|(_, round)| round.quantile(0.99) * 1e3);
    // Of rounds that were taken one after the other.
    let two = 2.0 * median(samples[0].iter().zip(&samples[1]).map(|(one, two)| one.0 / two.0).collect());
    println!(
        "{label:>22} {connections:>6} {:>10.0} {:>10.0} {:>9.1}/{:>9.1} {two:>10.2} {:>8.3}/{:>8.3} {:>8.3}/{:>8.3}",
        rates[0], rates[1], cpu[0], cpu[1], p50[0], p50[1], p99[0], p99[1],
    );
    let named = |values: [f64; 2]| json!({"one": values[0], "two": values[1]});
    json!({
        "label": label, "connections": connections, "requests_per_second": named(rates), "cpu_microseconds": named(cpu),
        "two_cores": two, "p50_ms": named(p50), "p99_ms": named(p99),
    })
}
