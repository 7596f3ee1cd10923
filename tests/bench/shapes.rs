//! Time against size, for each shape that a body may grow in, in the guest: what grows faster than n log n is a way to stop the
//! filter with few bytes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use podstamp::pods::{self, Coverage, KeptKeys};
use podstamp::sandbox::{self, Ended, FilterRunner as _, Guest, ReceivedRequest, Sandbox};
use podstamp_core::interface::{Attempt, Encoding, Header, Next, Signal, Verdict};
use podstamp_test_support::otlp_json;
use podstamp_test_support::shapes::{DOCUMENT, NOW, PEER, SHAPES, pieces, pods};
use prost::Message as _;
use serde_json::{Value, json};

/// Measures all shapes. False if one grows too fast.
pub(crate) fn run(quick: bool) -> (Value, bool) {
    println!(
        "\nTime against size in the guest, ms: twice as much from one column to the next, up to the size that is named. The \
         exponent of n is fitted to the last {FITTED}; over {STEEPEST} is a fault.\n"
    );
    let mut bench = Bench { guest: guest(), quick, rows: Vec::new(), sound: true };
    let plain = bench.sandbox(0);
    for shape in SHAPES {
        let requests = sizes(shape.most).map(shape.make);
        let bodies = requests.each_ref().map(|request| Bytes::from(request.encode_to_vec()));
        bench.row(
            shape.name,
            shape.most,
            bodies.each_ref().map(|body| call(&plain, prepare(PROTOBUF, body))),
        );
        let texts = requests.each_ref().map(|request| Bytes::from(otlp_json::plain(request)));
        bench.row(
            &format!("{}, JSON", shape.name),
            shape.most,
            texts.each_ref().map(|text| call(&plain, prepare(JSON, text))),
        );
        bench.row(
            &format!("{}, diagnosed", shape.name),
            shape.most,
            bodies.each_ref().map(|body| conclude(&plain, body)),
        );
        // A text that is not UTF-8 at the end of each.
        let broken = bodies.each_ref().map(|body| Bytes::from([body, BROKEN].concat()));
        bench.row(
            &format!("{}, mended", shape.name),
            shape.most,
            broken.each_ref().map(|body| conclude(&plain, body)),
        );
    }
    let most = 1 << 14;
    let bodies = sizes(most).map(|count| Bytes::from(pieces(count)));
    bench.row(
        "pieces of a resource",
        most,
        bodies.each_ref().map(|body| call(&plain, prepare(PROTOBUF, body))),
    );
    let most = 1 << 12;
    let body = Bytes::from(pieces(1));
    let requests = sizes(most).map(|count| {
        let mut incoming = prepare(PROTOBUF, &body);
        incoming.headers.extend((0..count).map(|_| Header::new("x-tenant", "blue")));
        incoming
    });
    bench.row("values of a header", most, requests.map(|incoming| call(&plain, incoming)));
    let sandboxes = sizes(most).map(|count| bench.sandbox(count));
    let bodies = sizes(most).map(|count| Bytes::from((SHAPES[2].make)(8 * count).encode_to_vec()));
    let mut both = sandboxes.iter().zip(&bodies);
    bench.row(
        "attributes and labels",
        most,
        sizes(most).map(|_| {
            let (sandbox, body) = both.next().unwrap();
            call(sandbox, prepare(PROTOBUF, body))
        }),
    );
    (json!(bench.rows), bench.sound)
}

struct Bench {
    guest: Guest,
    quick: bool,
    rows: Vec<Value>,
    sound: bool,
}

impl Bench {
    fn sandbox(&self, labels: usize) -> Sandbox {
        let pods = pods(labels).to_string();
        let table = pods::read_pods(pods.as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap();
        Sandbox::new(&self.guest, DOCUMENT.to_owned(), Arc::new(table)).unwrap()
    }

    /// Times one call for each size.
    fn row(&mut self, name: &str, most: usize, mut calls: [impl FnMut(); SIZES]) {
        let mut least = [f64::INFINITY; SIZES];
        let mut exponent = f64::INFINITY;
        // A row that is too steep once may be the work of another process; a fault is too steep each time.
        for _ in 0..3 {
            for _ in 0..if self.quick { 3 } else { 7 } {
                for (least, call) in least.iter_mut().zip(&mut calls) {
                    let begun = Instant::now();
                    call();
                    *least = least.min(begun.elapsed().as_secs_f64());
                }
            }
            exponent = slope(&least);
            if exponent <= STEEPEST {
                break;
            }
        }
        let fault = exponent > STEEPEST;
        self.sound &= !fault;
        let times: String = least.iter().map(|seconds| format!(" {:>8.2}", seconds * 1e3)).collect();
        println!(
            "{name:>36} {most:>7}{times}  n^{exponent:.2}{}",
            if fault { "  GROWS TOO FAST" } else { "" }
        );
        self.rows.push(json!({"shape": name, "most": most, "seconds": least, "exponent": exponent}));
    }
}

/// Each twice the one before.
fn sizes(most: usize) -> [usize; SIZES] {
    std::array::from_fn(|index| most >> (SIZES - 1 - index))
}

/// The exponent of n: the slope of a line through the logarithms of the last times, by least squares.
fn slope(times: &[f64; SIZES]) -> f64 {
    let points =
        times[SIZES - FITTED..].iter().enumerate().map(|(index, seconds)| (index as f64, seconds.log2()));
    let middle = (FITTED - 1) as f64 / 2.0;
    let (rise, run) = points.fold((0.0, 0.0), |(rise, run), (x, y)| {
        let x = x - middle;
        (rise + x * y, run + x * x)
    });
    rise / run
}

fn guest() -> Guest {
    let settings = sandbox::Settings {
        memory: 256 << 20,
        timeout: Duration::from_secs(60),
        instances: 16,
        body: 64 << 20,
    };
    Guest::embedded(settings).unwrap()
}

fn prepare(content_type: &str, body: &Bytes) -> ReceivedRequest {
    ReceivedRequest {
        signal: Signal::Traces,
        path: "/v1/traces".to_owned(),
        peer: Some(PEER),
        headers: vec![Header::new("content-type", content_type)],
        body: body.clone(),
        now: Some(NOW),
        gzip: None,
    }
}

/// Every body is one that goes on: what is refused early shows nothing.
fn call(sandbox: &Sandbox, incoming: ReceivedRequest) -> impl FnMut() {
    move || match black_box(sandbox.prepare(&incoming)).unwrap().verdict {
        Verdict::Forward(_) => (),
        Verdict::Answer(answer) => panic!("answered {answer:?}"),
    }
}

/// The agent has closed the connection.
fn conclude(sandbox: &Sandbox, body: &Bytes) -> impl FnMut() {
    let attempt = Attempt {
        patience: u32::MAX,
        delivered: 0,
        signal: Signal::Traces,
        upstream: 0,
        encoding: Encoding::Protobuf,
        number: 1,
        elapsed: 0,
        random: 0,
    };
    let ended = Ended::Closed(body.clone());
    move || match black_box(sandbox.conclude(attempt, &ended)).unwrap() {
        Next::Answer(answer) => assert_eq!(answer.status, 503),
        Next::Mend(mended) => assert_eq!(mended.texts, 1),
        Next::Retry(_) => panic!("tries again"),
    }
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// ResourceSpans with a schema URL that is not UTF-8.
const BROKEN: &[u8] = b"\x0a\x03\x1a\x01\xff";

const SIZES: usize = 6;

/// Smaller ones show what any call takes.
const FITTED: usize = 4;

/// n log n comes to 1.1 here, and leaving the caches to as much again; n² to 2.
const STEEPEST: f64 = 1.4;
