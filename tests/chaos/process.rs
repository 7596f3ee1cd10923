//! Processes: signals, and what Linux says of them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Sends a signal, such as `STOP`.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.unwrap().success(), "cannot send SIG{name} to {}", child.id());
}

/// Waits for the end of a process.
pub(crate) fn end_of(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + patience;
    loop {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || Instant::now() >= until {
            return ended;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A file that a process's output goes to the end of.
pub(crate) fn log(path: &Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Held {
    /// `None` where the system does not say.
    pub(crate) fn by(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        Some(Self {
            resident: read("VmRSS:")? / 1024.0,
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count(),
            threads: read("Threads:")? as usize,
        })
    }
}
