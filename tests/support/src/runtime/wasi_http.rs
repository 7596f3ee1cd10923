//! Hosts of wasi:http: jco on Node, and `wasmtime serve`, as PyPI has it.

use std::path::PathBuf;

use super::pypi::{INSTALL, PYTHON, probes};
use super::{Probe, Project, Version};

/// The folder whose `node_modules` have jco, installed once; `None` without Node.
pub fn jco() -> Option<PathBuf> {
    JCO.ready()
}

/// Files of the tests that run in jco.
pub fn jco_sources() -> PathBuf {
    JCO.sources()
}

/// wasmtime's binary, downloaded once; `None` without Python, or on a system for which it is not pinned.
pub fn wasmtime() -> Option<PathBuf> {
    let project = Project {
        name: WASMTIME,
        folder: "wasi_http/wasmtime",
        pinned: &["requirements.txt"],
        probes: probes(WASMTIME, PYTHON_AND_GLIBC)?,
        // The package has it without the right to be run.
        commands: &[INSTALL, &["chmod", "+x", "wasmtime_cli/wasmtime"]],
        environment: &[],
        discarded: &[],
    };
    Some(project.ready()?.join("wasmtime_cli/wasmtime"))
}

const WASMTIME: &str = "wasmtime";

const JCO: Project = Project {
    name: "jco",
    folder: "wasi_http/jco",
    pinned: &["package.json", "package-lock.json"],
    probes: &[
        Probe { command: &["node", "--version"], at_least: Version(20, 6) },
        Probe { command: &["npm", "--version"], at_least: Version(7, 0) },
    ],
    commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]],
    environment: &[],
    discarded: &[],
};

/// With the C library that the binary is linked against.
const PYTHON_AND_GLIBC: &[Probe] =
    &[PYTHON, Probe { command: &["getconf", "GNU_LIBC_VERSION"], at_least: Version(2, 17) }];
