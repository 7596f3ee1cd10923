//! Requests at fixed rates: what a client waits, from when its request was due.

use std::time::Duration;

use podstamp_test_support::bodies;
use serde_json::{Value, json};

use super::BODIES;
use crate::awake::KeptAwake;
use crate::collector::Setup;
use crate::load::{self, Round};
use crate::lone_loop::LoneLoop;
use crate::process::{OffLastCore, pinned};
use crate::sample::median;

pub(super) fn run(quick: bool) -> Value {
    println!(
        "\nRequests at fixed rates over {CONNECTIONS} connections, podstamp on one core, all else on the others; ms from when a request was due, and of the same \
         load straight to the sink. The last rate of each body is {:.0} % of the most that there was.\n",
        SHARE * 100.0
    );
    println!(
        "{:>22} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>29}",
        "body", "due/s", "req/s", "p50", "p90", "p99", "p99.9", "p99/p50", "straight p50/p99/p99.9"
    );
    let load = LoneLoop::start();
    let side = load.during(|| Setup::podstamp(load.sink(), "none").start_by(pinned));
    let _awake = KeptAwake::last_core();
    let _off = OffLastCore::new();
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        let most = || load.most(side.process.address, &request, CONNECTIONS, Duration::from_secs(1)).rate();
        // The first one warms up.
        most();
        let most = median((0..3).map(|_| most()).collect());
        for (name, rate) in
            [("100/s", 100.0), ("1,000/s", 1_000.0), ("70 % of the most", (most * SHARE).round())]
        {
            // Short ones: a pause of the machine's then spoils one of many, and not the median.
            let seconds = (REQUESTS / rate).clamp(0.2, 5.0);
            let all = if quick { 6.0 } else { 30.0 };
            let rounds = f64::max(all / seconds, 3.0) as u32;
            let mut samples = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for (samples, to) in samples.iter_mut().zip([side.process.address, load.sink()]) {
                    let time = Duration::from_secs_f64(seconds);
                    samples.push(load.at_rate(rate, to, &request, CONNECTIONS, time));
                }
            }
            rows.push(row((label, name), rate, &samples));
        }
    }
    json!(rows)
}

/// Through podstamp, and straight to the sink.
fn row((label, name): (&str, &str), rate: f64, samples: &[Vec<Round>; 2]) -> Value {
    let quantiles = samples.each_ref().map(|rounds| {
        [0.5, 0.9, 0.99, 0.999]
            .map(|part| median(rounds.iter().map(|round| round.quantile(part) * 1e3).collect()))
    });
    let reached = median(samples[0].iter().map(Round::rate).collect());
    let [[p50, p90, p99, p999], [straight, _, straight_p99, straight_p999]] = quantiles;
    println!(
        "{label:>22} {rate:>8.0} {reached:>8.0} {p50:>9.3} {p90:>9.3} {p99:>9.3} {p999:>9.3} {:>8.2} {:>9.3}/{:>9.3}/{:>9.3}",
        p99 / p50,
        straight,
        straight_p99,
        straight_p999,
    );
    json!({
        "label": label, "rate": name, "due": rate, "reached": reached, "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "p999_ms": p999,
        "straight": {"p50": straight, "p99": straight_p99, "p999": straight_p999},
    })
}

const CONNECTIONS: usize = 16;

/// Of a round, as long as that does not take too long.
const REQUESTS: f64 = 5_000.0;

/// Of what podstamp takes at most: a rate at which queues form, and go again.
const SHARE: f64 = 0.7;
