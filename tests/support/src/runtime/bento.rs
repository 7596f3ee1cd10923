//! A real Bento, with the components that podstamp's pipeline uses.

use std::path::PathBuf;

use super::{Probe, Project, Version};

/// Bento's binary, built once, which takes a minute; `None` without Go.
pub fn bento() -> Option<PathBuf> {
    let project = Project {
        name: "Bento",
        folder: "bento/bento",
        pinned: &["main.go", "go.mod", "go.sum"],
        probes: &[Probe { command: &["go", "version"], at_least: Version(1, 25) }],
        // Debug information would double what is compiled.
        commands: &[&[
            "go",
            "build",
            "-trimpath",
            "-gcflags=all=-dwarf=false",
            "-ldflags=-s -w",
            "-o",
            "bento",
            ".",
        ]],
        environment: &[
            ("CGO_ENABLED", "0"),
            ("GOFLAGS", "-mod=readonly -buildvcs=false"),
            ("GOTOOLCHAIN", "local"),
        ],
        discarded: &["GOCACHE"],
    };
    Some(project.ready()?.join("bento"))
}
