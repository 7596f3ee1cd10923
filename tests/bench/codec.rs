//! The filter alone: the walk, the stamping and the diagnosis, natively and in the guest, against prost and memcpy.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp::pods::{self, Coverage, KeptKeys, Table};
use podstamp::sandbox::{FilterRunner as _, Guest, ReceivedRequest, Sandbox, Settings};
use podstamp_core::Filter;
use podstamp_core::config::{DEFAULT_DOCUMENT, Rules};
use podstamp_core::directory::{Details, Directory, Lookup, Term};
use podstamp_core::interface::{Content, Header, Request, Signal, Verdict};
use podstamp_core::testing::{self, diagnose};
use podstamp_test_support::{bodies, otlp_json};
use prost::Message as _;
use serde_json::{Value, json};

use crate::oracle;
use crate::sample::{Task, medians};

/// Walks only: nothing to associate, and bodies that are stamped already.
const WALK: &str = r#"{
    "exporters": {"otlphttp": {"traces_endpoint": "http://127.0.0.1:38086/api/v1/otel/trace"}},
    "processors": {"batch": null},
    "service": {"pipelines": {"traces": {"processors": ["batch"], "exporters": ["otlphttp"]}}}
}"#;

pub(crate) fn run(quick: bool) -> Value {
    println!(
        "The filter alone. GB/s of body; `walk` on stamped bodies, `stamp` with DeepFlow's load-balancer pipeline.\n"
    );
    let bench = Bench::new();
    header();
    let sizes = [1 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20];
    let by_size: Vec<_> = sizes
        .iter()
        .map(|size| {
            let resources = (size / (64 << 10)).clamp(1, 8);
            bench.row(&label(*size), resources, bodies::of_size(*size, resources), quick)
        })
        .collect();
    println!("\nOne span a resource:\n");
    header();
    let by_resources: Vec<_> = [1, 10, 100, 1_000, 10_000]
        .iter()
        .map(|count| bench.row(&format!("{count} res."), *count, bodies::of_resources(*count), quick))
        .collect();
    println!(
        "\nOTLP/JSON, GB/s of its text; `prepare` is transcoding and stamping, `tree` serde_json's Value alone:\n"
    );
    print!("{:>10} {:>10}", "", "body");
    JSON_COLUMNS.iter().for_each(|column| print!(" {column:>13}"));
    println!("   native/wasm prepare");
    let of_json: Vec<_> = sizes
        .iter()
        .map(|size| bench.json_row(&bodies::of_size(*size, (size / (64 << 10)).clamp(1, 8)), quick))
        .collect();
    json!({"by_size": by_size, "by_resources": by_resources, "json": of_json})
}

struct Bench {
    table: Arc<Table>,
    walk: (Filter, Sandbox),
    stamp: (Filter, Sandbox),
    /// The guest to which each resource is as if it came for the first time.
    first: Sandbox,
}

const COLUMNS: [&str; 9] = [
    "memcpy",
    "walk",
    "walk wasm",
    "stamp",
    "first wasm",
    "stamp wasm",
    "diagnose",
    "diagnose wasm",
    "prost",
];

/// A directory that does not tell its state, so that the filter keeps nothing.
struct Stateless(Arc<Table>);

impl Directory for Stateless {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.0.find(terms, want)
    }
}

const JSON_COLUMNS: [&str; 4] = ["transcode", "prepare", "prepare wasm", "tree"];

impl Bench {
    fn new() -> Self {
        let pods = bodies::pods(10_000).to_string();
        let table =
            Arc::new(pods::read_pods(pods.as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap());
        let settings =
            Settings { memory: 256 << 20, timeout: Duration::from_secs(10), instances: 2, body: 64 << 20 };
        let guest = |document: &str, pods: Arc<dyn Directory + Send + Sync>| {
            Sandbox::new(&Guest::embedded(settings).unwrap(), document.to_owned(), pods).unwrap()
        };
        let both = |document: &str| {
            let native = Filter::configure(&serde_json::from_str(document).unwrap()).unwrap();
            (native, guest(document, table.clone()))
        };
        let (walk, stamp) = (both(WALK), both(DEFAULT_DOCUMENT));
        let first = guest(DEFAULT_DOCUMENT, Arc::new(Stateless(Arc::clone(&table))));
        Self { table, walk, stamp, first }
    }

    fn row(&self, label: &str, resources: usize, body: Vec<u8>, quick: bool) -> Value {
        let body = Bytes::from(body);
        let stamped = match native(&self.stamp.0, &self.table, &body) {
            Content::Edited(edits) => Bytes::from(edits.apply(&body).unwrap()),
            other => panic!("expected edits, not {other:?}"),
        };
        assert_eq!(native(&self.walk.0, &self.table, &stamped), Content::Unchanged);
        assert_eq!(guest(&self.stamp.1, &body), native(&self.stamp.0, &self.table, &body));
        let mut copy = vec![0; body.len()];
        let mut tasks: Vec<Task<'_>> = vec![
            ("memcpy", Box::new(|| black_box(&mut copy).copy_from_slice(black_box(&body)))),
            (
                "walk",
                Box::new(|| {
                    drop(black_box(
                        testing::walk(black_box(&stamped), &testing::checks(&Rules::AGENT, None), |_| ())
                            .unwrap(),
                    ))
                }),
            ),
            ("walk wasm", Box::new(|| drop(black_box(guest(&self.walk.1, &stamped))))),
            ("stamp", Box::new(|| drop(black_box(native(&self.stamp.0, &self.table, &body))))),
            ("first wasm", Box::new(|| drop(black_box(guest(&self.first, &body))))),
            ("stamp wasm", Box::new(|| drop(black_box(guest(&self.stamp.1, &body))))),
            ("diagnose", Box::new(|| diagnose(black_box(&body)).unwrap())),
            (
                "diagnose wasm",
                Box::new(|| {
                    assert_eq!(self.stamp.1.diagnose(Signal::Traces, black_box(&body)).unwrap(), None)
                }),
            ),
            ("prost", Box::new(|| drop(black_box(oracle::stamp(&body))))),
        ];
        let seconds = medians(&mut tasks, quick);
        drop(tasks);
        let rates: Vec<f64> = seconds.iter().map(|seconds| body.len() as f64 / seconds / 1e9).collect();
        print!("{label:>10} {:>10}", self::label(body.len()));
        for rate in &rates {
            print!(" {rate:>13.2}");
        }
        let walk_ratio = rates[1] / rates[2];
        let prost_ratio = rates[5] / rates[8];
        let each = seconds[5] * 1e6 / resources as f64;
        println!("   {walk_ratio:>5.2} {prost_ratio:>7.1} {each:>8.2}");
        let columns: serde_json::Map<_, _> = COLUMNS
            .iter()
            .zip(&seconds)
            .map(|(name, seconds)| ((*name).to_owned(), json!(seconds * 1e9)))
            .collect();
        json!({"label": label, "bytes": body.len(), "resources": resources, "nanoseconds": columns})
    }

    /// The JSON text of a request in protobuf.
    fn json_row(&self, protobuf: &[u8], quick: bool) -> Value {
        let label = label(protobuf.len());
        let request = ExportTraceServiceRequest::decode(protobuf).unwrap();
        let text = Bytes::from(otlp_json::plain(&request));
        assert_eq!(
            ExportTraceServiceRequest::decode(&testing::transcode(&text).unwrap()[..]).unwrap(),
            request
        );
        let (filter, sandbox) = &self.stamp;
        assert_eq!(guest_of(sandbox, JSON, &text), native_of(filter, &self.table, JSON, &text));
        let mut tasks: Vec<Task<'_>> = vec![
            ("transcode", Box::new(|| drop(black_box(testing::transcode(black_box(&text)).unwrap())))),
            ("prepare", Box::new(|| drop(black_box(native_of(filter, &self.table, JSON, &text))))),
            ("prepare wasm", Box::new(|| drop(black_box(guest_of(sandbox, JSON, &text))))),
            ("tree", Box::new(|| drop(black_box(serde_json::from_slice::<Value>(&text).unwrap())))),
        ];
        let seconds = medians(&mut tasks, quick);
        drop(tasks);
        let rates: Vec<f64> = seconds.iter().map(|seconds| text.len() as f64 / seconds / 1e9).collect();
        print!("{label:>10} {:>10}", self::label(text.len()));
        for rate in &rates {
            print!(" {rate:>13.2}");
        }
        println!("   {:>5.2}", rates[1] / rates[2]);
        let columns: serde_json::Map<_, _> = JSON_COLUMNS
            .iter()
            .zip(&seconds)
            .map(|(name, seconds)| ((*name).to_owned(), json!(seconds * 1e9)))
            .collect();
        json!({"label": label, "bytes": text.len(), "nanoseconds": columns})
    }
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

fn native(filter: &Filter, table: &Table, body: &[u8]) -> Content {
    native_of(filter, table, PROTOBUF, body)
}

fn native_of(filter: &Filter, table: &Table, content_type: &str, body: &[u8]) -> Content {
    let headers = [Header::new("content-type", content_type)];
    let request = Request {
        signal: Signal::Traces,
        path: "/v1/traces",
        peer: Some([10, 100, 0, 1].into()),
        headers: &headers,
        body,
        now: None,
    };
    match filter.prepare(&request, table).verdict {
        Verdict::Forward(outbound) => outbound.content,
        Verdict::Answer(answer) => panic!("answered {answer:?}"),
    }
}

fn guest(sandbox: &Sandbox, body: &Bytes) -> Content {
    guest_of(sandbox, PROTOBUF, body)
}

fn guest_of(sandbox: &Sandbox, content_type: &str, body: &Bytes) -> Content {
    let incoming = ReceivedRequest {
        signal: Signal::Traces,
        path: "/v1/traces".to_owned(),
        peer: Some([10, 100, 0, 1].into()),
        headers: vec![Header::new("content-type", content_type)],
        body: body.clone(),
        now: None,
        gzip: None,
    };
    match sandbox.prepare(&incoming).unwrap().verdict {
        Verdict::Forward(outbound) => outbound.content,
        Verdict::Answer(answer) => panic!("answered {answer:?}"),
    }
}

fn header() {
    print!("{:>10} {:>10}", "", "body");
    for column in COLUMNS {
        print!(" {column:>13}");
    }
    println!("   native/wasm walk, stamp wasm: times prost, us a resource");
}

fn label(bytes: usize) -> String {
    if bytes >= 1 << 20 {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    }
}
