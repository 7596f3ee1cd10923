//! A child process under measurement: where it listens, and what Linux says of its time and memory.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A child process that listens somewhere, killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Runs this program again, as one of the sides that [`crate::host::child`] knows; it prints its address.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        Self::start_by(Command::new(program).args(arguments))
    }

    /// The same by a command that puts it somewhere, as [`pinned_to`] does.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    /// A process that was started otherwise.
    pub(crate) fn of(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    /// User and system time so far, in ticks of 10 ms.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.child.id())
    }

    /// Processor time of the threads that are there, to the nanosecond: for what takes a few ticks only.
    pub(crate) fn exact_cpu_seconds(&self) -> f64 {
        self.seconds_of_threads(|_| true)
    }

    /// The same of the threads of that name.
    pub(crate) fn thread_seconds(&self, name: &str) -> f64 {
        self.seconds_of_threads(|comm| comm == name)
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory::of(self.child.id())
    }

    pub(crate) fn resident_mib(&self) -> f64 {
        self.memory().resident
    }

    fn seconds_of_threads(&self, counts: impl Fn(&str) -> bool) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let read = |task: &Path, file| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        let tasks = tasks.flatten().map(|task| task.path()).filter(|task| counts(read(task, "comm").trim()));
        // Nanoseconds on the processor come first.
        let seconds = |task: PathBuf| {
            read(&task, "schedstat")
                .split(' ')
                .next()
                .and_then(|text| text.parse::<f64>().ok())
                .map(|ns| ns / 1e9)
        };
        tasks.filter_map(seconds).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Memory of a process, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// The most that was resident since the start, or since the peak was made to begin anew.
    pub(crate) peak: f64,
    /// Of what is resident: what the process has written.
    pub(crate) anonymous: f64,
    /// Of what is resident: pages of files, such as the program itself, which the kernel can drop and read again.
    pub(crate) file: f64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
        };
        Self {
            resident: read("VmRSS:"),
            peak: read("VmHWM:"),
            anonymous: read("RssAnon:"),
            file: read("RssFile:"),
        }
    }
}

/// User and system time of a process so far; the clock ticks 100 times a second on Linux.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// A command that runs on the last core alone, where `taskset` is there.
pub(crate) fn pinned(binary: &Path) -> Command {
    pinned_to(binary, 1)
}

/// A command that runs on the last `count` cores alone, where `taskset` is there.
pub(crate) fn pinned_to(binary: &Path, count: usize) -> Command {
    let all = cores();
    let list = format!("{}-{}", all.saturating_sub(count), all - 1);
    let there =
        Command::new("taskset").args(["-c", &list, "true"]).status().is_ok_and(|ended| ended.success());
    if !there {
        return Command::new(binary);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &list]).arg(binary);
    command
}

/// Keeps this process off the last core, on which [`pinned`] has its command run; where there is one core, or no `taskset`, it does
/// nothing. Threads that are started meanwhile stay off it too.
pub(crate) struct OffLastCore {
    cores: usize,
}

impl OffLastCore {
    pub(crate) fn new() -> Self {
        let cores = cores();
        if cores > 1 {
            move_to(cores - 1);
        }
        Self { cores }
    }
}

impl Drop for OffLastCore {
    fn drop(&mut self) {
        move_to(self.cores);
    }
}

/// Has all threads of this process run on the first `count` cores.
fn move_to(count: usize) {
    let (cores, process) = (format!("0-{}", count - 1), std::process::id().to_string());
    // Without `taskset` there is nothing to be done.
    drop(Command::new("taskset").args(["-a", "-c", "-p", &cores, &process]).output());
}

/// Cores of this machine that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
