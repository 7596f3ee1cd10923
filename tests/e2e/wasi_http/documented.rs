//! The commands of examples/wasi-http, as they stand there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use podstamp_test_guests::WASI_HTTP;
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::{runtime, spans};
use tempfile::TempDir;

use super::Server;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup};

#[test]
fn the_examples_command_for_wasmtime_serves_and_keeps_the_pods() {
    let Some(binary) = runtime::wasmtime() else { return };
    let example = Example::new();
    let command = example.command("wasmtime serve").replace("0.0.0.0:4318", "127.0.0.1:0");
    let command = command.replace("wasmtime serve", &format!("{} serve", binary.display()));
    let server = Server::start(example.shell(&command)).listening("Serving HTTP on http://");
    example.serves(&server);
    let Example { agent, pods, .. } = example;
    drop(pods);
    assert_eq!(address_of(&server, &agent), "10.1.1.1", "{}", server.log());
}

#[test]
fn the_examples_command_for_jco_serves() {
    let Some(project) = runtime::jco() else { return };
    let example = Example::new();
    symlink(project.join("node_modules"), example.folder.path().join("node_modules")).unwrap();
    let port = closed_port().port().to_string();
    let command = example.command("jco serve").replace("0.0.0.0", "127.0.0.1").replace("4318", &port);
    let (install, command) = command.split_once('\n').unwrap();
    let manifest = fs::read_to_string(runtime::jco_sources().join("package.json")).unwrap();
    let version = install.rsplit_once('@').unwrap().1;
    assert!(manifest.contains(&format!("jco\": \"{version}\"")), "{install}");
    // It is installed already.
    let server = Server::start(example.shell(command)).listening("Server listening @ ");
    example.serves(&server);
}

/// The example with the component beside it, an agent and a podstamp.
struct Example {
    folder: TempDir,
    agent: FakeAgent,
    pods: Served,
}

impl Example {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::copy(sources().join("podstamp.json"), folder.path().join("podstamp.json")).unwrap();
        fs::copy(WASI_HTTP, folder.path().join("podstamp.wasi-http.wasm")).unwrap();
        let pods = spans::pods(&[("web-1", "10.1.1.1")]);
        let pods = Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(pods).serve();
        Self { folder, agent: FakeAgent::start(), pods }
    }

    /// The block of code with this text, with the agent and the podstamp that are here.
    fn command(&self, text: &str) -> String {
        let readme = fs::read_to_string(sources().join("README.md")).unwrap();
        let block = readme.split("```").skip(1).step_by(2).find(|block| block.contains(text)).unwrap();
        let command = block.strip_prefix("sh\n").unwrap();
        let replaced = command
            .replace("127.0.0.1:38086", &self.agent.agent().address().to_string())
            .replace("127.0.0.1:8888", &self.pods.admin.to_string());
        assert_ne!(replaced, command);
        replaced
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(self.folder.path()).stdin(Stdio::null());
        shell
    }

    fn serves(&self, server: &Server) {
        assert_eq!(address_of(server, &self.agent), "10.1.1.1", "{}", server.log());
    }
}

/// The address that a batch of a pod is stamped with.
fn address_of(server: &Server, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(export(server.address, &spans::export(&[("shop", "web-1")])).status, 200, "{}", server.log());
    agent.placed().pop().unwrap().1
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wasi-http")
}
