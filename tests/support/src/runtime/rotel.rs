//! A real rotel, as PyPI has it.

use std::path::PathBuf;
use std::process::Command;

use super::pypi::{INSTALL, PYTHON, probes};
use super::{Probe, Project, Version, skip};

/// rotel's binary, downloaded once; `None` without Python or the library of its version, or on a system for which rotel is not built.
pub fn rotel() -> Option<PathBuf> {
    let project = Project {
        name: ROTEL,
        folder: "rotel",
        pinned: &["requirements.txt"],
        probes: probes(ROTEL, PYTHON_AND_GLIBC)?,
        // The package gives it the right to be run only when its Python code starts it.
        commands: &[INSTALL, &["chmod", "+x", "rotel/rotel-agent"]],
        environment: &[],
        discarded: &[],
    };
    let binary = project.ready()?.join("rotel/rotel-agent");
    let output = Command::new(&binary).arg("version").output();
    match output {
        Ok(output) if output.status.success() => Some(binary),
        Ok(output) => {
            skip(ROTEL, String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            skip(ROTEL, &error.to_string());
            None
        }
    }
}

const ROTEL: &str = "rotel";

/// With the C library that rotel is linked against.
const PYTHON_AND_GLIBC: &[Probe] =
    &[PYTHON, Probe { command: &["getconf", "GNU_LIBC_VERSION"], at_least: Version(2, 34) }];
