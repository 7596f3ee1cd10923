//! Keeps the last core from sleeping.
//!
//! A core without work is halted, and in a virtual machine it is for the host to wake it: now and then that takes milliseconds, which
//! a request waits that came meanwhile. A thread that gives way to all others keeps the core going.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::process::pinned;

/// A process that turns round and round on the last core while nobody else wants it. Where there is no `chrt`, the core sleeps
/// as it likes.
pub(crate) struct KeptAwake(Option<Child>);

impl KeptAwake {
    pub(crate) fn last_core() -> Self {
        let mut command = pinned(Path::new("chrt"));
        command.args(["--idle", "0"]).arg(std::env::current_exe().unwrap()).arg(SPIN);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok())
    }
}

impl Drop for KeptAwake {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Its input has ended with that, where it has not ended by itself.
            drop(child.stdin.take());
            child.wait().ok();
        }
    }
}

/// The other end: spins until its input ends, as it does with the process that started it.
pub(crate) fn spin() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

/// What has this program spin.
pub(crate) const SPIN: &str = "--spin";
