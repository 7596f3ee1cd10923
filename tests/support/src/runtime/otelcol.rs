//! A real OpenTelemetry Collector, with the components that DeepFlow's documents name.

use std::path::PathBuf;

use super::{Probe, Project, Version};

/// The Collector's binary, built once; `None` without Go. Beside it is `collector-keys`, which prints the keys of its components.
///
/// The binary is built from the module that the Collector's builder generates from the manifest beside it:
/// `go run go.opentelemetry.io/collector/cmd/builder@VERSION --config builder.yaml --skip-compilation`.
pub fn otelcol() -> Option<PathBuf> {
    let project = Project {
        name: "Collector",
        folder: "collector/otelcol",
        pinned: &[
            "main.go",
            "main_others.go",
            "main_windows.go",
            "components.go",
            "keys/main.go",
            "go.mod",
            "go.sum",
        ],
        probes: &[Probe { command: &["go", "version"], at_least: Version(1, 25) }],
        commands: &[
            &["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "otelcol", "."],
            &["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "collector-keys", "./keys"],
        ],
        environment: &[("CGO_ENABLED", "0")],
        discarded: &[],
    };
    Some(project.ready()?.join("otelcol"))
}
