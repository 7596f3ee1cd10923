//! What `batch` saves an agent: many clients with small requests, which leave one by one or put together.

use std::time::Duration;

use podstamp::settings::{Admin, Batch, Settings};
use podstamp_fake_agent::Agent;
use podstamp_test_support::blocking::http::get;
use podstamp_test_support::bodies;
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};

use crate::load::{self, Round};
use crate::process::Process;
use crate::sample::median;

/// One round of one side.
struct Sample {
    round: Round,
    /// Requests of clients.
    requests: f64,
    /// Requests that went to the agent.
    attempts: f64,
    /// Seconds of CPU.
    agent: f64,
    podstamp: f64,
}

/// A host and an agent of its own.
struct Side {
    agent: Process,
    host: Process,
    admin: String,
}

pub(crate) fn run(quick: bool) -> Value {
    println!(
        "\nMany clients with small requests, towards an agent that imports them: without `batch`, and with 200 ms.\n"
    );
    println!(
        "{:>22} {:>8} {:>22} {:>24} {:>24} {:>17}",
        "body",
        "clients",
        "agent req/1000 off/on",
        "agent CPU us/req off/on",
        "podstamp us/req off/on",
        "p50 ms off/on"
    );
    let sides = ["0", "200"].map(Side::start);
    let (rounds, time) = if quick { (3, 500) } else { (7, 2_000) };
    let mut rows = Vec::new();
    for (label, spans) in [("0.5 KiB, 1 span", 1), ("5 KiB, 10 spans", 10)] {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for clients in [16, 256] {
            let mut samples = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for (side, samples) in sides.iter().zip(&mut samples) {
                    samples.push(
                        side.sample(|to| load::run(to, &request, clients, Duration::from_millis(time))),
                    );
                }
            }
            let of = |read: &dyn Fn(&Sample) -> f64| {
                samples.each_ref().map(|samples| median(samples.iter().map(read).collect()))
            };
            let attempts = of(&|sample| sample.attempts / sample.requests * 1e3);
            let agent = of(&|sample| sample.agent / sample.requests * 1e6);
            let podstamp = of(&|sample| sample.podstamp / sample.requests * 1e6);
            let p50 = of(&|sample| sample.round.quantile(0.5) * 1e3);
            println!(
                "{label:>22} {clients:>8} {:>13.0}/{:>8.0} {:>15.1}/{:>8.1} {:>15.1}/{:>8.1} {:>8.2}/{:>8.2}",
                attempts[0], attempts[1], agent[0], agent[1], podstamp[0], podstamp[1], p50[0], p50[1],
            );
            rows.push(json!({
                "label": label, "clients": clients, "agent_requests_per_1000": attempts,
                "agent_cpu_us_per_request": agent, "podstamp_cpu_us_per_request": podstamp, "p50_ms": p50,
            }));
        }
    }
    json!(rows)
}

impl Side {
    fn start(timeout: &str) -> Self {
        let agent = Process::start(&["--agent"]);
        let admin = closed_port().to_string();
        let host = Process::start(&["--serve", "on", &agent.address.to_string(), "one", timeout, &admin]);
        Self { agent, host, admin }
    }

    fn sample(&self, load: impl FnOnce(std::net::SocketAddr) -> Round) -> Sample {
        let before = self.counted();
        let round = load(self.host.address);
        let after = self.counted();
        let [requests, attempts, agent, podstamp] = [0, 1, 2, 3].map(|index| after[index] - before[index]);
        Sample { round, requests, attempts, agent, podstamp }
    }

    /// Requests of clients, requests to the agent, and seconds of CPU of the agent and of podstamp, all so far.
    fn counted(&self) -> [f64; 4] {
        let (_, metrics) = get(self.admin.parse().unwrap(), "/metrics");
        let sum = |name: &str| -> f64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let (clients, attempts) = (sum("podstamp_requests_total"), sum("podstamp_upstream_attempts_total"));
        [clients, attempts, self.agent.cpu_seconds(), self.host.cpu_seconds()]
    }
}

/// The agent's process. Never returns.
pub(crate) fn agent() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let agent =
            Agent::builder().listen(([127, 0, 0, 1], 0).into()).keep_records(1).start().await.unwrap();
        println!("{}", agent.address());
        std::future::pending::<()>().await;
    });
}

/// Has a host put requests together for so many milliseconds; 0: it does not.
pub(crate) fn set(settings: &mut Settings, timeout: &str, admin: &str) {
    settings.admin = Some(Admin::at(admin));
    let timeout = Duration::from_millis(timeout.parse().unwrap());
    settings.upstream.batch =
        (timeout > Duration::ZERO).then_some(Batch { timeout, size: 8_192, max_size: 0 });
}
