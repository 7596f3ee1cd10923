//! Commands and flags that documents name.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::markdown::{Document, documents};
use crate::{assert_none, root};

/// The program, without this process's settings of its log.
pub(crate) fn podstamp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podstamp-under-test"));
    command.env_remove("PODSTAMP_LOG").env("NO_COLOR", "1").current_dir(root());
    command
}

/// The help of each subcommand, by its name, with that of its own subcommands.
fn helps() -> BTreeMap<String, String> {
    let all = help(&[]);
    subcommands(&all).map(|name| (name.to_owned(), whole_help(name))).collect()
}

fn whole_help(command: &str) -> String {
    let own = help(&[command]);
    let further: String = subcommands(&own).map(|name| help(&[command, name])).collect();
    own + &further
}

fn help(command: &[&str]) -> String {
    let output = podstamp().args(command).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let commands = help.split_once("Commands:\n").map_or("", |(_, commands)| commands);
    let names = commands.lines().map_while(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help")
}

/// Lines of a shell: spans of text, and code that is in no other language.
fn lines(document: &Document) -> Vec<String> {
    let mut lines = document.spans();
    let shells = document.code().filter(|(language, _)| ["", "bash", "console", "sh"].contains(language));
    let shells: Vec<_> = shells.map(|(_, code)| code.replace("\\\n", " ")).collect();
    lines.extend(shells.iter().flat_map(|code| code.lines()).map(str::to_owned));
    lines
}

/// The words of each command of a line. What is optional in a synopsis counts like the rest.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" #").next().unwrap_or_default();
    let commands = line.split(['|', ';', '&', '(', ')']).map(|command| {
        let words = command.split_whitespace().map(|word| word.trim_matches(['[', ']', '$', '"', '\'']));
        // Variables of its environment stand ahead of a command.
        words.skip_while(|word| word.is_empty() || word.contains('=') && !word.starts_with('-')).collect()
    });
    commands.collect()
}

#[test]
fn every_command_and_flag_of_podstamp_that_a_document_names_is_in_its_help() {
    let helps = helps();
    assert!(helps.len() >= 5, "{:?}", helps.keys());
    let mut count = 0;
    let mut findings = Vec::new();
    // The changelog names what was there once.
    for document in documents().iter().filter(|document| document.name() != "CHANGELOG.md") {
        for line in lines(document) {
            for words in commands(&line) {
                let words = match words.split_first() {
                    Some((program, words)) if *program == "podstamp" || program.ends_with("/podstamp") => {
                        words
                    }
                    // A command is often named without the program.
                    Some((command, [flag, ..])) if helps.contains_key(*command) && flag.starts_with("--") => {
                        &words
                    }
                    _ => continue,
                };
                let Some((command, rest)) = words.split_first() else { continue };
                if ["COMMAND", "--help", "--version"].contains(command) {
                    continue;
                }
                count += 1;
                let Some(help) = helps.get(*command) else {
                    findings.push(format!("{}: {line}: there is no command {command}", document.name()));
                    continue;
                };
                for flag in rest.iter().filter(|word| word.starts_with("--")) {
                    let flag = flag.split('=').next().unwrap_or_default();
                    let has = help.split([' ', '\n', ',', '[', '=']).any(|word| word == flag);
                    if !has {
                        findings.push(format!("{}: {line}: {command} has no {flag}", document.name()));
                    }
                }
            }
        }
    }
    assert_none(findings);
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn every_task_of_xtask_that_a_document_names_is_there() {
    let source = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let mut count = 0;
    let mut findings = Vec::new();
    for document in documents() {
        for line in lines(&document) {
            for words in commands(&line) {
                if let ["cargo", "xtask", task, ..] = &*words {
                    count += 1;
                    if !source.contains(&format!("name: \"{task}\"")) {
                        findings.push(format!("{}: {line}: there is no task {task}", document.name()));
                    }
                }
            }
        }
    }
    assert_none(findings);
    assert!(count > 5, "only {count} tasks were found");
}
