//! Installs what builds the guests, where it is missing: `cargo xtask setup`.
//!
//! In this order: nothing, when a toolchain is there; the target, by rustup; packages of a Debian-like distribution,
//! which need no download from anywhere else. Running it again changes nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::toolchain::{Choice, MINIMUM, Toolchain, path_directories, version};
use crate::workspace::TARGET;

/// Makes sure that guests can be built here, and says on stderr what it does.
pub fn run() -> Result<Toolchain, Error> {
    let choice = Choice::from_environment()?;
    let mut tried = match Toolchain::find() {
        Ok(found) => return complete(found),
        Err(Error::NoToolchain { tried }) => tried,
        Err(other) => return Err(other),
    };
    if choice != Choice::Distro {
        match add_target() {
            Ok(()) => match Toolchain::find() {
                Ok(found) => return complete(found),
                Err(_) => tried.push(format!("rustup added {TARGET}, but not to the compiler in use")),
            },
            Err(reason) => tried.push(reason),
        }
    }
    if choice != Choice::Rustup {
        match install(Needs { toolchain: true, c_compiler: !has_c_compiler() }) {
            Ok(()) => return Toolchain::find().inspect(report),
            Err(Error::NoWay { tried: reasons }) => tried.extend(reasons),
            Err(other) => return Err(other),
        }
    }
    Err(Error::NoWay { tried })
}

/// The host is linked with `cc`, and one of its libraries is C.
fn complete(found: Toolchain) -> Result<Toolchain, Error> {
    if !has_c_compiler() {
        eprintln!("setup: there is no C compiler (`cc`), which Rust links programs with");
        install(Needs { toolchain: false, c_compiler: true })?;
    }
    report(&found);
    Ok(found)
}

fn report(found: &Toolchain) {
    eprintln!("setup: guests are built by {}", found.describe());
}

fn has_c_compiler() -> bool {
    program("cc").is_some()
}

/// `rustup target add`, within [`RUSTUP_LIMIT`].
fn add_target() -> Result<(), String> {
    let rustup = program("rustup").ok_or("rustup is not installed")?;
    let mut command = Command::new(rustup);
    command.args(["target", "add", TARGET]).stdin(Stdio::null());
    announce(&command);
    let mut child = command.spawn().map_err(|error| format!("rustup: {error}"))?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("rustup target add {TARGET}: {status}")),
            Ok(None) if started.elapsed() < RUSTUP_LIMIT => thread::sleep(Duration::from_millis(100)),
            Ok(None) => {
                // Already gone if this fails.
                child.kill().ok();
                child.wait().ok();
                return Err(format!(
                    "rustup target add {TARGET}: not done after {} s",
                    RUSTUP_LIMIT.as_secs()
                ));
            }
            Err(error) => return Err(format!("rustup: {error}")),
        }
    }
}

/// The purposes that packages are wanted for.
#[derive(Clone, Copy)]
struct Needs {
    toolchain: bool,
    c_compiler: bool,
}

/// Installs Debian packages, or says who could.
fn install(needs: Needs) -> Result<(), Error> {
    let no_way = |reason: String| Error::NoWay { tried: vec![reason] };
    if program("apt-get").is_none() {
        return Err(no_way("apt-get: not here, so this is no Debian or Ubuntu".to_string()));
    }
    let rights = Rights::of_this_process();
    let first = packages(needs, &candidate, &available_linkers());
    let Some(rights) = rights else {
        let next = match first {
            Ok(packages) => format!("apt-get {}", install_arguments(&packages).join(" ")),
            // Without lists of packages nobody can tell which ones: they are the first thing to get.
            Err(_) => String::new(),
        };
        return Err(Error::NotPermitted { commands: as_root(&["apt-get update", &next]) });
    };
    // The lists may be missing, as in a container image, or so old that the files behind them are gone.
    if first.is_ok_and(|packages| rights.apt_get(&install_arguments(&packages))) {
        return Ok(());
    }
    if !rights.apt_get(&["update".to_string()]) {
        return Err(no_way("apt-get update: failed".to_string()));
    }
    let packages = packages(needs, &candidate, &available_linkers()).map_err(no_way)?;
    if rights.apt_get(&install_arguments(&packages)) {
        return Ok(());
    }
    Err(no_way(format!("apt-get install {}: failed", packages.join(" "))))
}

/// How this process gets root's rights.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    Sudo,
}

impl Rights {
    fn of_this_process() -> Option<Self> {
        if answer(Command::new("id").arg("-u")).trim() == "0" {
            return Some(Self::Root);
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sudo.status().is_ok_and(|status| status.success()).then_some(Self::Sudo)
    }

    fn apt_get(self, arguments: &[String]) -> bool {
        let mut command = Command::new(if self == Self::Sudo { "sudo" } else { "env" });
        if self == Self::Sudo {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]);
        command.args(arguments).stdin(Stdio::null());
        announce(&command);
        command.status().is_ok_and(|status| status.success())
    }
}

/// `--no-remove`: a distribution's Rust conflicts with its other packages of Rust, and which of them somebody can do
/// without is not for us to say.
fn install_arguments(packages: &[String]) -> Vec<String> {
    ["install", "--yes", "--no-remove", "--no-install-recommends"]
        .into_iter()
        .map(String::from)
        .chain(packages.iter().cloned())
        .collect()
}

/// The packages to install. `candidate` gives the version that would be installed, `linkers` the packages of LLD.
fn packages(
    needs: Needs,
    candidate: &dyn Fn(&str) -> Option<String>,
    linkers: &[String],
) -> Result<Vec<String>, String> {
    let mut packages = Vec::new();
    if needs.c_compiler {
        packages.extend(["gcc", "libc6-dev"].map(String::from));
    }
    if needs.toolchain {
        let rust = RUST_PACKAGES
            .iter()
            .find(|names| {
                let recent = |name: &str| candidate(name).is_some_and(|v| version(&v) >= version(MINIMUM));
                names.iter().all(|name| recent(name))
            })
            .ok_or_else(|| format!("apt: no package of Rust {MINIMUM} or newer with std's sources"))?;
        let number = |name: &String| name.strip_prefix("lld-").and_then(|n| n.parse::<u32>().ok());
        let linker = linkers
            .iter()
            .filter(|name| number(name).is_some() && candidate(name).is_some())
            .max_by_key(|name| number(name))
            .ok_or("apt: no package lld-N")?;
        packages.extend(rust.iter().map(|name| (*name).to_string()));
        packages.push(linker.clone());
    }
    Ok(packages)
}

fn candidate(package: &str) -> Option<String> {
    let policy = answer(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"));
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    (version != "(none)").then(|| version.to_string())
}

fn available_linkers() -> Vec<String> {
    let found = answer(Command::new("apt-cache").args(["search", "--names-only", "^lld-[0-9]+$"]));
    found.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
}

/// Shell commands for somebody with the rights, who then runs this again.
fn as_root(commands: &[&str]) -> String {
    let sudo = if program("sudo").is_some() { "sudo " } else { "" };
    let commands = commands.iter().filter(|command| !command.is_empty());
    commands.map(|command| format!("    {sudo}{command}\n")).collect::<String>() + "    cargo xtask setup"
}

fn announce(command: &Command) {
    let words =
        [command.get_program()].into_iter().chain(command.get_args()).map(|word| word.to_string_lossy());
    eprintln!("setup: {}", words.collect::<Vec<_>>().join(" "));
}

/// The output of a program; empty where the program is missing.
fn answer(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn program(name: &str) -> Option<PathBuf> {
    path_directories().map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// Compiler, cargo and std's sources. Debian keeps a second, newer set for its browsers in old releases.
const RUST_PACKAGES: [[&str; 3]; 2] =
    [["rustc", "cargo", "rust-src"], ["rustc-web", "cargo-web", "rust-web-src"]];
/// Enough for 20 MB; a network that swallows packets would have rustup retry for many minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(offers: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let candidate = |name: &str| {
            let offer = offers.iter().find(|(package, _)| *package == name);
            offer.map(|(_, version)| (*version).to_string())
        };
        let linkers: Vec<String> = ["lld-9", "lld-19", "lld-22", "lld-23"].map(String::from).to_vec();
        packages(Needs { toolchain: true, c_compiler: false }, &candidate, &linkers)
    }

    #[test]
    fn an_old_release_gets_the_set_for_browsers() {
        let offers = [
            ("rustc", "1.63.0+dfsg1-2"),
            ("cargo", "0.66.0+ds1-1"),
            ("rust-src", "1.63.0+dfsg1-2"),
            ("rustc-web", "1.96.0+dfsg1-1~deb12u2"),
            ("cargo-web", "1.96.0+dfsg1-1~deb12u2"),
            ("rust-web-src", "1.96.0+dfsg1-1~deb12u2"),
            ("lld-9", "9"),
            ("lld-19", "1:19.1.7-3~deb12u1"),
            ("lld-22", "1:22.1.8-1~deb12u1"),
        ];
        assert_eq!(plan(&offers).unwrap(), ["rustc-web", "cargo-web", "rust-web-src", "lld-22"]);
    }

    #[test]
    fn a_compiler_that_is_too_old_is_not_installed() {
        let offers = [("rustc", "1.63.0"), ("cargo", "0.66.0"), ("rust-src", "1.63.0"), ("lld-19", "1:19")];
        assert!(plan(&offers).unwrap_err().contains("no package of Rust"));
    }

    #[test]
    fn without_a_toolchain_to_install_only_the_c_compiler_is() {
        let needs = Needs { toolchain: false, c_compiler: true };
        assert_eq!(packages(needs, &|_| None, &[]).unwrap(), ["gcc", "libc6-dev"]);
    }
}
