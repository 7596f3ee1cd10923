//! The documents, held against the repository: links, paths, names in the code, commands and examples. The console's built page,
//! held against its sources.
//!
//! It does not prove that a document is right, only that what it names is there. Keys of the configuration and metrics have
//! tests of their own, beside the code's lists.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod alerts;
mod commands;
mod console;
mod examples;
mod links;
mod markdown;
mod paths;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Fails with every finding, since a document seldom has one alone.
fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
