//! A running Bento.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

use podstamp_test_guests::BENTO;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::runtime;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::served::wait_until;

/// How Bento runs in a test: the example's pipeline with the changes of a set-up.
pub(crate) struct Setup {
    /// podstamp's configuration.
    pub(crate) document: Value,
    /// Where `GET /pods` goes.
    pub(crate) pods: SocketAddr,
    /// The module.
    pub(crate) module: Vec<u8>,
    /// Texts of the pipeline, and what stands in their place.
    pub(crate) changes: Vec<(&'static str, String)>,
}

impl Setup {
    /// With the example's own configuration, towards this agent.
    pub(crate) fn to(url: &str) -> Self {
        let mut document: Value = serde_json::from_str(&example("podstamp.json")).unwrap();
        document["exporters"]["otlphttp"]["traces_endpoint"] = url.into();
        Self { document, pods: closed_port(), module: fs::read(BENTO).unwrap(), changes: Vec::new() }
    }

    /// With the pods of a podstamp.
    pub(crate) fn asking(self, pods: SocketAddr) -> Self {
        Self { pods, ..self }
    }

    pub(crate) fn change(mut self, from: &'static str, to: impl Into<String>) -> Self {
        self.changes.push((from, to.into()));
        self
    }

    /// Starts Bento with it; `None` where there is none.
    pub(crate) fn start(self) -> Option<Bento> {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("podstamp.bento.wasm"), &self.module).unwrap();
        fs::write(folder.path().join("podstamp.json"), self.document.to_string()).unwrap();
        let address = closed_port();
        let mut pipeline = example("pipeline.yaml");
        let usual = [
            ("0.0.0.0:4318", address.to_string()),
            ("podstamp-pods.deepflow:8888", self.pods.to_string()),
            ("interval: 5s", "interval: 50ms".to_owned()),
        ];
        for (from, to) in usual.into_iter().chain(self.changes) {
            assert_eq!(pipeline.matches(from).count(), 1, "{from} in\n{pipeline}");
            pipeline = pipeline.replace(from, &to);
        }
        fs::write(folder.path().join(PIPELINE), pipeline).unwrap();
        Bento::start(address, folder)
    }
}

/// A file of the example.
pub(crate) fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/collector/bento");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Bento with a pipeline, killed when dropped.
pub(crate) struct Bento {
    child: Child,
    /// Where it takes requests.
    pub(crate) address: SocketAddr,
    /// Where it runs.
    pub(crate) folder: TempDir,
}

impl Bento {
    fn start(address: SocketAddr, folder: TempDir) -> Option<Self> {
        let mut command = Command::new(runtime::bento()?);
        command.args(["-c", PIPELINE]).current_dir(folder.path());
        let log = File::create(folder.path().join(LOG)).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut bento = Self { child, address, folder };
        wait_until("Bento listens", || {
            let ended = bento.child.try_wait().unwrap();
            assert!(ended.is_none(), "Bento ended:\n{}", bento.log());
            TcpStream::connect(address).is_ok()
        });
        Some(bento)
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    /// Waits for a line of its log that contains all of `texts`.
    pub(crate) fn wait_for_log(&self, texts: &[&str]) {
        wait_until(&format!("{texts:?} in the log"), || {
            self.log().lines().any(|line| texts.iter().all(|text| line.contains(text)))
        });
    }
}

impl Drop for Bento {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("Bento's log:\n{}", self.log());
        }
    }
}

/// DeepFlow's pipeline for load balancers towards this agent, without the example's full check.
pub(crate) fn plain(url: &str) -> Value {
    json!({"exporters": {"otlphttp": {"traces_endpoint": url}}})
}

const PIPELINE: &str = "pipeline.yaml";

const LOG: &str = "log";

#[test]
fn what_passes_between_pipeline_and_module_is_in_the_readme() {
    let sources = concat!(
        include_str!("../../../guest/bento/src/lib.rs"),
        include_str!("../../../examples/collector/bento/pipeline.yaml")
    );
    let words = sources.split(|char: char| !(char.is_ascii_alphanumeric() || "_{}".contains(char)));
    let mut keys: Vec<_> = words.filter(|word| word.starts_with("podstamp_")).collect();
    // Names of crates and of the cache; what follows a prefix the README calls NAME.
    keys.retain(|key| !["podstamp_core", "podstamp_embedded"].contains(key));
    assert!(keys.len() > 20, "{keys:?}");
    let page = example("README.md");
    for key in keys {
        let key = key.split("{").next().unwrap();
        let prefix =
            ["podstamp_header_", "podstamp_answer_"].into_iter().find(|prefix| key.starts_with(prefix));
        let named = prefix.map_or_else(|| format!("`{key}`"), |prefix| format!("`{prefix}NAME`"));
        assert!(page.contains(&named), "{named} is not in the README");
    }
}
