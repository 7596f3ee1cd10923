//! The benchmark of another revision: a worktree of git below `target`, with a target folder of its own.
//!
//! Both stay from run to run and from revision to revision, so that cargo compiles what differs and not all of it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow};
use podstamp_guest_build::workspace_root;

use crate::{Failure, cargo, run, run_program};

/// A revision to compare with.
#[derive(Debug, PartialEq)]
pub(super) struct Against {
    revision: OsString,
}

impl Against {
    /// Takes `--against REV` out of the arguments, and gives the others.
    pub(super) fn take(arguments: &[OsString]) -> Result<(Option<Self>, Vec<OsString>), Failure> {
        let mut others = Vec::new();
        let mut taken = None;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument != "--against" {
                others.push(argument.clone());
                continue;
            }
            let revision = arguments.next().cloned();
            let revision = revision.context("--against takes a revision, such as `main` or `HEAD~3`");
            taken = Some(Self { revision: revision.map_err(Failure::Other)? });
        }
        Ok((taken, others))
    }

    /// Builds the revision; gives what tells the benchmark of this tree about it.
    pub(super) fn prepare(&self, arguments: &[OsString]) -> Result<Vec<OsString>, Failure> {
        let commit = self.commit().map_err(Failure::Other)?;
        let folder = workspace_root().join("target/against");
        let (tree, target) = (folder.join("tree"), folder.join("target"));
        check_out(&commit, &tree)?;
        let lacking: Vec<_> = named_parts(arguments).filter(|part| !has_part(&tree, part)).collect();
        let in_tree = || {
            let mut cargo = cargo();
            cargo.current_dir(&tree).env("CARGO_TARGET_DIR", &target);
            cargo
        };
        let present: Vec<_> =
            arguments.iter().filter(|argument| !lacking.contains(argument)).cloned().collect();
        super::build(&present, &mut in_tree())?;
        run(in_tree().args(["build", "--release", "--package", "podstamp-tests", "--bin", "bench"]))?;
        let binary = target.join("release").join(format!("bench{}", std::env::consts::EXE_SUFFIX));
        let mut words: Vec<OsString> =
            vec!["--against".into(), binary.into(), "--revision".into(), self.revision.clone()];
        words.extend(lacking.into_iter().flat_map(|part| ["--lacking".into(), part.clone()]));
        Ok(words)
    }

    /// The commit that the revision names.
    fn commit(&self) -> Result<String, anyhow::Error> {
        let mut name = self.revision.clone();
        name.push("^{commit}");
        let output = git(&workspace_root()).args(["rev-parse", "--verify", "--quiet"]).arg(&name).output();
        let output = output.context("cannot start git, which --against takes")?;
        if !output.status.success() {
            return Err(anyhow!("git knows no revision `{}`", self.revision.display()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Has the worktree stand at a commit. Files that both commits have stay as they are, with their times.
fn check_out(commit: &str, tree: &Path) -> Result<(), Failure> {
    // Whoever deletes `target` leaves git's note of the worktree behind.
    run_program("git", git(&workspace_root()).args(["worktree", "prune"]))?;
    if tree.join(".git").exists() {
        return run_program("git", git(tree).args(["checkout", "--quiet", "--force", "--detach", commit]));
    }
    let add = ["worktree", "add", "--quiet", "--force", "--detach"];
    run_program("git", git(&workspace_root()).args(add).arg(tree).arg(commit))
}

/// The words that name a part of this tree's benchmark.
fn named_parts(arguments: &[OsString]) -> impl Iterator<Item = &OsString> {
    let parts = super::parts_of_this_tree();
    arguments
        .iter()
        .filter(move |argument| parts.contains(&format!("name: {:?}", argument.display().to_string())))
}

/// Whether a revision's benchmark has a part: where it has no list of them, `main.rs` names them.
fn has_part(tree: &Path, part: &OsStr) -> bool {
    let quoted = format!("{:?}", part.display().to_string());
    let names = |file: &str| {
        std::fs::read_to_string(tree.join("tests/bench").join(file)).is_ok_and(|text| text.contains(&quoted))
    };
    names("parts.rs") || names("main.rs")
}

fn git(folder: &Path) -> Command {
    let folder: PathBuf = folder.into();
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).stdin(Stdio::null());
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_revision_is_taken_out_and_the_rest_goes_on() {
        let taken = Against::take(&words("codec --against HEAD~1 --quick"));
        let (against, rest) = taken.unwrap_or_else(|_| panic!("it is refused"));
        assert_eq!(against, Some(Against { revision: "HEAD~1".into() }));
        assert_eq!(rest, words("codec --quick"));
        assert!(Against::take(&words("codec --against")).is_err());
    }

    #[test]
    fn parts_are_told_from_options() {
        let arguments = words("codec --quick load --rounds 3");
        assert_eq!(named_parts(&arguments).collect::<Vec<_>>(), ["codec", "load"]);
    }

    #[test]
    fn a_revision_has_the_parts_that_it_names() {
        let root = workspace_root();
        assert!(has_part(&root, OsStr::new("codec")));
        assert!(!has_part(&root, OsStr::new("kodec")));
    }
}
