//! A running Envoy.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::http::get;
use podstamp_test_support::runtime;
use serde_json::Value;
use tempfile::TempDir;

use crate::served::{wait, wait_until};

/// Envoy with a configuration, killed when dropped.
pub(crate) struct Envoy {
    child: Child,
    /// Where its first listener takes requests.
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Holds its configuration.
    pub(crate) folder: TempDir,
    log: Arc<Log>,
}

/// The log that Envoy wrote to its standard error.
#[derive(Default)]
struct Log {
    written: Mutex<Written>,
    grown: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    /// Nothing can follow, since Envoy has ended.
    ended: bool,
}

impl Envoy {
    /// Starts Envoy with `concurrency` workers and its configuration in the folder, and waits until its listener listens. `None`
    /// without Envoy.
    pub(crate) fn start(config: &Value, folder: TempDir, concurrency: u32) -> Option<Self> {
        let file = written(config, folder.path());
        Self::start_with(&file, folder, concurrency, &[])
    }

    /// Starts Envoy with a configuration that is there already, and with variables.
    pub(crate) fn start_with(
        file: &Path,
        folder: TempDir,
        concurrency: u32,
        variables: &[(&str, &str)],
    ) -> Option<Self> {
        let binary = runtime::envoy()?;
        let admin = folder.path().join("admin");
        let mut command = Command::new(binary);
        command.arg("-c").arg(file).envs(variables.iter().copied());
        command.args(["--concurrency", &concurrency.to_string()]).args(ALONE);
        command.arg("--admin-address-path").arg(&admin).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::of(&mut child);
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut envoy = Self { child, address: any, admin: any, folder, log };
        let read = || fs::read_to_string(&admin).ok().and_then(|text| text.parse().ok());
        envoy.admin = envoy.wait_for("the admin address", read);
        envoy.wait_for("readiness", || (get(envoy.admin, "/ready").1 == "LIVE\n").then_some(()));
        let started = |envoy: &Self| envoy.stat("listener_manager.workers_started") == 1.0;
        envoy.wait_for("workers", || started(&envoy).then_some(()));
        envoy.address = envoy.wait_for("a listener", || envoy.listener());
        Some(envoy)
    }

    /// The address of its first listener.
    fn listener(&self) -> Option<SocketAddr> {
        let (_, listeners) = get(self.admin, "/listeners?format=json");
        let listeners: Value = serde_json::from_str(&listeners).unwrap();
        let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
        let port = address["port_value"].as_u64().filter(|port| *port != 0)?;
        format!("{}:{port}", address["address"].as_str()?).parse().ok()
    }

    /// Waits until something is there, and fails with the log if Envoy ends meanwhile.
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let mut found = None;
        wait_until(what, || {
            let ended = self.log.written.lock().unwrap().ended;
            found = look();
            assert!(found.is_some() || !ended, "Envoy ended:\n{}", self.log());
            found.is_some()
        });
        found.unwrap()
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.written.lock().unwrap().lines.join("\n")
    }

    /// Waits for a line of its log that contains all of `texts`.
    pub(crate) fn wait_for_log(&self, texts: &[&str]) -> String {
        self.wait_for_logs(texts, 1).remove(0)
    }

    /// Waits for this many lines of its log that contain all of `texts`.
    pub(crate) fn wait_for_logs(&self, texts: &[&str], count: usize) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        let mut written = self.log.written.lock().unwrap();
        loop {
            let all = |line: &&String| texts.iter().all(|text| line.contains(text));
            let found: Vec<_> = written.lines.iter().filter(all).take(count).cloned().collect();
            if found.len() == count {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            let over = written.ended || left.is_zero();
            assert!(!over, "{count} x {texts:?} is not in the log:\n{}", written.lines.join("\n"));
            written = self.log.grown.wait_timeout(written, left).unwrap().0;
        }
    }

    /// The value of one of Envoy's counters or gauges; 0 where it has not come up yet.
    pub(crate) fn stat(&self, name: &str) -> f64 {
        let (_, text) = get(self.admin, "/stats?format=json&type=All");
        let stats: Value = serde_json::from_str(&text).unwrap();
        let stats = stats["stats"].as_array().unwrap();
        stats.iter().find(|stat| stat["name"] == name).and_then(|stat| stat["value"].as_f64()).unwrap_or(0.0)
    }

    pub(crate) fn wait_for_stat(&self, name: &str, value: f64) {
        self.wait_for(name, || (self.stat(name) == value).then_some(()));
    }

    /// The value of a metric: the sum over Prometheus's lines that begin with `name` and contain all `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (status, text) = get(self.admin, "/stats/prometheus");
        assert_eq!(status, 200);
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Bytes of memory that it has; `None` where the system does not tell as Linux does.
    pub(crate) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        wait(&mut self.child)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log {
    fn of(child: &mut Child) -> Arc<Self> {
        let log = Arc::<Self>::default();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                writer.written.lock().unwrap().lines.push(line);
                writer.grown.notify_all();
            }
            writer.written.lock().unwrap().ended = true;
            writer.grown.notify_all();
        });
        log
    }
}

/// Loads a configuration, module and all, without serving: whether Envoy takes it, and what it logs. `None` where there is
/// no Envoy.
pub(crate) fn validate(config: &Value) -> Option<(bool, String)> {
    let binary = runtime::envoy()?;
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(binary);
    command.args(["--mode", "validate", "-c"]).arg(written(config, folder.path())).args(ALONE);
    let output = command.output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Envoy reads JSON as well as YAML.
fn written(config: &Value, folder: &Path) -> PathBuf {
    let file = folder.join("envoy.json");
    fs::write(&file, config.to_string()).unwrap();
    file
}

/// Beside others on one machine.
const ALONE: [&str; 3] = ["--disable-hot-restart", "-l", "info"];
