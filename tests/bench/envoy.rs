//! podstamp's module in Envoy, against the same Envoy without a module, and with modules that do no work: one that only replaces each
//! body by itself, which is what any module costs that may change bodies, and one that makes podstamp's calls of the ABI. What podstamp
//! costs over that is its own.
//!
//! Four Envoys with one worker each take turns under the same load, where there is `taskset` on one core. What is compared
//! is their CPU time a request, from `/proc`, and what a client waits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use podstamp_test_guests::{CALLS, IDENTITY, PROXY_WASM};
use podstamp_test_support::bodies;
use podstamp_test_support::runtime;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::{self, Round};
use crate::process::{Process, pinned};
use crate::sample::median;

pub(crate) fn run(quick: bool) -> Value {
    let Some(binary) = runtime::envoy() else {
        return Value::Null;
    };
    println!(
        "\nIn Envoy, one worker: without a module, with one that replaces a body by itself, with one that makes podstamp's calls and does \
         no work, with podstamp's. CPU us a request, and podstamp's over the others'.\n"
    );
    println!(
        "{:>10} {:>4} {:>34} {:>9} {:>7} {:>9} {:>24} {:>24} {:>9} {:>16}",
        "bytes",
        "conn",
        "none/identity/calls/podstamp",
        "/identity",
        "/calls",
        "calls/id.",
        "p50 ms",
        "p99 ms",
        "p99 added",
        "MiB"
    );
    let sink = Process::start(&["--upstream"]);
    let envoys = [None, Some(IDENTITY), Some(CALLS), Some(PROXY_WASM)]
        .map(|module| Envoy::start(&binary, module, sink.address));
    let mut rows = Vec::new();
    // Some 450 bytes a span.
    for spans in [2, 11, 110, 1_200] {
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for connections in [1, 8] {
            rows.push(row(&envoys, &request, connections, quick));
        }
    }
    json!(rows)
}

fn row(envoys: &[Envoy; 4], request: &Arc<Vec<u8>>, connections: usize, quick: bool) -> Value {
    let (rounds, time) =
        if quick { (5, Duration::from_millis(500)) } else { (15, Duration::from_millis(1_000)) };
    let mut samples = [const { Vec::new() }; 4];
    for round in 0..=rounds {
        for (envoy, samples) in envoys.iter().zip(&mut samples) {
            let before = envoy.process.exact_cpu_seconds();
            let load = load::run(envoy.process.address, request, connections, time);
            let cpu = (envoy.process.exact_cpu_seconds() - before) / load.latencies.len() as f64 * 1e6;
            // The first round warms up.
            if round > 0 {
                samples.push((cpu, load));
            }
        }
    }
    let median_of = |read: fn(&(f64, Round)) -> f64| {
        samples.each_ref().map(|samples| median(samples.iter().map(read).collect()))
    };
    // Of rounds that were taken one after the other.
    let ratio = |one: usize, other: usize| {
        let pairs = samples[one].iter().zip(&samples[other]);
        median(pairs.map(|(one, other)| one.0 / other.0).collect())
    };
    let (to_identity, to_calls, of_calls) = (ratio(3, 1), ratio(3, 2), ratio(2, 1));
    let cpu = median_of(|(cpu, _)| *cpu);
    let p50 = median_of(|(_, load)| load.quantile(0.5) * 1e3);
    let p99 = median_of(|(_, load)| load.quantile(0.99) * 1e3);
    let memory = envoys.each_ref().map(|envoy| envoy.process.resident_mib());
    let added = p99[3] - p99[0];
    let all = |values: [f64; 4], places: usize| values.map(|value| format!("{value:.places$}")).join("/");
    println!(
        "{:>10} {connections:>4} {:>34} {to_identity:>9.2} {to_calls:>7.2} {of_calls:>9.2} {:>24} {:>24} {added:>9.3} {:>16}",
        request.len(),
        all(cpu, 1),
        all(p50, 3),
        all(p99, 3),
        all(memory, 0),
    );
    let named = |values: [f64; 4]| json!({"none": values[0], "identity": values[1], "calls": values[2], "podstamp": values[3]});
    json!({
        "wire": request.len(), "connections": connections, "p99_added_ms": added,
        "ratios": {"podstamp/identity": to_identity, "podstamp/calls": to_calls, "calls/identity": of_calls},
        "label": format!("{:.0} KiB", request.len() as f64 / 1024.0),
        "cpu_microseconds": named(cpu), "p50_ms": named(p50), "p99_ms": named(p99), "resident_mib": named(memory),
    })
}

/// An Envoy with a module or none.
struct Envoy {
    process: Process,
    _folder: TempDir,
}

impl Envoy {
    fn start(binary: &std::path::Path, module: Option<&str>, agent: SocketAddr) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("envoy.json");
        std::fs::write(&file, bootstrap(module, agent).to_string()).unwrap();
        let mut command = pinned(binary);
        command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "info"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let admin = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("admin address: ")
                .map(|(_, address)| address.trim().parse::<SocketAddr>().unwrap())
        });
        let admin = admin.expect("Envoy says where its admin listener is");
        lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains("starting main dispatch loop"))
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let address = listener(admin);
        Self { process: Process::of(child, address), _folder: folder }
    }
}

/// Asks Envoy where it takes requests, until it does: `otlp::127.0.0.1:40123`.
fn listener(admin: SocketAddr) -> SocketAddr {
    loop {
        let mut stream = TcpStream::connect(admin).unwrap();
        stream.write_all(b"GET /listeners HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("otlp::"));
        if let Some(address) = line.and_then(|address| address.trim().parse::<SocketAddr>().ok())
            && address.port() != 0
        {
            return address;
        }
    }
}

fn bootstrap(module: Option<&str>, agent: SocketAddr) -> Value {
    let typed = |name: &str, mut config: Value| {
        config["@type"] = format!("type.googleapis.com/envoy.extensions.filters.{name}").into();
        config
    };
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
    let peer = json!({"on_request_headers": [{
        "object_key": "podstamp.peer", "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": "10.244.0.1"}},
    }]});
    let mut filters =
        vec![json!({"name": "state", "typed_config": typed("http.set_filter_state.v3.Config", peer)})];
    if let Some(module) = module {
        let document: Value = serde_json::from_str(podstamp_core::config::DEFAULT_DOCUMENT).unwrap();
        let plugin = json!({"config": {
            "name": "module",
            "root_id": "module",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": document},
        }});
        filters.push(json!({"name": "wasm", "typed_config": typed("http.wasm.v3.Wasm", plugin)}));
    }
    filters.push(json!({"name": "router", "typed_config": typed("http.router.v3.Router", json!({}))}));
    let manager = json!({
        "stat_prefix": "otlp",
        "codec_type": "AUTO",
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "agent"}}],
        }]},
    });
    let manager = typed("network.http_connection_manager.v3.HttpConnectionManager", manager);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = json!({"endpoint": {"address": socket(agent)}});
    json!({
        "admin": {"address": socket(any)},
        "static_resources": {
            "listeners": [{
                "name": "otlp", "address": socket(any),
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
            "clusters": [{
                "name": "agent", "type": "STATIC",
                "load_assignment": {"cluster_name": "agent", "endpoints": [{"lb_endpoints": [endpoint]}]},
            }],
        },
    })
}
