//! The programs that watch: podstamp, and an OpenTelemetry Collector with `k8sattributes`, each with DeepFlow's pipeline for
//! load balancers.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;
use crate::process::Memory;

/// A program that can watch a cluster.
pub(super) struct Program {
    pub(super) name: &'static str,
    binary: PathBuf,
    /// In its log once it has an address to ask, which follows; the Collector is ready then.
    address: &'static str,
    /// What follows in the configuration.
    own: &'static str,
}

impl Program {
    pub(super) fn podstamp() -> Self {
        let binary = std::env::current_exe().unwrap().with_file_name("podstamp");
        assert!(binary.exists(), "{} is missing: `cargo xtask bench` builds it", binary.display());
        let own = "podstamp: {admin: {endpoint: '127.0.0.1:0'}}\n";
        Self { name: "podstamp", binary, address: "metrics and health at http://", own }
    }

    pub(super) fn collector(binary: PathBuf) -> Self {
        Self { name: "Collector", binary, address: "Everything is ready", own: QUIET }
    }

    /// Starts it towards the cluster of a kubeconfig.
    pub(super) fn start(&self, kube_config: &Path) -> Side {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, format!("{PIPELINE}{}", self.own)).unwrap();
        let mut command = Command::new(&self.binary);
        if self.name == "podstamp" {
            command.arg("serve");
        }
        command.arg("--config").arg(config).env("KUBECONFIG", kube_config).env("NO_COLOR", "1");
        command.env_remove("PODSTAMP_LOG").stdout(Stdio::null()).stderr(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, log) = channel();
        // The process must not block on a full pipe, also when nobody listens any more.
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| drop(send.send(line)))
        });
        Side { child, log, begin, text: self.address, admin: None, _folder: folder }
    }
}

/// A program that runs, killed when dropped.
pub(super) struct Side {
    child: Child,
    log: Receiver<String>,
    begin: Instant,
    text: &'static str,
    admin: Option<SocketAddr>,
    _folder: TempDir,
}

impl Side {
    /// Waits until it is through with its start but for the pods: podstamp listens then. The Collector never says so.
    pub(super) fn wait_for_start(&mut self) {
        let mut seen = String::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if let Some((_, rest)) = line.split_once(self.text) {
                let end = rest.find(|char: char| !char.is_ascii_digit() && !".:".contains(char));
                self.admin = rest[..end.unwrap_or(rest.len())].parse().ok();
                return;
            }
            seen += &format!("{line}\n");
        }
        panic!("it does not start:\n{seen}");
    }

    /// Waits until it knows all pods, and gives the time since its start.
    pub(super) fn wait_until_ready(&mut self) -> Duration {
        if self.admin.is_none() {
            self.wait_for_start();
        }
        let until = Instant::now() + PATIENCE;
        // The Collector has said it.
        while self.admin.is_some_and(|admin| get(admin, "/readyz").is_none()) {
            assert!(
                Instant::now() < until,
                "it does not get ready: {:?}",
                self.log.try_iter().collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        self.begin.elapsed()
    }

    /// The bytes of podstamp's table, as it logs them when all pods have come.
    pub(super) fn table_bytes(&self) -> f64 {
        let bytes = self.log.try_iter().find_map(|line| line.split_once(" bytes=")?.1.trim().parse().ok());
        bytes.unwrap_or(f64::NAN)
    }

    pub(super) fn memory(&self) -> Memory {
        Memory::of(self.child.id())
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The body of a 200.
fn get(to: SocketAddr, path: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(to).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: podstamp\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer
        .starts_with("HTTP/1.1 200")
        .then(|| answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()))?
}

/// In the section `service`, which is the last one.
const QUIET: &str = "  telemetry:\n    metrics:\n      level: none\n";

/// Both are ready only when they know all pods.
const PIPELINE: &str = "
processors:
  resource/pre:
    attributes: [{key: k8s.pod.name, from_attribute: host.name, action: insert}]
  k8sattributes:
    auth_type: kubeConfig
    wait_for_metadata: true
    wait_for_metadata_timeout: 300s
    extract:
      metadata: [k8s.pod.name, k8s.pod.uid, k8s.pod.ip]
    passthrough: false
    pod_association:
      - sources: [{from: resource_attribute, name: k8s.pod.name}]
      - sources: [{from: resource_attribute, name: k8s.pod.ip}]
      - sources: [{from: resource_attribute, name: k8s.pod.uid}]
      - sources: [{from: connection}]
  resource/post:
    attributes: [{key: app.host.ip, from_attribute: k8s.pod.ip, action: insert}]
receivers:
  otlp:
    protocols:
      http: {endpoint: '127.0.0.1:0'}
exporters:
  otlphttp:
    traces_endpoint: http://127.0.0.1:9/api/v1/otel/trace
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [resource/pre, k8sattributes, resource/post]
      exporters: [otlphttp]
";
