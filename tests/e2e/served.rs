//! The binary under test, and what stands around it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::http::get;
use podstamp_test_support::runtime::skip;
pub(crate) use podstamp_test_support::wait_until;
use tempfile::TempDir;

/// `podstamp serve`, stopped when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: TempDir,
    log: Receiver<String>,
    logged: Arc<Mutex<String>>,
}

/// Configuration, files and environment of a server.
#[derive(Default)]
pub(crate) struct Setup {
    /// Top-level sections besides those that the set-up writes.
    pub(crate) config: String,
    /// Lines under `podstamp:`, indented by two.
    pub(crate) own: String,
    /// Lines under the receiver's `http:`, indented by eight.
    pub(crate) http: String,
    /// Lines under the receiver's `grpc:`, indented by eight.
    pub(crate) grpc: String,
    /// A port for both protocols; none: one each, whichever is free.
    pub(crate) port: Option<u16>,
    /// The host part of both endpoints, where that is not 127.0.0.1.
    pub(crate) host: Option<&'static str>,
    /// The port of the admin listener; none: whichever is free.
    pub(crate) admin: Option<u16>,
    /// Log level, where that is not the usual.
    pub(crate) log: Option<String>,
    pub(crate) pods: Option<String>,
    pub(crate) guest: Option<PathBuf>,
    /// The limit of open files, where that is not the usual.
    pub(crate) descriptors: Option<u32>,
    /// A document that what the set-up writes is laid over.
    pub(crate) before: Option<String>,
    /// Variables of its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// A shell's script that runs its arguments, the server's command, as root in a mount namespace of its own.
    pub(crate) mounting: Option<&'static str>,
}

/// Whether this user may mount in a namespace, for a test of `what`, which is skipped otherwise.
pub(crate) fn can_mount(what: &str) -> bool {
    let mounts = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/run"]).output();
    let can = mounts.is_ok_and(|output| output.status.success());
    if !can {
        skip(what, "this user may not mount");
    }
    can
}

impl Setup {
    /// DeepFlow's pipeline for load balancers towards `upstream`.
    pub(crate) fn load_balancer(upstream: &str) -> Self {
        Self {
            config: format!("{}\n{}", fixture("deepflow-load-balancer.yaml"), exporter(upstream)),
            ..Self::default()
        }
    }

    /// Asks the Kubernetes API for pods as a kubeconfig says.
    pub(crate) fn kube_config(self, path: &Path) -> Self {
        let to = format!("auth_type: kubeConfig\n    kube_config_path: {}", path.display());
        self.changed("auth_type: \"serviceAccount\"", &to)
    }

    /// Asks the upstream once.
    pub(crate) fn unretried(self) -> Self {
        self.changed("enabled: true", "enabled: false")
    }

    /// Does not wait for the upstream for long.
    pub(crate) fn impatient(self) -> Self {
        self.changed("timeout: 60s", "timeout: 300ms")
    }

    /// Lists a processor ahead of the others. `section`: its settings, on one line.
    pub(crate) fn processing(self, id: &str, section: &str) -> Self {
        let listed = "      processors:\n";
        self.changed("\nprocessors:\n", &format!("\nprocessors:\n  {id}: {section}\n"))
            .changed(listed, &format!("{listed}        - {id}\n"))
    }

    fn changed(self, from: &str, to: &str) -> Self {
        assert!(self.config.contains(from), "{}", self.config);
        Self { config: self.config.replace(from, to), ..self }
    }

    pub(crate) fn pods(self, pods: String) -> Self {
        Self { pods: Some(pods), ..self }
    }

    pub(crate) fn own(self, own: &str) -> Self {
        Self { own: own.to_owned(), ..self }
    }

    /// Lines for each of the protocols.
    pub(crate) fn protocols(self, lines: &str) -> Self {
        Self { http: lines.to_owned(), grpc: lines.to_owned(), ..self }
    }

    pub(crate) fn serve(self) -> Served {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("config.yaml");
        let Self { config: sections, own, http, grpc, port, .. } = &self;
        // Nobody waits for the others to learn that it ends, unless a test says so.
        let delay = if own.contains("drain_delay") { "" } else { "  drain_delay: 0s\n" };
        let endpoint =
            format!("        endpoint: {}:{}", self.host.unwrap_or("127.0.0.1"), port.unwrap_or_default());
        let admin = self.admin.unwrap_or_default();
        let text = format!(
            "{sections}\nreceivers:\n  otlp:\n    protocols:\n      http:\n{endpoint}\n{http}\n      grpc:\n{endpoint}\n{grpc}\npodstamp:\n{delay}  admin:\n    endpoint: 127.0.0.1:{admin}\n{own}"
        );
        fs::write(&config, text).unwrap();
        let mut command = match self.descriptors {
            None => podstamp([]),
            Some(most) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
                command
                    .arg(env!("CARGO_BIN_EXE_podstamp-under-test"))
                    .env_remove("PODSTAMP_LOG")
                    .env_remove("KUBERNETES_SERVICE_HOST")
                    .env("NO_COLOR", "1");
                command
            }
        };
        if let Some(script) = self.mounting {
            command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_podstamp-under-test")]);
            command.env_remove("PODSTAMP_LOG").env("NO_COLOR", "1");
        }
        command.arg("serve").stderr(Stdio::piped());
        if let Some(before) = self.before {
            let file = folder.path().join("before.yaml");
            fs::write(&file, before).unwrap();
            command.arg("--config").arg(file);
        }
        command.arg("--config").arg(&config);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        if let Some(level) = self.log {
            command.env("PODSTAMP_LOG", level);
        }
        if let Some(pods) = self.pods {
            let file = folder.path().join("pods.json");
            fs::write(&file, pods).unwrap();
            command.arg("--pods").arg(file);
        }
        if let Some(guest) = self.guest {
            command.arg("--guest").arg(guest);
        }
        let mut child = command.spawn().unwrap();
        let (send, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let logged = Arc::<Mutex<String>>::default();
        let all = Arc::clone(&logged);
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| {
                all.lock().unwrap().push_str(&format!("{line}\n"));
                send.send(line)
            })
        });
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut served = Served { child, address: any, grpc: any, admin: any, folder, log, logged };
        served.address = served.logged_address("taking OTLP/HTTP at ");
        served.grpc = served.logged_address("taking OTLP/gRPC at ");
        served.admin = served.logged_address("metrics and health at ");
        served
    }
}

impl Served {
    /// Waits for a log line that contains `text`.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = String::new();
        while let Ok(line) = self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("no {text:?} in the log:\n{seen}");
    }

    /// Everything that it logged from its start to its end, which is now.
    pub(crate) fn whole_log(mut self) -> String {
        self.terminate();
        self.wait();
        self.log.iter().for_each(drop);
        self.logged.lock().unwrap().clone()
    }

    fn logged_address(&self, before: &str) -> SocketAddr {
        let line = self.wait_for_log(before);
        let (_, rest) = line.split_once(before).unwrap();
        let (_, rest) = rest.split_once("://").unwrap();
        let end =
            rest.find(|char: char| !char.is_ascii_digit() && !".:[]".contains(char)).unwrap_or(rest.len());
        rest[..end].parse().unwrap()
    }

    /// The value of a metric: the sum over lines that begin with `name` and contain all `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (status, text) = get(self.admin, "/metrics");
        assert_eq!(status, 200);
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    pub(crate) fn wait_for_request_in_flight(&self) {
        let until = Instant::now() + PATIENCE;
        while self.metric("podstamp_requests_in_flight", &[]) < 1.0 {
            assert!(Instant::now() < until, "no request comes");
        }
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The binary with arguments, and without this process's log level.
pub(crate) fn podstamp<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podstamp-under-test"));
    command.args(arguments).env_remove("PODSTAMP_LOG").env("NO_COLOR", "1");
    // The tests themselves may run in a cluster.
    command.env_remove("KUBERNETES_SERVICE_HOST");
    command
}

/// Runs the binary with a standard input to its end.
pub(crate) fn run<const N: usize>(arguments: [&str; N], input: &[u8]) -> Output {
    use std::io::Write;
    let mut command = podstamp(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

/// `exporters.otlphttp` towards an agent, that does not try again for long.
pub(crate) fn exporter(url: &str) -> String {
    format!(
        "exporters:\n  otlphttp:\n    traces_endpoint: {url}\n    timeout: 60s\n    retry_on_failure:\n      enabled: true\n      initial_interval: 50ms\n      max_elapsed_time: 1s\n"
    )
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> String {
    fs::read_to_string(fixture_path(name)).unwrap()
}

pub(crate) fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}
