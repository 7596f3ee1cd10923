//! Files, folders and names in the code that documents point at.

use std::fs;

use crate::markdown::{documents, spans};
use crate::{assert_none, root};

/// What is in the changelog was so once.
const HISTORY: &str = "CHANGELOG.md";

/// Whether a span is meant as a path in the repository: it begins with one of its folders, or is a source file of somewhere.
fn is_path(span: &str) -> bool {
    let Some((first, _)) = span.split_once('/') else { return false };
    let plain = span.chars().all(|char| char.is_ascii_alphanumeric() || "/._-".contains(char));
    let generated = ["target"].contains(&first);
    plain && !generated && (!first.is_empty() && root().join(first).is_dir() || span.ends_with(".rs"))
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut count = 0;
    let mut findings = Vec::new();
    for document in documents().iter().filter(|document| document.name() != HISTORY) {
        for span in document.spans().iter().filter(|span| is_path(span)) {
            count += 1;
            let beside = root().join(&document.path).parent().unwrap().join(span);
            if !root().join(span).exists() && !beside.exists() {
                findings.push(format!("{}: {span} is not there", document.name()));
            }
        }
    }
    assert_none(findings);
    assert!(count > 20, "only {count} paths were found");
}

/// A row that has a file in one cell may name in the next ones what to look for there.
#[test]
fn what_to_look_for_in_a_file_is_in_it() {
    let documents = documents();
    let architecture = documents.iter().find(|document| document.name() == "ARCHITECTURE.md").unwrap();
    let mut count = 0;
    let mut findings = Vec::new();
    for row in architecture.rows() {
        let Some(at) = row.iter().position(|cell| spans(cell).0.iter().any(|span| span.ends_with(".rs")))
        else {
            continue;
        };
        let cells = row.iter().skip(at).map(|cell| spans(cell).0);
        let (files, names): (Vec<_>, Vec<_>) = cells.flatten().partition(|span| span.ends_with(".rs"));
        let texts: String =
            files.iter().filter_map(|file| fs::read_to_string(root().join(file)).ok()).collect();
        for name in names.iter().filter(|name| is_name(name)) {
            count += 1;
            if !name.split("::").all(|part| texts.contains(part)) {
                findings.push(format!("{name} is not in {}", files.join(", ")));
            }
        }
    }
    assert_none(findings);
    assert!(count >= 10, "only {count} names were found");
}

fn is_name(span: &str) -> bool {
    span.chars().all(|char| char.is_ascii_alphanumeric() || "_:".contains(char))
}

/// How to run a layer of the tests alone.
#[test]
fn every_package_and_target_that_a_document_has_cargo_run_is_there() {
    let manifests: Vec<_> = members().map(|member| (member.clone(), manifest(&member))).collect();
    let mut count = 0;
    let mut findings = Vec::new();
    for document in documents().iter().filter(|document| document.name() != HISTORY) {
        let code = document.code().flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>());
        for line in document.spans().into_iter().chain(code) {
            let words: Vec<_> = line.split_whitespace().collect();
            let after = |flag: &str| {
                let at = words.iter().position(|word| *word == flag)?;
                words.get(at + 1).copied()
            };
            let Some(package) = after("-p") else { continue };
            count += 1;
            let Some((folder, manifest)) = manifests.iter().find(|(_, text)| names(text, package)) else {
                findings.push(format!("{}: {line}: there is no package {package}", document.name()));
                continue;
            };
            if let Some(target) = after("--test") {
                let tests = root().join(folder).join("tests");
                let is_there = names(manifest, target)
                    || tests.join(format!("{target}.rs")).exists()
                    || tests.join(target).join("main.rs").exists();
                if !is_there {
                    findings.push(format!("{}: {line}: {package} has no test {target}", document.name()));
                }
            }
        }
    }
    assert_none(findings);
    assert!(count > 5, "only {count} commands were found");
}

/// Folders of the workspace's packages.
fn members() -> impl Iterator<Item = String> {
    let manifest = manifest("");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members = members.split('"').skip(1).step_by(2).map(str::to_owned);
    members.collect::<Vec<_>>().into_iter()
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap()
}

fn names(manifest: &str, name: &str) -> bool {
    manifest.lines().any(|line| line == format!("name = \"{name}\""))
}
