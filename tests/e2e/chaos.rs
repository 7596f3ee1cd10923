//! A short run of `cargo xtask chaos`: whatever ends, stops or fails, what was acknowledged is recorded.

use std::process::Command;

use podstamp_test_support::runtime::skip;
use tempfile::TempDir;

#[test]
fn nothing_that_was_acknowledged_is_lost_whatever_ends() {
    run("none");
}

fn run(queue: &str) {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(["--podstamp", env!("CARGO_BIN_EXE_podstamp-under-test"), "--queue", queue]);
    command.args(["--seed", SEED, "--minutes", "0.25", "--rate", "500", "--folder"]).arg(folder.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let folder = folder.keep();
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{said}\n{errors}\nthe logs are in {}", folder.display());
    }
    if let Some(skipped) = said.lines().find_map(|line| line.strip_prefix("skipped: ")) {
        skip("some faults of chaos", skipped);
    }
    let value = |name: &str| -> u64 {
        let row = said.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
        let digits =
            row.and_then(|row| row.split([' ', '|']).next()).unwrap_or_else(|| panic!("{name}: {said}"));
        digits.parse().unwrap()
    };
    assert!(value("SIGKILLs") > 0, "{said}");
    assert!(value("spans acknowledged") > 0, "{said}");
}

/// Its schedule kills podstamp and agents within the first seconds.
const SEED: &str = "1";
