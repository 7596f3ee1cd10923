//! Builds what is packed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};
use podstamp_guest_build::artifact::{Form, Guest, compile, componentize};
use podstamp_guest_build::toolchain::Toolchain;
use podstamp_guest_build::workspace_root;
use podstamp_package::collector::{BUILD, ENVIRONMENT, PROGRAM};
use serde_json::Value;

/// A guest, as build scripts make it.
pub(crate) fn guest(guest: Guest<'_>) -> Result<Vec<u8>> {
    let built = Toolchain::find()
        .and_then(|toolchain| compile(&toolchain, guest, &workspace_root().join("target/guests")))
        .map_err(|error| anyhow!("{error}"))?;
    match guest.form {
        Form::Component => componentize(&built.path).map_err(|error| anyhow!("{error}")),
        Form::Module => {
            fs::read(&built.path).with_context(|| format!("cannot read {}", built.path.display()))
        }
    }
}

/// Whether there is a Go that builds the Collector.
pub(crate) fn has_go() -> bool {
    Command::new("go").arg("version").output().is_ok_and(|output| output.status.success())
}

/// Builds the Collector in a folder that has its files, for Linux on this architecture as Go calls it, and returns the
/// path of the program.
pub(crate) fn collector(folder: &Path, architecture: &str) -> Result<PathBuf> {
    let mut words = BUILD.iter();
    let mut go = Command::new(words.next().context("there is no program to run")?);
    go.args(words).current_dir(folder).envs(ENVIRONMENT.iter().copied());
    go.envs([("GOOS", "linux"), ("GOARCH", architecture)]);
    let status =
        go.status().context("cannot start go, which the Collector takes: install Go 1.25 or newer")?;
    ensure!(status.success(), "the Collector does not build for {architecture} ({status})");
    Ok(folder.join(PROGRAM))
}

/// The path of `podstamp`, optimised, as `cargo build --release` makes it.
pub(crate) fn program() -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--package", PACKAGE, "--bin", "podstamp"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let output = cargo.current_dir(workspace_root()).stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    ensure!(output.status.success(), "podstamp does not build ({})", output.status);
    let told = String::from_utf8_lossy(&output.stdout);
    executable(&told).context("cargo does not say where podstamp is")
}

/// The program that cargo's messages, a line each, say was built.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| {
        let named = message.get("target")?.get("name")? == "podstamp";
        named.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    });
    paths.next_back()
}

const PACKAGE: &str = "podstamp-cli";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_the_program_is() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"podstamp\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"podstamp\"},\"executable\":\"/t/release/podstamp\"}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"executable\":\"/t/release/other\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable(messages), Some("/t/release/podstamp".into()));
        assert_eq!(executable("no JSON"), None);
    }
}
