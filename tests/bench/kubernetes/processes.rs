//! What Linux says of processes.

use std::process::Command;

/// Resident memory, in MiB.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) resident: f64,
    /// The most that there was since the start, or since [`forget_peak`].
    pub(super) peak: f64,
}

impl Memory {
    pub(super) fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
        };
        Self { resident: read("VmRSS:"), peak: read("VmHWM:") }
    }
}

/// Has the peak of a process's memory begin anew.
pub(super) fn forget_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

/// User and system time so far; the clock ticks 100 times a second on Linux.
pub(super) fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// Stops processes where they stand, and lets them go on when it is dropped.
pub(super) struct Frozen(Vec<u32>);

impl Frozen {
    pub(super) fn new(processes: &[u32]) -> Self {
        signal("-STOP", processes);
        Self(processes.to_vec())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(signal: &str, processes: &[u32]) {
    let status = Command::new("kill").arg(signal).args(processes.iter().map(u32::to_string)).status();
    assert!(status.unwrap().success());
}
