//! The servers at the same job, each with a configuration of its own: podstamp, an OpenTelemetry Collector, rotel.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use podstamp_test_support::bodies;
use podstamp_test_support::kubernetes::Kubernetes;
use podstamp_test_support::ports::closed_port;
use tempfile::TempDir;

use super::{PIPELINE, PODS, PROCESSORS};
use crate::load;
use crate::process::Process;

/// A server that is ready to be started: its command lacks only where to run.
pub(crate) struct Setup {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    http: SocketAddr,
    grpc: SocketAddr,
    /// Where it tells whether it is ready; only podstamp does here.
    pub(crate) admin: Option<SocketAddr>,
    folder: TempDir,
    kubernetes: Option<Kubernetes>,
}

/// A server under load.
pub(crate) struct Side {
    pub(crate) process: Process,
    pub(crate) grpc: SocketAddr,
    _files: (TempDir, Option<Kubernetes>),
}

impl Setup {
    /// podstamp with DeepFlow's pipeline, its pods from a file.
    pub(crate) fn podstamp(sink: SocketAddr, compression: &str) -> Self {
        let binary = std::env::current_exe().unwrap().with_file_name("podstamp");
        assert!(binary.exists(), "{} is missing: `cargo xtask bench` builds it", binary.display());
        let mut setup = Self::of(&binary);
        let admin = closed_port();
        let pods = setup.folder.path().join("pods.json");
        std::fs::write(&pods, bodies::pods(PODS).to_string()).unwrap();
        // All clients come from one address here.
        let own = format!("podstamp: {{admin: {{endpoint: '{admin}'}}, limits: {{per_peer: 1}}}}\n");
        let config = setup.write(&format!("{PROCESSORS}{}{PIPELINE}{own}", exporter(sink, compression)));
        setup.arguments =
            ["serve", "--config", &config, "--pods", &pods.display().to_string()].map(str::to_owned).into();
        setup.environment = vec![("NO_COLOR", "1".to_owned())];
        setup.admin = Some(admin);
        setup
    }

    /// A Collector with the same pipeline, its pods from the Kubernetes API.
    pub(crate) fn collector(binary: &Path, sink: SocketAddr, compression: &str) -> Self {
        let reached = "auth_type: kubeConfig\n    wait_for_metadata: true";
        let processors = PROCESSORS.replace("auth_type: serviceAccount", reached);
        Self::collector_with(binary, sink, compression, &format!("{processors}{PIPELINE}"))
    }

    /// A Collector with these processors and pipelines; the variable for its kubeconfig names a cluster with the pods.
    pub(crate) fn collector_with(
        binary: &Path,
        sink: SocketAddr,
        compression: &str,
        processors: &str,
    ) -> Self {
        let mut setup = Self::of(binary);
        let kubernetes = Kubernetes::serve(&bodies::pods(PODS).to_string());
        let exporter = format!("{}    sending_queue:\n      enabled: false\n", exporter(sink, compression));
        let quiet = "  telemetry:\n    metrics:\n      level: none\n";
        let config = setup.write(&format!("{exporter}{processors}{quiet}"));
        setup.arguments = vec!["--config".to_owned(), config];
        setup.environment = vec![("KUBECONFIG", kubernetes.config().display().to_string())];
        setup.kubernetes = Some(kubernetes);
        setup
    }

    /// rotel, which knows no pods: it adds the same address to every resource. It answers before it sends, unlike the others.
    pub(crate) fn rotel(binary: &Path, sink: SocketAddr, compression: &str) -> Self {
        let mut setup = Self::of(binary);
        let file = |name: &str| setup.folder.path().join(name).display().to_string();
        setup.arguments = [
            "start",
            "--otlp-http-endpoint",
            &setup.http.to_string(),
            "--otlp-grpc-endpoint",
            &setup.grpc.to_string(),
            "--otel-resource-attributes",
            "app.host.ip=10.244.1.17",
            // One request out for each that comes in, as the others do.
            "--disable-batching",
            "--exporter",
            "otlp",
            "--otlp-exporter-protocol",
            "http",
            "--otlp-exporter-endpoint",
            &format!("http://{sink}"),
            "--otlp-exporter-compression",
            compression,
            "--pid-file",
            &file("pid"),
            "--log-file",
            &file("agent.log"),
        ]
        .map(str::to_owned)
        .into();
        setup
    }

    fn of(binary: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            http: closed_port(),
            grpc: closed_port(),
            admin: None,
            folder: TempDir::new().unwrap(),
            kubernetes: None,
        }
    }

    /// Writes a configuration, with the receivers that all have.
    fn write(&self, config: &str) -> String {
        let file = self.folder.path().join("config.yaml");
        let (http, grpc) = (self.http, self.grpc);
        let receivers = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: '{grpc}'}}\n      http: {{endpoint: '{http}'}}\n"
        );
        std::fs::write(&file, format!("{receivers}{config}")).unwrap();
        file.display().to_string()
    }

    /// Starts it, by a command that says where; it is ready when it takes a request.
    pub(crate) fn start_by(self, command: impl FnOnce(&Path) -> Command) -> Side {
        let mut starting = self.spawn(command);
        starting.wait_until_taken();
        starting.into_side()
    }

    /// Starts it, and leaves it to the caller to wait.
    pub(crate) fn spawn(self, command: impl FnOnce(&Path) -> Command) -> Starting {
        let log = self.folder.path().join("log");
        let mut command = command(&self.binary);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("PODSTAMP_LOG").stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let begin = Instant::now();
        let child = command.spawn().unwrap();
        Starting { child, begin, log, setup: self }
    }
}

/// A server that has been started.
pub(crate) struct Starting {
    child: Child,
    begin: Instant,
    log: PathBuf,
    setup: Setup,
}

impl Starting {
    /// Waits until it answers a request with success, and gives the time since its start.
    pub(crate) fn wait_until_taken(&mut self) -> Duration {
        let request = load::request(&bodies::recent_spans(1), "application/x-protobuf", false);
        self.wait_until(self.setup.http, &request)
    }

    /// Waits until it says that it is ready; `None` where it does not say so.
    pub(crate) fn wait_until_ready(&mut self) -> Option<Duration> {
        let admin = self.setup.admin?;
        Some(self.wait_until(admin, b"GET /readyz HTTP/1.1\r\nhost: podstamp\r\n\r\n"))
    }

    fn wait_until(&mut self, to: SocketAddr, request: &[u8]) -> Duration {
        while !load::is_taken(to, request) {
            let ended = self.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "{} ends: {}", self.setup.binary.display(), log());
            assert!(
                self.begin.elapsed() < PATIENCE,
                "{} does not get ready: {}",
                self.setup.binary.display(),
                log()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        self.begin.elapsed()
    }

    pub(crate) fn into_side(self) -> Side {
        let Setup { http, grpc, folder, kubernetes, .. } = self.setup;
        Side { process: Process::of(self.child, http), grpc, _files: (folder, kubernetes) }
    }
}

fn exporter(sink: SocketAddr, compression: &str) -> String {
    format!(
        "exporters:\n  otlphttp:\n    traces_endpoint: http://{sink}/api/v1/otel/trace\n    compression: {compression}\n"
    )
}

/// Nothing takes that long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
