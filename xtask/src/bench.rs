//! `cargo xtask bench`: builds what is measured, and runs the benchmark.

mod against;

use std::ffi::OsString;

use podstamp_guest_build::workspace_root;

use self::against::Against;
use crate::{Failure, cargo, run, set_up};

pub(crate) const ARGUMENTS: &str = "[PARTS] [OPTIONS]";

pub(crate) const ABOUT: &str = "measure, optimised; --quick takes fewer samples, --against REV builds another revision and compares row by row, with \
     --fail-above PERCENT it fails where something is worse; --document puts the results into docs/performance.md";

/// Parts and options go to the benchmark; another revision is built here, since that takes git and cargo.
pub(crate) fn bench(arguments: &[OsString]) -> Result<(), Failure> {
    let (against, mut arguments) = Against::take(arguments)?;
    set_up()?;
    if let Some(against) = against {
        arguments.extend(against.prepare(&arguments)?);
    }
    build(&arguments, &mut cargo())?;
    run(cargo()
        .args(["run", "--release", "--package", "podstamp-tests", "--bin", "bench", "--"])
        .args(&arguments))
}

/// Builds, by a cargo that says where, the program that people run, if one of the parts runs it.
fn build(parts: &[OsString], cargo: &mut std::process::Command) -> Result<(), Failure> {
    if !parts.iter().any(|part| RUN_THE_PROGRAM.iter().any(|name| part == *name)) {
        return Ok(());
    }
    run(cargo.args(["build", "--release", "--package", "podstamp-cli"]))
}

/// The parts of the benchmark that run the program that people run.
const RUN_THE_PROGRAM: [&str; 6] = ["collector", "console", "kubernetes", "load", "queue", "start"];

/// The benchmark's list of its parts.
fn parts_of_this_tree() -> String {
    std::fs::read_to_string(workspace_root().join("tests/bench/parts.rs")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_that_run_the_program_are_parts() {
        let parts = parts_of_this_tree();
        for part in RUN_THE_PROGRAM {
            assert!(parts.contains(&format!("name: \"{part}\"")), "there is no part {part}");
        }
    }
}
