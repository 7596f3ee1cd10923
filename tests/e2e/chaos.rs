//! A short run of `cargo xtask chaos`: whatever ends, stops or fails, what was acknowledged is recorded.

use std::process::{Command, Output};

use podstamp_test_support::runtime::skip;
use tempfile::TempDir;

#[test]
fn nothing_that_was_acknowledged_is_lost_whatever_ends() {
    judge(&["--minutes", "0.2", "--queue", "none"]);
}

#[test]
fn nothing_that_is_queued_on_disk_is_lost_whatever_ends() {
    let said = judge(&["--minutes", "0.25", "--queue", "disk"]);
    assert!(value(&said, "- of them queued, at least") > 0, "{said}");
}

/// The report of a run in which nothing is wrong.
fn judge(further: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let output = run(&folder, further);
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let folder = folder.keep();
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{said}\n{errors}\nthe logs are in {}", folder.display());
    }
    if let Some(skipped) = said.lines().find_map(|line| line.strip_prefix("skipped: ")) {
        skip("some faults of chaos", skipped);
    }
    assert!(value(&said, "SIGKILLs") > 0, "{said}");
    assert!(value(&said, "spans acknowledged") > 0, "{said}");
    said.into_owned()
}

#[test]
fn spans_that_agents_acknowledge_and_do_not_keep_are_found() {
    let folder = TempDir::new().unwrap();
    let output = run(&folder, &["--minutes", "0.1", "--queue", "none", "--lie"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(value(&said, "**acknowledged spans lost**") > 0, "{said}");
    assert!(said.contains("LOST, though acknowledged") && said.contains("seed 1: violated"), "{said}");
}

fn run(folder: &TempDir, further: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(["--podstamp", env!("CARGO_BIN_EXE_podstamp-under-test"), "--rate", "500", "--seed", SEED]);
    command.args(further).arg("--folder").arg(folder.path()).output().unwrap()
}

/// The number in a row of the report.
fn value(report: &str, name: &str) -> u64 {
    let row = report.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let digits = row.and_then(|row| row.split([' ', '|']).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Its schedule kills podstamp and agents within the first seconds.
const SEED: &str = "1";
