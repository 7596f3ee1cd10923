//! What Linux does to processes.

use std::process::Command;

/// Has the peak of a process's memory begin anew.
pub(super) fn forget_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
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
