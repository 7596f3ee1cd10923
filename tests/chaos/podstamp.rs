//! The program under test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::client::{Doors, get};
use crate::event::{End, Life, now};
use crate::identity::{PODS, address, pod};
use crate::options::Queue;
use crate::process::{Held, end_of, log, signal};
use crate::schedule::Stroke;

/// `podstamp serve`, again and again, on the same ports and folder.
pub(crate) struct Podstamp {
    program: PathBuf,
    folder: PathBuf,
    pub(crate) doors: Doors,
    admin: SocketAddr,
    child: Option<Child>,
    /// Bytes of the log when each process was started.
    logged: Vec<usize>,
    pub(crate) lives: Vec<Life>,
    /// What should not have been: an end by itself, an exit status, a start that took for ever.
    pub(crate) complaints: Vec<String>,
    /// Spans that went into the queues of all processes, as far as they could say it before their end.
    pub(crate) queued: f64,
    /// Seconds from the start of the process until it was ready.
    pub(crate) starts: Vec<f64>,
}

impl Podstamp {
    /// Writes its configuration.
    pub(crate) fn new(program: &Path, folder: &Path, agents: &str, queue: Queue, stored: &Path) -> Self {
        let doors = Doors { http: closed_port(), grpc: closed_port() };
        let admin = closed_port();
        fs::write(folder.join("pods.json"), pods()).unwrap();
        fs::write(folder.join("podstamp.yaml"), document(doors, admin, agents, queue, stored)).unwrap();
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            doors,
            admin,
            child: None,
            logged: Vec::new(),
            lives: Vec::new(),
            complaints: Vec::new(),
            queued: 0.0,
            starts: Vec::new(),
        }
    }

    /// Starts the process and returns at once.
    pub(crate) fn spawn(&mut self) {
        let errors = log(&self.folder.join("podstamp.log"));
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.folder.join("podstamp.yaml"));
        command.arg("--pods").arg(self.folder.join("pods.json"));
        command.env_remove("PODSTAMP_LOG").env_remove("KUBERNETES_SERVICE_HOST").env("NO_COLOR", "1");
        self.logged.push(errors.metadata().unwrap().len() as usize);
        self.child = Some(command.stdout(errors.try_clone().unwrap()).stderr(errors).spawn().unwrap());
        self.lives.push(Life::begin());
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let began = Instant::now();
        self.spawn();
        while began.elapsed() < PATIENCE {
            if let Some(complaint) = self.ended() {
                self.complaints.push(complaint);
                return;
            }
            if self.ask("/readyz").is_some_and(|(status, _)| status == 200) {
                self.starts.push(began.elapsed().as_secs_f64());
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.complaints.push(format!("podstamp is not ready after {} s", PATIENCE.as_secs()));
    }

    pub(crate) fn strike(&mut self, stroke: Stroke) {
        if stroke != Stroke::Stop {
            self.queued += self.queued_now();
        }
        let Some(mut child) = self.child.take() else { return };
        let life = self.lives.last_mut().unwrap();
        match stroke {
            Stroke::Kill => {
                (life.told, life.end) = (now(), End::Killed);
                child.kill().unwrap();
                child.wait().unwrap();
            }
            Stroke::Terminate => {
                (life.told, life.end) = (now(), End::Terminated);
                signal(&child, "TERM");
                match end_of(&mut child, PATIENCE) {
                    Some(status) if status.success() => {}
                    Some(status) => self.complaints.push(format!("podstamp ended with {status} on SIGTERM")),
                    None => {
                        self.complaints
                            .push(format!("podstamp goes on {} s after SIGTERM", PATIENCE.as_secs()));
                        drop(child.kill());
                        drop(child.wait());
                    }
                }
            }
            Stroke::Stop => {
                signal(&child, "STOP");
                self.child = Some(child);
            }
        }
    }

    /// Makes good what [`strike`](Self::strike) did.
    pub(crate) fn recover(&mut self) {
        match &self.child {
            Some(child) => signal(child, "CONT"),
            None => self.start(),
        }
    }

    /// How it ended by itself, which it never should.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        let life = self.lives.last_mut().unwrap();
        (life.told, life.end) = (now(), End::Killed);
        Some(format!("podstamp has ended by itself ({status})"))
    }

    pub(crate) fn held(&self) -> Option<Held> {
        Held::by(self.child.as_ref()?.id())
    }

    pub(crate) fn metrics(&self) -> Option<String> {
        let (status, text) = self.ask("/metrics")?;
        (status == 200).then_some(text)
    }

    fn queued_now(&self) -> f64 {
        let metrics =
            self.child.as_ref().and_then(|_| get(self.admin, "/metrics", Duration::from_millis(300)));
        let text = metrics.map(|(_, text)| text).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains("outcome=\"enqueued\""));
        sum(&lines.collect::<Vec<_>>().join("\n"), "podstamp_queue_spans_total").unwrap_or_default()
    }

    /// Waits until these gauges are 0, those that there are.
    pub(crate) fn wait_for_zeros(&self, names: &[&str], patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        loop {
            let text = self.metrics().unwrap_or_default();
            let left: Vec<_> = names
                .iter()
                .filter_map(|name| Some((name, sum(&text, name)?)))
                .filter(|(_, value)| *value != 0.0)
                .collect();
            if !text.is_empty() && left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                let seconds = patience.as_secs();
                return Err(format!("{seconds} s after all was quiet podstamp still has {left:?}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Adds what the log says to each life.
    pub(crate) fn read_log(&mut self) {
        let log = fs::read(self.folder.join("podstamp.log")).unwrap_or_default();
        let ends = self.logged.iter().copied().skip(1).chain([log.len()]);
        for ((life, begin), end) in self.lives.iter_mut().zip(&self.logged).zip(ends) {
            let log = String::from_utf8_lossy(log.get(*begin..end).unwrap_or_default());
            life.given_up = given_up(&log);
            life.damaged = log.matches("key=\"queue-damaged\"").count();
        }
    }

    pub(crate) fn log(&self) -> String {
        let text = fs::read(self.folder.join("podstamp.log")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn ask(&self, path: &str) -> Option<(u16, String)> {
        get(self.admin, path, Duration::from_secs(5))
    }
}

impl Drop for Podstamp {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The sum of a metric over all its labels.
pub(crate) fn sum(metrics: &str, name: &str) -> Option<f64> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).reduce(|sum, value| sum + value)
}

/// The spans that a process says are lost as it ends.
fn given_up(log: &str) -> u64 {
    let lines = log.lines().filter(|line| line.contains("key=\"queue-lost\""));
    lines
        .filter_map(|line| line.split(" requests with ").nth(1)?.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn pods() -> String {
    let pods: Vec<_> = (0..PODS).map(|number| (pod(number), address(number).to_string())).collect();
    let pods: Vec<_> = pods.iter().map(|(name, address)| (&**name, &**address)).collect();
    spans::pods(&pods)
}

fn document(doors: Doors, admin: SocketAddr, agents: &str, queue: Queue, stored: &Path) -> String {
    let pipeline = include_str!("../fixtures/deepflow-load-balancer.yaml");
    let Doors { http, grpc } = doors;
    let stored = stored.display();
    let (queued, extension, service) = match queue {
        Queue::None => ("", String::new(), ""),
        Queue::Memory => ("    sending_queue: {queue_size: 10000}\n", String::new(), ""),
        Queue::Disk => (
            "    sending_queue: {queue_size: 10000, storage: file_storage}\n",
            format!("extensions:\n  file_storage: {{directory: {stored}, create_directory: true}}\n"),
            "  extensions: [file_storage]\n",
        ),
    };
    // Without a queue a client waits for no longer than it would anyway; with one it is for ever.
    let elapsed = if queue == Queue::None { "2s" } else { "0s" };
    format!(
        "{pipeline}{service}{extension}\
         receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: {http}\n      grpc:\n        endpoint: {grpc}\n\
         exporters:\n  otlphttp:\n    traces_endpoint: {agents}\n    timeout: 3s\n    retry_on_failure:\n      \
         initial_interval: 50ms\n      max_interval: 500ms\n      max_elapsed_time: {elapsed}\n{queued}\
         podstamp:\n  drain_delay: 0s\n  admin:\n    endpoint: {admin}\n  limits:\n    drain_timeout: 5s\n"
    )
}

/// Nothing takes that long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
