//! `cargo xtask`: what a person and CI run. The table of commands is [`COMMANDS`]; `cargo xtask help` prints it.
//!
//! The program needs nothing but Rust, so that it builds on a machine where nothing is set up.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::Context as _;
use podstamp_guest_build::{Error as GuestError, setup, workspace_root};

mod bench;
#[cfg(test)]
mod dependencies;
mod workspace;

/// A command of `cargo xtask`.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[OsString]) -> Result<(), Failure>,
}

/// Why a command ended early.
enum Failure {
    /// A program ran, failed and has said why.
    Program(ExitStatus),
    /// A toolchain for guests is missing.
    Guest(GuestError),
    /// Anything else.
    Other(anyhow::Error),
}

/// All commands.
const COMMANDS: &[Task] = &[
    Task {
        name: "setup",
        arguments: "",
        about: "install what builds the WebAssembly guests, if it is missing",
        run: |_| set_up(),
    },
    Task {
        name: "demo",
        arguments: "[--keep]",
        about: "show podstamp at work on this machine, without a cluster; --keep leaves it running",
        run: demo,
    },
    Task { name: "test", arguments: "[ARGS]", about: "run all tests; ARGS go to `cargo test`", run: test },
    Task { name: "bench", arguments: bench::ARGUMENTS, about: bench::ABOUT, run: bench::bench },
    Task {
        name: "chaos",
        arguments: "[ARGS]",
        about: "kill, stop and disturb podstamp and its agents at random under load, and see that nothing is lost; \
            --help has ARGS, such as --minutes N, --seed N",
        run: chaos,
    },
    Task {
        name: "package",
        arguments: "[PART]",
        about: "make all that podstamp is run from, in target/package; PART: module (for Envoy), podstamp (its image), \
            guests (the filter for other hosts), collector (with Go)",
        run: package,
    },
    Task {
        name: "console",
        arguments: "",
        about: "build the console's page anew from host/console, with Node and npm; what is built is committed",
        run: |_| console(),
    },
    Task {
        name: "ci",
        arguments: "",
        about: "format, lints, documentation and tests, as CI runs them",
        run: |_| ci(),
    },
];

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    if name == "help" || name == "--help" || name == "-h" {
        // Whoever closes the pipe has read enough.
        io::stdout().write_all(usage().as_bytes()).ok();
        return ExitCode::SUCCESS;
    }
    let Some(task) = COMMANDS.iter().find(|task| name == task.name) else {
        eprint!("{}", usage());
        return ExitCode::from(EX_USAGE);
    };
    if task.arguments.is_empty() && !rest.is_empty() {
        eprintln!("xtask: `{}` takes no arguments", task.name);
        return ExitCode::from(EX_USAGE);
    }
    match (task.run)(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Program(status)) => ExitCode::from(code(status)),
        Err(Failure::Guest(error)) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_code())
        }
        Err(Failure::Other(error)) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set_up() -> Result<(), Failure> {
    setup::run().map(drop).map_err(Failure::Guest)
}

fn demo(arguments: &[OsString]) -> Result<(), Failure> {
    set_up()?;
    run(cargo().args(["run", "--release", "--package", "podstamp-cli", "--", "demo"]).args(arguments))
}

fn test(arguments: &[OsString]) -> Result<(), Failure> {
    set_up()?;
    skipped()?;
    run_tests(cargo().arg("test").args(arguments))
}

fn chaos(arguments: &[OsString]) -> Result<(), Failure> {
    set_up()?;
    // The program that people run.
    run(cargo().args(["build", "--release", "--package", "podstamp-cli"]))?;
    run(cargo()
        .args(["run", "--release", "--package", "podstamp-tests", "--bin", "chaos", "--"])
        .args(arguments))
}

fn package(parts: &[OsString]) -> Result<(), Failure> {
    set_up()?;
    run(cargo().args(["run", "--package", "podstamp-package", "--"]).args(parts))
}

/// Whoever changes no source of the page needs neither this nor Node.
fn console() -> Result<(), Failure> {
    let folder = workspace_root().join("host/console");
    for words in [
        &["ci", "--ignore-scripts", "--no-audit", "--no-fund"][..],
        &["run", "--silent", "check"],
        &["run", "--silent", "build"],
    ] {
        let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
        run_program("npm", npm.current_dir(&folder).args(words))?;
    }
    Ok(())
}

/// The cheap checks come first. Lints, documentation and tests share one target directory and one profile. Guests that only
/// wasm can run are linted for this machine: the distribution's compiler for wasm has no lints.
fn ci() -> Result<(), Failure> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    set_up()?;
    skipped()?;
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    run(cargo().args(["doc", "--locked", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    // The program as people build it: the tests beside it open more of core than it may use.
    run(cargo().args(["check", "--locked", "--package", "podstamp-cli"]))?;
    run_tests(cargo().args(["test", "--locked"]))
}

/// Says which packages cargo leaves out when none is named.
fn skipped() -> Result<(), Failure> {
    let path = workspace_root().join("Cargo.toml");
    let manifest = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
    for (member, reason) in workspace::skipped(&manifest.map_err(Failure::Other)?) {
        eprintln!("xtask: skipping {member}: {reason}");
    }
    Ok(())
}

/// Runs `cargo test`, and says at the end what the tests have left out: libtest knows no test that skips itself.
fn run_tests(command: &mut Command) -> Result<(), Failure> {
    let path = workspace_root().join("target/skipped.txt");
    let told = || -> io::Result<String> {
        std::fs::create_dir_all(workspace_root().join("target"))?;
        std::fs::write(&path, "")?;
        Ok(path.display().to_string())
    };
    let file = told().with_context(|| format!("cannot write {}", path.display())).map_err(Failure::Other)?;
    let outcome = run(command.env("PODSTAMP_SKIPPED", file));
    let skipped = std::fs::read_to_string(&path).unwrap_or_default();
    // Tests that share a program each tell of it.
    for line in skipped.lines().collect::<std::collections::BTreeSet<_>>() {
        eprintln!("xtask: skipped {line}");
    }
    outcome
}

/// The cargo that runs this program, at the root of the workspace.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace_root());
    cargo
}

fn run(command: &mut Command) -> Result<(), Failure> {
    run_program("cargo", command)
}

fn run_program(name: &str, command: &mut Command) -> Result<(), Failure> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let words = words.join(" ");
    eprintln!("xtask: {name} {words}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {name}")).map_err(Failure::Other)?;
    let seconds = started.elapsed().as_secs();
    if status.success() {
        eprintln!("xtask: done after {seconds} s");
        return Ok(());
    }
    eprintln!("xtask: `{name} {words}` failed after {seconds} s ({status})");
    Err(Failure::Program(status))
}

/// The exit code of a child; where a signal ended it, the code that a shell gives.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal =
        std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| signal.saturating_add(128));
    #[cfg(not(unix))]
    let signal = None;
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
}

fn usage() -> String {
    let mut usage = "usage: cargo xtask COMMAND\n\n".to_string();
    for task in COMMANDS {
        usage += &format!("  {:<16} {}\n", format!("{} {}", task.name, task.arguments), task.about);
    }
    usage + &format!("  {:<16} {}\n", "help", "print this")
}

/// The command line was used wrongly, from `sysexits.h`.
const EX_USAGE: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_commands_that_there_are() {
        let readme = std::fs::read_to_string(workspace_root().join("README.md")).unwrap();
        let named: Vec<&str> = readme
            .split("cargo xtask ")
            .skip(1)
            .filter_map(|after| after.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next())
            .collect();
        for name in &named {
            assert!(COMMANDS.iter().any(|task| task.name == *name), "README.md names `cargo xtask {name}`");
        }
        for needed in ["demo", "test"] {
            assert!(named.contains(&needed), "README.md does not name `cargo xtask {needed}`");
        }
    }

    #[test]
    fn help_lists_every_command() {
        let usage = usage();
        assert!(COMMANDS.iter().all(|task| usage.contains(task.name) && usage.contains(task.about)));
    }

    #[cfg(unix)]
    #[test]
    fn exit_codes_are_the_childs() {
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(code(ExitStatus::from_raw(101 << 8)), 101);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }
}
