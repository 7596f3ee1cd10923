//! podstamp as a process of its own, for benchmarks of what it is configured to do.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use podstamp_test_support::blocking::http;
use podstamp_test_support::bodies;
use tempfile::TempDir;

use crate::process::Process;

/// podstamp with a configuration of its own.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) admin: SocketAddr,
    /// Seconds from its start until it listened.
    pub(crate) ready_after: f64,
    _folder: TempDir,
}

/// What podstamp has beyond a pipeline and an admin listener.
pub(crate) enum Feature<'a> {
    None,
    /// A queue in that folder.
    Queue(&'a Path),
    Console,
}

impl Served {
    /// Starts it; its agent is at `agent`.
    pub(crate) fn start(agent: &SocketAddr, feature: Feature<'_>) -> Self {
        let binary = std::env::current_exe().unwrap().with_file_name("podstamp");
        assert!(binary.exists(), "{} is missing: `cargo xtask bench` builds it", binary.display());
        let folder = TempDir::new().unwrap();
        let pods = folder.path().join("pods.json");
        fs::write(&pods, bodies::pods(1_000).to_string()).unwrap();
        let (sending, storage) = match feature {
            Feature::None | Feature::Console => (String::new(), String::new()),
            Feature::Queue(queue) => (
                "    sending_queue: {queue_size: 1000000000000, sizer: bytes, storage: file_storage}\n"
                    .to_owned(),
                format!(
                    "extensions:\n  file_storage: {{directory: {}, create_directory: true}}\n",
                    queue.display()
                ),
            ),
        };
        let config = format!(
            "receivers:\n  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}\n\
             exporters:\n  otlphttp:\n    traces_endpoint: http://{agent}/api/v1/otel/trace\n    compression: none\n{sending}{storage}\
             service:\n  extensions: [{}]\n  pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}\n\
             podstamp: {{admin: {{endpoint: '127.0.0.1:0', console: {}}}, limits: {{per_peer: 1}}}}\n",
            if matches!(feature, Feature::Queue(_)) { "file_storage" } else { "" },
            matches!(feature, Feature::Console),
        );
        let file = folder.path().join("config.yaml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new(binary);
        command.arg("serve").arg("--config").arg(file).arg("--pods").arg(pods).env("NO_COLOR", "1");
        let begin = Instant::now();
        let (child, [http, admin]) =
            addresses(command, [("taking OTLP/HTTP at http://", 0), ("metrics and health at http://", 1)]);
        let ready_after = begin.elapsed().as_secs_f64();
        Self { process: Process::of(child, http), admin, ready_after, _folder: folder }
    }

    /// A gauge without labels but those of the only queue.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = http::get(self.admin, "/metrics");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

/// Starts a server and reads the addresses that follow these texts in its log, in whatever order they come.
pub(crate) fn addresses<const N: usize>(
    mut command: Command,
    texts: [(&str, usize); N],
) -> (Child, [SocketAddr; N]) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut found = [None; N];
    while found.iter().any(Option::is_none) {
        let line = lines.next().expect("it ends before it listens").unwrap();
        for (text, at) in texts {
            if let Some((_, rest)) = line.split_once(text) {
                let end = rest.find(|char: char| !char.is_ascii_digit() && !".:".contains(char));
                found[at] = Some(rest[..end.unwrap_or(rest.len())].parse().unwrap());
            }
        }
    }
    // The process must not block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, found.map(Option::unwrap))
}
