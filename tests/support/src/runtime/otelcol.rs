//! A real OpenTelemetry Collector: the one that podstamp is packaged in, with the components that DeepFlow's documents name.

use std::fs;
use std::path::PathBuf;

use podstamp_package::collector;

use super::{Probe, Project, Version};

/// The Collector's binary, built once for each podstamp; `None` without Go. It is built of what is packaged, with Go's own
/// cache of compiled packages, so that a change of podstamp compiles podstamp alone.
pub fn otelcol() -> Option<PathBuf> {
    let files = collector_sources().into_iter().filter(|(path, _)| is_compiled(path));
    Some(COLLECTOR.ready_with(files.collect())?.join("otelcol-podstamp/otelcol-podstamp"))
}

/// A program that prints the configuration keys of the Collector's components, built once; `None` without Go.
pub fn collector_keys() -> Option<PathBuf> {
    let is_module = |path: &str| path.ends_with("go.mod") || path == "otelcol-podstamp/go.sum";
    let files = collector_sources().into_iter().filter(|(path, _)| is_module(path));
    Some(KEYS.ready_with(files.collect())?.join("collector-keys"))
}

/// The files of `collector/` and the filter among them, as they are packaged: their paths there, and what is in them.
pub fn collector_sources() -> Vec<(String, Vec<u8>)> {
    let wasm = fs::read(podstamp_test_guests::MODULE).unwrap();
    let files = collector::files(&wasm).unwrap_or_else(|error| panic!("{error:#}"));
    files.into_iter().map(|file| (file.path, file.bytes)).collect()
}

/// Whether a file decides what the compiler makes.
fn is_compiled(path: &str) -> bool {
    let is_source = path.ends_with(".go") && !path.ends_with("_test.go");
    is_source || ["go.mod", "go.sum", ".wasm"].iter().any(|end| path.ends_with(end))
}

const COLLECTOR: Project = Project {
    name: "Collector",
    folder: "collector/otelcol-podstamp",
    pinned: &[],
    probes: GO,
    commands: &[collector::BUILD],
    environment: collector::ENVIRONMENT,
    discarded: &[],
};

/// Its modules are the Collector's.
const KEYS: Project = Project {
    name: "Collector's keys",
    folder: "collector/keys",
    pinned: &["main.go"],
    probes: GO,
    commands: &[&[
        "go",
        "build",
        "-C",
        "otelcol-podstamp",
        "-trimpath",
        "-gcflags=all=-dwarf=false",
        "-ldflags=-s -w",
        "-o",
        "../collector-keys",
        "../main.go",
    ]],
    environment: collector::ENVIRONMENT,
    discarded: &[],
};

const GO: &[Probe] = &[Probe { command: &["go", "version"], at_least: Version(1, 25) }];
