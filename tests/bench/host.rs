//! The whole host on loopback, with the filter on and off: two processes of it, taking turns under the same load.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podstamp::pods::{self, Coverage, KeptKeys};
use podstamp::sandbox::{self, BodyFault, Ended, Failure, FilterRunner, Guest, ReceivedRequest, Sandbox};
use podstamp::server::{Instruments, Server};
use podstamp_core::interface::{
    Answer, Attempt, Content, Encoding, Header, Next, Outbound, Part, Prepared, Report, Signal, Verdict,
};
use podstamp_test_support::bodies;
use serde_json::{Value, json};

use crate::batch;
use crate::load::{self, Round};
use crate::process::Process;
use crate::sample::median;

pub(crate) fn run(quick: bool) -> Value {
    println!(
        "\nThe whole host on loopback, one worker thread; the filter on and off take turns under the same load.\n"
    );
    let sink = Process::start(&["--upstream"]);
    let on = Process::start(&["--serve", "on", &sink.address.to_string()]);
    let off = Process::start(&["--serve", "off", &sink.address.to_string()]);
    println!(
        "{:>22} {:>4} {:>9} {:>9} {:>6} {:>17} {:>6} {:>11} {:>9} {:>17} {:>17} {:>9}",
        "body",
        "conn",
        "req/s on",
        "off",
        "on/off",
        "CPU us/req on/off",
        "off/on",
        "spans/s on",
        "ns/span",
        "p50 ms on/off",
        "p99 ms on/off",
        "MiB on"
    );
    let mut rows = Vec::new();
    for (label, spans, gzip) in [
        ("1 KiB, 2 spans", 2, false),
        ("5 KiB, 10 spans", 10, false),
        ("64 KiB, 130 spans", 130, false),
        ("1,000 spans", 1_000, false),
        ("1,000 spans, gzip", 1_000, true),
    ] {
        let plain = bodies::recent_spans(spans);
        let body = if gzip { gzipped(&plain) } else { plain.clone() };
        let request = load::request(&body, "application/x-protobuf", gzip);
        for connections in [1, 16] {
            rows.push(row(&on, &off, &request, (label, spans, connections), quick));
        }
    }
    json!(rows)
}

/// A connection with one request at a time, as deepflow-agent needs it, beside as many as there are requests.
pub(crate) fn lane(quick: bool) -> Value {
    println!(
        "\nThe host towards an upstream that takes one request at a time, or any number: they take turns.\n"
    );
    let sink = Process::start(&["--upstream"]);
    let [one, any] =
        ["one", "any"].map(|count| Process::start(&["--serve", "on", &sink.address.to_string(), count]));
    println!(
        "{:>22} {:>8} {:>10} {:>10} {:>6} {:>17} {:>17}",
        "body", "clients", "req/s one", "any", "ratio", "p50 ms one/any", "p99 ms one/any"
    );
    let (rounds, time) =
        if quick { (3, Duration::from_millis(300)) } else { (7, Duration::from_millis(1_000)) };
    let mut rows = Vec::new();
    for (label, spans) in [("5 KiB, 10 spans", 10), ("64 KiB, 130 spans", 130)] {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for clients in [1, 16, 256] {
            let mut sides = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for (side, process) in sides.iter_mut().zip([&one, &any]) {
                    side.push(load::run(process.address, &request, clients, time));
                }
            }
            let median_of = |read: &dyn Fn(&Round) -> f64| {
                sides.each_ref().map(|side| median(side.iter().map(read).collect()))
            };
            let rates = median_of(&Round::rate);
            let (p50, p99) = (
                median_of(&|round| round.quantile(0.5) * 1e3),
                median_of(&|round| round.quantile(0.99) * 1e3),
            );
            let ratio = rates[0] / rates[1];
            println!(
                "{label:>22} {clients:>8} {:>10.0} {:>10.0} {ratio:>6.2} {:>8.3}/{:>8.3} {:>8.3}/{:>8.3}",
                rates[0], rates[1], p50[0], p50[1], p99[0], p99[1],
            );
            rows.push(json!({
                "label": label, "clients": clients, "requests_per_second": {"one": rates[0], "any": rates[1]},
                "ratio": ratio, "p50_ms": p50, "p99_ms": p99,
            }));
        }
    }
    json!(rows)
}

fn row(
    on: &Process,
    off: &Process,
    request: &Arc<Vec<u8>>,
    what: (&str, usize, usize),
    quick: bool,
) -> Value {
    let (label, spans, connections) = what;
    let (rounds, time) =
        if quick { (3, Duration::from_millis(300)) } else { (7, Duration::from_millis(1_000)) };
    let round = |process: &Process| {
        let cpu = process.exact_cpu_seconds();
        let round = load::run(process.address, request, connections, time);
        (process.exact_cpu_seconds() - cpu, round)
    };
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..rounds {
        with.push(round(on));
        without.push(round(off));
    }
    let median_of = |rounds: &[(f64, Round)], read: &dyn Fn(&(f64, Round)) -> f64| {
        median(rounds.iter().map(read).collect())
    };
    let rate = |rounds: &[(f64, Round)]| median_of(rounds, &|(_, round)| round.rate());
    let quantile = |rounds: &[(f64, Round)], q| median_of(rounds, &|(_, round)| round.quantile(q) * 1e3);
    let cpu = [&with, &without]
        .map(|side| median_of(side, &|(cpu, round)| cpu / round.latencies.len() as f64 * 1e6));
    let per_span = cpu[0] / spans as f64 * 1e3;
    let ratio = rate(&with) / rate(&without);
    // Of rounds that were taken one after the other.
    let each = |(cpu, round): &(f64, Round)| cpu / round.latencies.len() as f64;
    let cpu_ratio = median(with.iter().zip(&without).map(|(on, off)| each(off) / each(on)).collect());
    let (p50, p99) = (
        [&with, &without].map(|side| quantile(side, 0.5)),
        [&with, &without].map(|side| quantile(side, 0.99)),
    );
    let memory = on.resident_mib();
    println!(
        "{label:>22} {connections:>4} {:>9.0} {:>9.0} {ratio:>6.2} {:>8.1}/{:>8.1} {cpu_ratio:>6.2} {:>11.0} {per_span:>9.0} {:>8.3}/{:>8.3} {:>8.3}/{:>8.3} {memory:>9.1}",
        rate(&with),
        rate(&without),
        cpu[0],
        cpu[1],
        rate(&with) * spans as f64,
        p50[0],
        p50[1],
        p99[0],
        p99[1],
    );
    json!({
        "label": label, "spans": spans, "connections": connections, "bytes_on_the_wire": request.len(),
        "requests_per_second": {"on": rate(&with), "off": rate(&without)}, "ratio": ratio,
        "cpu_microseconds": {"on": cpu[0], "off": cpu[1]}, "cpu_ratio": cpu_ratio,
        "cpu_nanoseconds_per_span": per_span, "p50_ms": p50, "p99_ms": p99, "resident_mib": memory,
        "resident_mib_off": off.resident_mib(),
    })
}

pub(crate) fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// The other end of [`Process::start`]. Never returns.
pub(crate) fn child(arguments: &[String]) {
    if arguments[0] == "--upstream" {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("{}", listener.local_addr().unwrap());
        return load::sink(listener);
    }
    if arguments[0] == "--agent" {
        return batch::agent();
    }
    let url = format!("http://{}/api/v1/otel/trace", arguments[2]);
    let filter: Arc<dyn FilterRunner> =
        if arguments[1] == "on" { Arc::new(filter(&url)) } else { Arc::new(Off::new(url)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut settings = podstamp::settings::Settings {
            listeners: vec![podstamp::settings::Listener::http("127.0.0.1:0")],
            ..podstamp::settings::Settings::default()
        };
        if arguments.get(3).is_some_and(|count| count == "any") {
            settings.upstream.connections = None;
        }
        if let Some([timeout, admin]) = arguments.get(4..6) {
            batch::set(&mut settings, timeout, admin);
        }
        // All clients come from one address here.
        settings.limits.per_peer = 1_000;
        let server = Server::bind(&settings, filter, &Instruments::default()).await.unwrap();
        println!("{}", server.http_address().unwrap());
        std::future::pending::<()>().await;
    });
}

fn filter(url: &str) -> Sandbox {
    let mut document: Value = serde_json::from_str(podstamp_core::config::DEFAULT_DOCUMENT).unwrap();
    document["exporters"]["otlphttp"]["traces_endpoint"] = url.into();
    let pods = bodies::pods(1_000).to_string();
    let table = pods::read_pods(pods.as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap();
    let settings = sandbox::Settings {
        memory: 256 << 20,
        timeout: Duration::from_secs(2),
        instances: 4,
        body: 64 << 20,
    };
    let guest = Guest::embedded(settings).unwrap();
    Sandbox::new(&guest, document.to_string(), Arc::new(table)).unwrap()
}

/// The filter switched off: everything goes on as it came.
struct Off {
    outbound: Outbound,
    request_headers: Vec<String>,
}

impl Off {
    fn new(url: String) -> Self {
        let headers = vec![Header::new("content-type", "application/x-protobuf")];
        let content = Content::Unchanged;
        let copies = Vec::new();
        let (parts, encoding) = (Vec::new(), Encoding::Protobuf);
        let outbound = Outbound { url, headers, timeout: 30_000, copies, content, parts, encoding };
        Self { outbound, request_headers: vec!["content-type".to_owned()] }
    }
}

impl FilterRunner for Off {
    fn request_headers(&self) -> &[String] {
        &self.request_headers
    }

    fn prepare(&self, incoming: &ReceivedRequest) -> Result<Prepared, Failure> {
        let parts = vec![Part { end: incoming.body.len() as u32, spans: 0, memory: 0 }];
        let verdict = Verdict::Forward(Outbound { parts, ..self.outbound.clone() });
        Ok(Prepared { verdict, report: Report::default(), notices: Vec::new() })
    }

    fn conclude(&self, _: Attempt, ended: &Ended) -> Result<Next, Failure> {
        assert!(matches!(ended, Ended::Response { status: 200, .. }));
        let headers = vec![Header::new("content-type", "application/x-protobuf")];
        Ok(Next::Answer(Answer { status: 200, headers, body: Vec::new(), notice: None }))
    }

    fn diagnose(&self, _: Signal, _: &Bytes) -> Result<Option<BodyFault>, Failure> {
        Ok(None)
    }
}
