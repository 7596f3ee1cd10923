//! A running host.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use podstamp_test_guests::WASI_HTTP;
use podstamp_test_support::runtime;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::served::wait_until;

/// A host with a component in it, killed with all its children when dropped.
pub(super) struct Server {
    child: Child,
    /// Where it takes requests.
    pub(super) address: SocketAddr,
    /// What it wrote to both of its outputs.
    log: Arc<Mutex<String>>,
    /// The script of the tests ends with it.
    _stdin: Option<ChildStdin>,
}

/// One instance in jco.
pub(super) struct Entry(Value);

impl Entry {
    pub(super) fn new(name: &str, variables: &[(&str, &str)]) -> Self {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Self(json!({"name": name, "variables": variables}))
    }

    /// Requests to these authorities go to others.
    pub(super) fn redirecting(mut self, redirect: &HashMap<String, String>) -> Self {
        self.0["redirect"] = json!(redirect);
        self
    }

    /// Its clock stands, at nanoseconds since 1970.
    pub(super) fn at(mut self, now: Option<u64>) -> Self {
        self.0["now"] = json!(now.map(|now| now.to_string()));
        self
    }
}

/// Starts Node with an instance for each entry, and gives their addresses by name. `None` without Node.
pub(super) fn jco(entries: &[Entry]) -> Option<(Server, HashMap<String, SocketAddr>)> {
    let transpiled = TRANSPILED.as_ref()?.path();
    let list = tempfile::NamedTempFile::new_in(transpiled).unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| &entry.0).collect();
    fs::write(list.path(), serde_json::to_vec(&entries).unwrap()).unwrap();
    let mut command = Command::new("node");
    command.arg(transpiled.join("serve.mjs")).arg(list.path()).stdin(Stdio::piped());
    let mut server = Server::start(command);
    server._stdin = server.child.stdin.take();
    let mut addresses = HashMap::new();
    server.wait_for("all ports", |log| {
        addresses = log.lines().filter_map(port_of).collect();
        addresses.len() == entries.len()
    });
    server.address = *addresses.values().next().unwrap();
    Some((server, addresses))
}

/// The address in `NAME PORT`.
fn port_of(line: &str) -> Option<(String, SocketAddr)> {
    let (name, port) = line.split_once(' ')?;
    let port: u16 = port.parse().ok()?;
    Some((name.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
}

/// Starts `wasmtime serve` with these variables and options. `None` where there is no wasmtime.
pub(super) fn wasmtime(variables: &[(&str, &str)], options: &[&str]) -> Option<Server> {
    let binary = runtime::wasmtime()?;
    let compiled = COMPILED.as_ref()?.path().join("podstamp.cwasm");
    let mut command = Command::new(binary);
    command.args(["serve", "-Scli", "--addr=127.0.0.1:0", "--allow-precompiled"]).args(options);
    for (name, value) in variables {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.arg(compiled).stdin(Stdio::null());
    Some(Server::start(command).listening("Serving HTTP on http://"))
}

impl Server {
    /// Starts a command in a process group of its own, and reads what it says.
    pub(super) fn start(mut command: Command) -> Self {
        command.process_group(0);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for stream in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    *log.lock().unwrap() += &format!("{line}\n");
                }
            });
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, address, log, _stdin: None }
    }

    /// Waits until it says, behind `text`, where it listens.
    pub(super) fn listening(mut self, text: &str) -> Self {
        let mut address = None;
        self.wait_for(text, |log| {
            let said = log.split_once(text).map(|(_, after)| after.split(['/', '\n', ' ']).next().unwrap());
            address = said.and_then(|said| said.trim_end_matches('.').parse().ok());
            address.is_some()
        });
        self.address = address.unwrap();
        self
    }

    /// All that it wrote so far.
    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until what it wrote is so.
    pub(super) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        wait_until(what, || {
            // Once nobody writes any more, nothing can follow.
            let has_ended = Arc::strong_count(&self.log) == 1;
            let log = self.log();
            let found = is_so(&log);
            assert!(found || !has_ended, "{what}: the host has ended:\n{log}");
            found
        });
    }

    /// Waits for a notice with this key.
    pub(super) fn wait_for_notice(&self, key: &str) {
        self.wait_for(key, |log| log.contains(&format!(": {key}: ")));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // jco's server is a child of its command, and outlives it.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.child.wait());
    }
}

/// The component as jco makes JavaScript of it, beside the script that serves it.
static TRANSPILED: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let modules = runtime::jco()?.join("node_modules");
    let folder = TempDir::new().unwrap();
    let mut command = Command::new("node");
    command.arg(modules.join("@bytecodealliance/jco/dist/jco.js")).args(["transpile", WASI_HTTP]);
    command.args(["--instantiation=sync", "--name=podstamp", "--no-typescript", "--quiet", "--out-dir"]);
    run(command.arg(folder.path()));
    symlink(&modules, folder.path().join("node_modules")).unwrap();
    fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    fs::copy(runtime::jco_sources().join("serve.mjs"), folder.path().join("serve.mjs")).unwrap();
    Some(folder)
});

/// The component as wasmtime makes machine code of it, as it would at each start.
static COMPILED: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let binary = runtime::wasmtime()?;
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(binary);
    run(command.args(["compile", WASI_HTTP, "--output"]).arg(folder.path().join("podstamp.cwasm")));
    Some(folder)
});

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
