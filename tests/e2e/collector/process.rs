//! A running Collector.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use podstamp_test_support::blocking::http::get;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::served::wait;

/// A Collector, killed when dropped.
pub(crate) struct Collector {
    child: Mutex<Child>,
    /// Its standard error. A file has what was logged ahead of an answer once the answer is there; a pipe's reader may not.
    log: PathBuf,
    metrics: Option<SocketAddr>,
    _folder: TempDir,
}

impl Collector {
    /// Starts it with a whole configuration and waits until it is ready.
    pub(crate) fn start(binary: &Path, config: &str, environment: &[(&str, &Path)]) -> Self {
        let collector = Self::launch(binary, config, environment);
        collector.wait_for_log(&["Everything is ready"]);
        collector
    }

    /// The same with a receiver `otlp` of OTLP/HTTP, which the configuration, in YAML, does not have.
    pub(crate) fn with_otlp(binary: &Path, config: &str, environment: &[(&str, &Path)]) -> Self {
        Self::start(binary, &format!("{RECEIVERS}{config}"), environment)
    }

    /// Starts it with its own metrics on a port of their own.
    pub(crate) fn measured(binary: &Path, config: &Value) -> Self {
        let metrics = closed_port();
        let mut config = config.clone();
        let prometheus = json!({"host": metrics.ip(), "port": metrics.port()});
        config["service"]["telemetry"]["metrics"] =
            json!({"readers": [{"pull": {"exporter": {"prometheus": prometheus}}}]});
        let mut collector = Self::start(binary, &written(&config), &[]);
        collector.metrics = Some(metrics);
        collector
    }

    /// Starts it, whether it comes to anything or not.
    pub(crate) fn launch(binary: &Path, config: &str, environment: &[(&str, &Path)]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, config).unwrap();
        let log = folder.path().join("log");
        let child = Command::new(binary)
            .arg("--config")
            .arg(&file)
            .envs(environment.iter().copied())
            .stderr(File::create(&log).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child: Mutex::new(child), log, metrics: None, _folder: folder }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits for a line that has these texts, and returns it.
    pub(crate) fn wait_for_log(&self, texts: &[&str]) -> String {
        let mut found = None;
        wait_until(&format!("a line with {texts:?}"), || {
            let ended = !self.is_running();
            let log = self.log();
            found = log.lines().find(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned);
            assert!(found.is_some() || !ended, "it has ended without a line with {texts:?}:\n{log}");
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait(self.child.get_mut().unwrap())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// Where this receiver takes OTLP/HTTP.
    pub(crate) fn http(&self, receiver: &str) -> SocketAddr {
        self.address("Starting HTTP server", receiver)
    }

    /// Where this receiver takes OTLP/gRPC.
    pub(crate) fn grpc(&self, receiver: &str) -> SocketAddr {
        self.address("Starting GRPC server", receiver)
    }

    fn address(&self, event: &str, receiver: &str) -> SocketAddr {
        let line = self.wait_for_log(&[event, &format!("\"otelcol.component.id\": \"{receiver}\"")]);
        let (_, rest) = line.split_once("\"endpoint\": \"").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    /// Its own metrics.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(get(self.metrics.expect("it is started with metrics"), "/metrics").1)
    }
}

/// Metrics as Prometheus reads them.
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of the samples of a metric that have all these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let samples = self.0.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(child.kill());
        drop(child.wait());
    }
}

/// A configuration as the Collector reads it, which looks for variables in texts.
pub(crate) fn written(config: &Value) -> String {
    config.to_string().replace('$', "$$")
}

const RECEIVERS: &str = "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:0\n";
