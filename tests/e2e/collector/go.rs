//! The tests of the Collector's processor in its own language, and that it carries the filter of this tree.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use podstamp_package::{collector, sha256};
use podstamp_test_support::runtime::{Probe, Version, collector_sources, otelcol, skip};
use serde_json::json;
use tempfile::TempDir;

use super::process::{Collector, written};

/// With the race detector where there is a C compiler, which it takes.
#[test]
fn the_processors_own_tests_pass() {
    let go = Probe { command: &["go", "version"], at_least: Version(1, 25) };
    if let Err(reason) = go.version() {
        skip("the Collector's processor", &reason);
        return;
    }
    if let (Some(value), true) = (env::var_os("PODSTAMP_OFFLINE"), otelcol().is_none())
        && value == "1"
    {
        return;
    }
    let folder = TempDir::new().unwrap();
    for (path, bytes) in collector_sources() {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // The compiler takes for the same what it has compiled for the Collector.
    let flags = ["-trimpath", "-gcflags=all=-dwarf=false"];
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let mut go = Command::new("go");
        go.args(words).current_dir(folder.path().join("podstampprocessor"));
        // Which they read, and which are no part of the module.
        go.env("PODSTAMP_EXAMPLES", concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"));
        let output =
            go.envs(collector::ENVIRONMENT.iter().copied()).envs(variables.iter().copied()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "go {}: {}\n{printed}", words.join(" "), output.status);
    };
    run(&[&["vet"], &flags[..], &["./..."]].concat(), &[]);
    let compiler =
        Command::new(env::var_os("CC").as_deref().unwrap_or(OsStr::new("gcc"))).arg("--version").output();
    if compiler.is_ok_and(|output| output.status.success()) {
        run(&["test", "-race", "-trimpath", "./..."], &[("CGO_ENABLED", "1")]);
    } else {
        skip("the race detector for the Collector's processor", "no C compiler");
        run(&[&["test"], &flags[..], &["./..."]].concat(), &[]);
    }
}

/// The Collector says at its start which filter it carries.
#[test]
fn the_processor_carries_the_filter_that_this_tree_builds() {
    let Some(binary) = otelcol() else { return };
    let sum = sha256(&fs::read(podstamp_test_guests::MODULE).unwrap());
    let config = json!({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
        "processors": {"podstamp": null},
        "exporters": {"debug": null},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["podstamp"], "exporters": ["debug"]}},
        },
    });
    let collector = Collector::start(&binary, &written(&config), &[]);
    collector.wait_for_log(&["filter ready", &sum]);
}
