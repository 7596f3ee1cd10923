//! The file that results add up in: each part's figures, and under which circumstances they were taken.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::process::cores;

/// Results of one or several runs.
pub(crate) struct Results(Map<String, Value>);

impl Results {
    /// What a file has; nothing where it is not there or has something else.
    pub(crate) fn read(file: &Path) -> Self {
        let text = std::fs::read(file).unwrap_or_default();
        Self(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Puts a part's figures in the place of those of an earlier run.
    pub(crate) fn put(&mut self, part: &str, figures: Value, quick: bool) {
        let mut taken = self.0.remove(TAKEN).unwrap_or_else(|| json!({}));
        taken[part] = circumstances(quick);
        self.0.insert(TAKEN.to_owned(), taken);
        self.0.insert(part.to_owned(), figures);
    }

    pub(crate) fn write(&self, file: &Path) {
        std::fs::write(file, serde_json::to_string_pretty(&self.0).unwrap()).unwrap();
    }

    /// A part's figures.
    pub(crate) fn figures(&self, part: &str) -> Option<&Value> {
        self.0.get(part).filter(|figures| !figures.is_null())
    }

    /// Where and when a part was measured.
    pub(crate) fn circumstances(&self, part: &str) -> Option<&Value> {
        self.0.get(TAKEN)?.get(part)
    }
}

/// The circumstances of each part, by its name.
const TAKEN: &str = "taken";

fn circumstances(quick: bool) -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    json!({
        "quick": quick, "cpu": model, "cores": cores(), "date": print_of("date", &["-u", "+%F"]),
        "version": env!("CARGO_PKG_VERSION"), "revision": print_of("git", &["rev-parse", "--short", "HEAD"]),
        // Without what a distribution adds to the version.
        "kernel": print_of("uname", &["-sr"]).and_then(|line| Some(line.split('-').next()?.to_owned())),
    })
}

/// The line that a program prints; nothing where it cannot.
fn print_of(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_several_runs_are_in_one_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("bench.json");
        for (part, figure) in [("codec", 1), ("host", 2), ("codec", 3)] {
            let mut results = Results::read(&file);
            results.put(part, json!([figure]), false);
            results.write(&file);
        }
        let results = Results::read(&file);
        assert_eq!(results.figures("codec"), Some(&json!([3])));
        assert_eq!(results.figures("host"), Some(&json!([2])));
        assert_eq!(results.circumstances("host").unwrap()["quick"], false);
        assert!(results.figures("load").is_none() && results.circumstances("load").is_none());
    }
}
