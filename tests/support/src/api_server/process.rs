//! Servers that do not outlive the process that started them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A server behind a shell that kills it once nobody holds the shell's standard input: when this is dropped, and also when
/// the whole process ends, with which a static is not dropped.
pub(super) struct Process {
    shell: Child,
    pid: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to the end of a log. `folder` is deleted after it.
    pub(super) fn start(program: &Path, arguments: &[String], log: &Path, folder: Option<&Path>) -> Self {
        let pid = log.with_extension("pid");
        drop(fs::remove_file(&pid));
        let output = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(&pid).arg(folder.unwrap_or(Path::new("")));
        command.arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output);
        let shell = command.spawn().unwrap_or_else(|error| panic!("cannot start sh: {error}"));
        Self { shell, pid }
    }

    /// Kills it, and leaves the folder that would be deleted after it.
    pub(super) fn kill_alone(mut self) {
        let mut input = self.shell.stdin.take().unwrap();
        input.write_all(b"keep\n").unwrap();
        drop(input);
    }

    /// How it ended by itself, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().unwrap()
    }

    /// The server's process id; `None` while it is not started yet.
    pub(super) fn id(&self) -> Option<u32> {
        fs::read_to_string(&self.pid).ok()?.trim().parse().ok()
    }
}

impl Drop for Process {
    /// With SIGKILL. It is gone when this returns.
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}

/// Its arguments are a file for the server's process id, a folder to delete or nothing, and the server's command. The server's
/// own process writes its id before it is the server, so that whoever sees that the server runs finds the id. A command in
/// the background has no standard input, so that what waits for the end of the shell's own reads a copy of it.
const GUARD: &str = r#"
    file=$1; folder=$2; shift 2
    exec 3<&0
    sh -c 'echo $$ > "$0"; exec "$@"' "$file" "$@" 3<&- &
    server=$!
    {
        read -r word <&3
        kill -9 $server
        [ "$word" = keep ] || [ -z "$folder" ] || rm -rf "$folder"
    } >/dev/null 2>&1 &
    guard=$!
    wait $server; status=$?
    [ $status = 137 ] || kill $guard
    wait $guard
    exit $status
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;

    #[test]
    fn a_server_ends_with_its_handle_and_its_folder_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let (log, folder) = (dir.path().join("server.log"), dir.path().join("data"));
        fs::create_dir(&folder).unwrap();
        let arguments = ["-c", "echo started; exec sleep 1000"].map(str::to_owned);
        let process = Process::start(Path::new("/bin/sh"), &arguments, &log, Some(&folder));
        wait_until("it has started", || fs::read_to_string(&log).unwrap() == "started\n");
        let id = process.id().unwrap().to_string();
        let lives =
            || Command::new("kill").args(["-0", &id]).stderr(Stdio::null()).status().unwrap().success();
        assert!(lives());
        drop(process);
        assert!(!lives() && !folder.exists());
    }

    #[test]
    fn a_server_that_is_killed_alone_leaves_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (log, folder) = (dir.path().join("server.log"), dir.path().join("data"));
        fs::create_dir(&folder).unwrap();
        let process = Process::start(Path::new("sleep"), &["1000".to_owned()], &log, Some(&folder));
        process.kill_alone();
        assert!(folder.exists());
    }

    #[test]
    fn a_server_that_ends_by_itself_tells_how() {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["-c", "exit 7"].map(str::to_owned);
        let mut process =
            Process::start(Path::new("/bin/sh"), &arguments, &dir.path().join("server.log"), None);
        let mut ended = None;
        wait_until("it ends", || {
            ended = process.ended();
            ended.is_some()
        });
        assert_eq!(ended.unwrap().code(), Some(7));
    }
}
