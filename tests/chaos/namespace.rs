//! Namespaces of its own: what is mounted there nobody else sees, its ports are nobody else's, and no process outlives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::options::{INSIDE, Options};

/// Runs this program again in namespaces, where that can be done; its status then.
pub(crate) fn enter(options: &Options) -> Option<ExitCode> {
    if options.inside || !is_possible() {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(UNSHARED).args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(std::env::args_os().skip(1));
    // The seed may be the time.
    let status = command.arg(INSIDE).args(["--seed", &options.seed.to_string()]).status().unwrap();
    Some(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

fn is_possible() -> bool {
    let mut command = Command::new("unshare");
    command.args(UNSHARED).args(["sh", "-c", "ip link set lo up && mount -t tmpfs none /mnt"]);
    let tried = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    cfg!(target_os = "linux") && tried.is_ok_and(|status| status.success())
}

/// A file system in memory of so many bytes.
pub(crate) fn mount_memory(at: &Path, bytes: u64) {
    fs::create_dir_all(at).unwrap();
    let options = format!("size={bytes}");
    run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at));
}

/// Puts a file in the place of `/etc/hosts`.
pub(crate) fn mount_hosts(file: &Path) {
    run(Command::new("mount").arg("--bind").arg(file).arg("/etc/hosts"));
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} fails");
}

/// The names that podstamp's machine knows.
pub(crate) struct Hosts {
    file: PathBuf,
    others: String,
}

impl Hosts {
    pub(crate) fn mount(folder: &Path) -> Self {
        let (file, others) = (folder.join("hosts"), fs::read_to_string("/etc/hosts").unwrap_or_default());
        fs::write(&file, &others).unwrap();
        mount_hosts(&file);
        Self { file, others }
    }

    /// Has [`NAME`] lead to these addresses.
    pub(crate) fn set(&self, addresses: &[std::net::IpAddr]) {
        let lines: String = addresses.iter().map(|address| format!("{address} {NAME}\n")).collect();
        // In place: the file is mounted.
        fs::write(&self.file, format!("{}\n{lines}", self.others.trim_end())).unwrap();
    }
}

/// The agents' name.
pub(crate) const NAME: &str = "agents.chaos.test";

const UNSHARED: [&str; 7] = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
