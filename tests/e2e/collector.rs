//! A real OpenTelemetry Collector: as podstamp's client, side by side with it, and with podstamp in it.

mod cases;
mod client;
mod examples;
mod failures;
mod formats;
mod go;
mod process;
mod same_cluster;
mod side_by_side;
mod traffic;

use std::path::Path;
use std::process::Command;

use podstamp_test_support::runtime::{collector_keys, otelcol};
use tempfile::TempDir;

use process::Collector;

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
