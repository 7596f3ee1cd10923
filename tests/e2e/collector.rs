//! A real OpenTelemetry Collector: as podstamp's client, and side by side with it.

mod client;
mod same_cluster;
mod side_by_side;
mod traffic;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use podstamp_test_support::runtime::{collector_keys, otelcol};
use tempfile::TempDir;

/// A Collector, stopped when dropped.
struct Collector {
    child: Child,
    /// Where it takes OTLP/HTTP.
    address: SocketAddr,
    _folder: TempDir,
}

impl Collector {
    /// Starts it with everything of a configuration but its receivers, and waits until it is ready.
    fn start(binary: &Path, config: &str, environment: &[(&str, &Path)]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("config.yaml");
        let receivers = "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:0\n";
        std::fs::write(&file, format!("{receivers}{config}")).unwrap();
        let mut child = Command::new(binary)
            .arg("--config")
            .arg(&file)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut address, mut seen) = (None, String::new());
        loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("it ends before it is ready:\n{seen}\n{config}"));
            let line = line.unwrap();
            if line.contains("Starting HTTP server") {
                let (_, rest) = line.split_once("\"endpoint\": \"").unwrap();
                address = rest.split('"').next().unwrap().parse().ok();
            }
            if line.contains("Everything is ready") {
                break;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        // The Collector must not block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it says where it listens"), _folder: folder }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The keys that the core knows are those of this version of the Collector.
#[test]
fn the_cores_list_of_keys_is_what_the_collectors_modules_have() {
    let Some(keys) = collector_keys() else {
        return;
    };
    let printed = Command::new(keys).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed, include_str!("../../guest/core/src/config/collector.json"));
}

/// The fixtures of print-config's output, which the tests of the configuration read.
#[test]
fn print_configs_output_is_what_the_fixtures_have() {
    let Some(binary) = otelcol() else {
        return;
    };
    let receivers =
        "receivers: {otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}, http: {endpoint: 0.0.0.0:4318}}}}\n";
    for (document, format, fixture) in [
        ("deepflow-simple", "yaml", "print-config-simple.yaml"),
        ("deepflow-load-balancer", "yaml", "print-config-load-balancer.yaml"),
        ("deepflow-load-balancer", "json", "print-config-load-balancer.json"),
    ] {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let plain = std::fs::read_to_string(tests.join(format!("cases/shared/{document}.yaml"))).unwrap();
        let whole = receivers.to_owned()
            + &plain.replace("      processors: [", "      receivers: [otlp]\n      processors: [");
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, whole).unwrap();
        let output = Command::new(&binary)
            .args(["print-config", "--format", format, "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            printed,
            std::fs::read_to_string(tests.join("fixtures").join(fixture)).unwrap(),
            "{fixture}"
        );
    }
}
