//! Programs in other languages that tests run: real SDKs, a real Collector, a real Envoy, a real Bento, a real Kubernetes API
//! server, hosts of components, a browser.
//!
//! A [`Project`] is pinned files and the commands that prepare them: download, compile. What that gives is kept in a
//! cache outside the target folder (`$PODSTAMP_CACHE`, else `$XDG_CACHE_HOME/podstamp`, else `~/.cache/podstamp`), under a
//! hash of the pinned files and of the runtime's version, so that it is fetched once and never used half-made. What another
//! hash gave goes once nobody has used it for a day.
//!
//! A runtime that is missing skips the test and says so: on the process's own standard error, which libtest does not
//! capture, and in the file that `PODSTAMP_SKIPPED` names, from which `cargo xtask` sums up. With `PODSTAMP_OFFLINE=1` the same
//! goes for a project that is not in the cache. A download that fails is a failure.

mod bento;
mod cache;
mod console;
mod envoy;
mod kubernetes;
mod otelcol;
mod probe;
mod pypi;
mod rotel;
mod wasi_http;

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use bento::bento;
pub use console::{Browser, browser, built_page};
pub use envoy::envoy;
pub use kubernetes::{Server, api_server, helm, kubectl};
pub use otelcol::{collector_keys, collector_sources, otelcol};
pub use probe::{Probe, Version};
pub use rotel::rotel;
pub use wasi_http::{jco, jco_sources, wasmtime};

/// A program that is prepared once: from which files, and by which commands.
pub struct Project {
    /// As a skip names it.
    pub name: &'static str,
    /// Under `tests/e2e`.
    pub folder: &'static str,
    /// The files in it that decide the outcome; they are copied to where the commands run.
    pub pinned: &'static [&'static str],
    /// The programs it takes.
    pub probes: &'static [Probe],
    /// Makes it, in a folder that has the pinned files.
    pub commands: &'static [&'static [&'static str]],
    /// For these commands; no other part of the environment is touched.
    pub environment: &'static [(&'static str, &'static str)],
    /// Variables that name a folder each to these commands, which is deleted after them: a compiler's cache that is larger
    /// than it is worth keeping.
    pub discarded: &'static [&'static str],
}

impl Project {
    /// The folder where it is ready; `None` where it cannot be here, which has been said then.
    pub fn ready(&self) -> Option<PathBuf> {
        self.ready_with(Vec::new())
    }

    /// The same for a project that takes further files, which count as pinned: paths in its folder, and what is in them.
    pub fn ready_with(&self, files: Vec<(String, Vec<u8>)>) -> Option<PathBuf> {
        let prepared = self.runtimes().and_then(|runtimes| self.prepared(&runtimes, files));
        prepared.map_err(|reason| skip(self.name, &reason)).ok()
    }

    /// The folder of its pinned files, in the sources.
    pub fn sources(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e").join(self.folder)
    }

    /// The versions found, or why one of them does not do.
    fn runtimes(&self) -> Result<String, String> {
        let found: Result<Vec<_>, _> = self.probes.iter().map(Probe::version).collect();
        Ok(found?.iter().map(Version::to_string).collect::<Vec<_>>().join(" "))
    }

    fn prepared(&self, runtimes: &str, files: Vec<(String, Vec<u8>)>) -> Result<PathBuf, String> {
        let cache = cache::folder();
        let pinned = cache::Pinned::read(&self.sources(), self.pinned, files);
        let prefix = format!("{}-", self.folder.replace('/', "-"));
        let made = cache.join(format!("{prefix}{}", pinned.hash(runtimes)));
        if made.exists() {
            cache::mark_used(&made);
            return Ok(made);
        }
        if env::var_os("PODSTAMP_OFFLINE").is_some_and(|value| value == "1") {
            return Err(format!("PODSTAMP_OFFLINE is set and {} is not there", made.display()));
        }
        cache::make(&made, |folder| {
            tell(&format!("preparing {} once, for {}", self.name, made.display()));
            pinned.write(folder);
            self.commands.iter().for_each(|words| self.run(words, folder));
            drop(fs::remove_dir_all(folder.join(DISCARDED)));
        });
        cache::mark_used(&made);
        cache::forget(&cache, &prefix);
        Ok(made)
    }

    /// The variables of folders that are deleted, with their paths; the commands make them.
    fn discarded(&self, folder: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.discarded.iter().map(move |name| (*name, folder.join(DISCARDED).join(name)))
    }

    /// Runs a command to its end; a failure is the test's, with what the command printed last.
    fn run(&self, words: &[&str], folder: &Path) {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(folder).envs(self.environment.iter().copied());
        command.envs(self.discarded(folder));
        let output = command.output().unwrap_or_else(|error| panic!("cannot start {words:?}: {error}"));
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        let lines: Vec<_> = printed.lines().collect();
        let last = lines[lines.len().saturating_sub(40)..].join("\n");
        assert!(
            output.status.success(),
            "{}: `{}` failed, {} (PODSTAMP_OFFLINE=1 skips what is not in the cache yet):\n{last}",
            self.name,
            words.join(" "),
            output.status
        );
    }
}

/// Holds what is deleted once a project is prepared.
const DISCARDED: &str = ".discarded";

/// Names what is not tested here.
pub fn skip(name: &str, reason: &str) {
    tell(&format!("skipped: {name}: {reason}"));
    if let Some(path) = env::var_os("PODSTAMP_SKIPPED") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        // One write, so that lines of tests that run at a time stay whole.
        file.write_all(format!("{name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// libtest captures what the macros print, not what is written to the stream.
fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
