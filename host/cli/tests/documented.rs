//! What the documents say of the command line, tried as a reader would. Shows nothing of metrics and keys of the configuration: their
//! pages have tests beside the code.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests say what went wrong by failing, their helpers too"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn podstamp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podstamp"));
    command.args(arguments).current_dir(root()).env_remove("PODSTAMP_LOG").env("NO_COLOR", "1");
    command
}

fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut command = podstamp(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that ends early does not read it.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

/// The first row of a table in operating.md that begins with these cells' beginning.
fn row<'d>(document: &'d str, beginning: &str) -> &'d str {
    let found = document.lines().find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("docs/operating.md has no row {beginning}"))
}

#[test]
fn operating_has_each_command_with_all_its_options() {
    let (document, help) = (document("docs/operating.md"), run(&["--help"], ""));
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 4, "{help}");
    let everywhere = ["--help", "--log-format", "--log-level"];
    let grouped = [("pods", &["explain", "ls"][..]), ("queue", &["ls", "export", "drop"])];
    let mut all: Vec<Vec<&str>> = Vec::new();
    for command in commands.into_iter().filter(|command| *command != "help") {
        match grouped.iter().find(|(group, _)| *group == command) {
            Some((group, members)) => all.extend(members.iter().map(|member| vec![*group, member])),
            None => all.push(vec![command]),
        }
    }
    for command in all {
        let row = row(&document, &format!("| `podstamp {} ", command.join(" ")));
        let help = String::from_utf8(run(&[&command[..], &["--help"]].concat(), "").stdout).unwrap();
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.filter(|option| !everywhere.contains(option)) {
            assert!(row.contains(option), "{option} is not in {row}");
        }
    }
}

#[test]
fn operating_has_each_exit_code() {
    let (document, source) = (document("docs/operating.md"), include_str!("../src/exit.rs"));
    let codes = source.split("= ").skip(1).filter_map(|after| after.split(',').next()?.parse::<u8>().ok());
    let codes: Vec<_> = codes.collect();
    assert!(codes.contains(&0) && codes.contains(&64), "{codes:?}");
    for code in codes {
        row(&document, &format!("| {code} | "));
    }
}

#[test]
fn the_request_of_troubleshooting_is_told_as_it_says() {
    let document = document("docs/troubleshooting.md");
    let (_, after) = document.split_once("```json\n").unwrap();
    let (request, after) = after.split_once("```").unwrap();
    let (config, pods) = ("examples/standalone/otel-agent.yaml", "examples/standalone/pods.json");
    let output = run(&["rewrite", "--config", config, "--pods", pods, "--peer", "10.244.1.60"], request);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let said = after.split("it prints\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in said.lines() {
        let line = line.strip_prefix("    ").unwrap();
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }
}

/// A process that is stopped when dropped, and its log.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// What stands behind `words` in the log.
    fn logged(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "{words} was never logged");
            if let Some((_, after)) = line.trim_end().split_once(words) {
                return after.to_owned();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_standalone_readme_leads_to_the_address_that_it_names() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let readme = document("examples/standalone/README.md");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("arrived.jsonl");
    let mut agent = podstamp(&["fake-agent", "--listen", "127.0.0.1:0", "--record"]);
    agent.arg(&record);
    let mut agent = Running::start(agent);
    let url = agent.logged("standing in for deepflow-agent at ");

    // As it is, but for ports that may be taken.
    let config = document("examples/standalone/otel-agent.yaml");
    let config = ["127.0.0.1:4317", "127.0.0.1:4318", "127.0.0.1:8888"]
        .iter()
        .fold(config, |config, taken| config.replace(taken, "127.0.0.1:0"));
    let file = folder.path().join("otel-agent.yaml");
    fs::write(&file, config).unwrap();
    let mut serve = podstamp(&["serve", "--pods", "examples/standalone/pods.json", "--config"]);
    serve.arg(&file).env("DEEPFLOW_AGENT", url.strip_suffix("/api/v1/otel/trace").unwrap());
    let mut serve = Running::start(serve);
    let address = serve.logged("taking OTLP/HTTP at http://");
    let address = address.strip_suffix("/v1/traces").unwrap();

    let export = readme.split("\n\n").find(|paragraph| paragraph.starts_with("    curl ")).unwrap();
    let export = export.replace("127.0.0.1:4318", address);
    let output = Command::new("sh").args(["-c", &export]).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    let said = readme.split("shows `").nth(1).unwrap().split('`').next().unwrap();
    let begun = Instant::now();
    while !fs::read_to_string(&record).unwrap().contains(said) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{said} did not arrive");
        std::thread::sleep(Duration::from_millis(10));
    }
}
