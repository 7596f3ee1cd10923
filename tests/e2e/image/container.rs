//! A container without a runtime: namespaces of its own, and an image's files as its root.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use flate2::read::GzDecoder;
use podstamp_package::Image;
use podstamp_test_support::{PATIENCE, runtime, wait_until};
use tempfile::TempDir;

use crate::served::wait;

/// How this process may enter another root.
#[derive(Clone, Copy)]
pub(super) enum Rights {
    /// As root, and so as any user.
    Root,
    /// In a namespace of users, where it looks like root and is not.
    Namespace,
}

impl Rights {
    /// `None` where it may not, which has been said then.
    pub(super) fn of_this_process() -> Option<Self> {
        let rights = [Self::Root, Self::Namespace].into_iter().find(|rights| {
            let mut command = rights.unshare();
            command.args(["sh", "-c", "mount -t proc proc /proc && chroot / true"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        if rights.is_none() {
            runtime::skip("the image of podstamp", "it takes unshare, chroot and the right to namespaces");
        }
        rights
    }

    fn unshare(self) -> Command {
        let mut command = Command::new("unshare");
        if matches!(self, Self::Namespace) {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        command
    }

    /// For chroot: the user and group of the image, where they can be had.
    fn user(self) -> &'static str {
        match self {
            Self::Root => "--userspec=65532:65532",
            Self::Namespace => "--userspec=0:0",
        }
    }
}

/// An image's files, and what a runtime adds to them.
pub(super) struct Container {
    root: TempDir,
    rights: Rights,
}

impl Container {
    pub(super) fn unpack(image: &Image, rights: Rights) -> Self {
        let root = TempDir::new().unwrap();
        let mut layer = tar::Archive::new(GzDecoder::new(image.layer()));
        layer.set_preserve_permissions(true);
        layer.unpack(root.path()).unwrap();
        // Another user than this one has to get in.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(root.path(), open).unwrap();
        Self { root, rights }
    }

    /// The paths of all that is no folder.
    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(self.root.path()).unwrap().to_owned();
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// A file that a runtime mounts.
    pub(super) fn give(&mut self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Removes a file of the image.
    pub(super) fn take(&mut self, path: &str) {
        fs::remove_file(self.root.path().join(path)).unwrap();
    }

    /// Runs the image's program to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Running { child, lines, log: String::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let proc = self.root.path().join("proc");
        fs::create_dir_all(&proc).unwrap();
        let mut command = self.rights.unshare();
        command.args(["sh", "-c", ENTER, "sh"]).arg(self.root.path()).arg(self.rights.user());
        command.args(arguments).env_remove("PODSTAMP_LOG").current_dir(Path::new("/"));
        command
    }
}

/// A container at work, ended when dropped.
pub(super) struct Running {
    child: Child,
    lines: Receiver<String>,
    log: String,
}

impl Running {
    /// Where it takes OTLP/HTTP.
    pub(super) fn taking(&mut self) -> SocketAddr {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("it takes nothing:\n{}", self.log)
            };
            self.log += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once("taking OTLP/HTTP at http://") {
                let end = rest.find(|char: char| !char.is_ascii_digit() && !".:".contains(char));
                return rest[..end.unwrap_or(rest.len())].parse().unwrap();
            }
        }
    }

    /// All that it logged so far.
    pub(super) fn log(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.log += &format!("{line}\n");
        }
        &self.log
    }

    /// Sends SIGTERM to the container's first process, as a runtime does, and waits for its end.
    pub(super) fn terminate(&mut self) -> ExitStatus {
        let unshare = self.child.id();
        let children = format!("/proc/{unshare}/task/{unshare}/children");
        let mut first = String::new();
        wait_until("it has a process", || {
            first = fs::read_to_string(&children).unwrap().trim().to_owned();
            !first.is_empty()
        });
        assert!(Command::new("kill").args(["-TERM", &first]).status().unwrap().success());
        wait(&mut self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a folder the root, read-only but for /proc, and runs the image's program in it, without this machine's environment.
const ENTER: &str = r#"
    root=$1 user=$2; shift 2
    mount --bind "$root" "$root" && mount -t proc proc "$root/proc" && mount -o remount,bind,ro "$root" || exit 125
    exec env -i PATH=/ NO_COLOR=1 /usr/sbin/chroot "$user" "$root" /podstamp "$@"
"#;
