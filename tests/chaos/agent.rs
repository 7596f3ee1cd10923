//! Agents: processes that record what they take before they answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use podstamp::lifecycle::Signals;
use podstamp_fake_agent::{Agent as FakeAgent, Answer, Latch, Script as FakeScript};
use tokio::sync::mpsc::unbounded_channel;

use crate::event::{End, Life, now};
use crate::process::{end_of, log, signal};
use crate::schedule::{Script, Stroke};

/// The first argument of a process that is an agent; its address and the file for its records follow.
pub(crate) const ROLE: &str = "--agent";

/// An agent seen from outside.
pub(crate) struct Agent {
    number: usize,
    address: SocketAddr,
    folder: PathBuf,
    child: Option<Child>,
    pub(crate) lives: Vec<Life>,
}

impl Agent {
    pub(crate) fn new(number: usize, address: SocketAddr, folder: &Path) -> Self {
        Self { number, address, folder: folder.to_owned(), child: None, lives: Vec::new() }
    }

    /// The records of one of its lives.
    pub(crate) fn records(&self, life: usize) -> PathBuf {
        self.folder.join(format!("agent-{}-{life}.jsonl", self.number))
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&mut self) {
        let records = self.records(self.lives.len());
        let errors = log(&self.folder.join(format!("agent-{}.log", self.number)));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([ROLE, &self.address.to_string()]).arg(records);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), LISTENS, "the agent at {} does not start, see its log", self.address);
        self.child = Some(child);
        self.lives.push(Life::begin());
    }

    pub(crate) fn strike(&mut self, stroke: Stroke) {
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
                let ended = end_of(&mut child, Duration::from_secs(60));
                assert!(ended.is_some_and(|status| status.success()), "an agent does not end: {ended:?}");
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

    /// Plays a script for all requests from now on; `None`: what deepflow-agent does.
    pub(crate) fn play(&mut self, script: Option<Script>) {
        let Some(child) = &mut self.child else { return };
        let line = match script {
            None => "import".to_owned(),
            Some(Script::Silence) => "silence".to_owned(),
            Some(Script::Close) => "close".to_owned(),
            Some(Script::CloseInBody) => "close-in-body".to_owned(),
            Some(Script::ImportThenClose) => "import-then-close".to_owned(),
            Some(Script::Answer(status)) => format!("answer {status}"),
            Some(Script::ImportThenAnswer(status)) => format!("import-then-answer {status}"),
            Some(Script::Slow(milliseconds)) => format!("slow {milliseconds}"),
        };
        // One that has ended by itself is complained of elsewhere.
        drop(writeln!(child.stdin.as_mut().unwrap(), "{line}"));
    }

    /// How it ended by itself, which it never should.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        Some(format!("agent {} has ended by itself ({status})", self.number))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The process of an agent. It ends with SIGTERM, and with its standard input.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let [address, records] = arguments else { panic!("{ROLE} ADDRESS FILE") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut signals = Signals::catch().unwrap();
        let builder = FakeAgent::builder().listen(address.parse().unwrap()).record(records).keep_records(1);
        let agent = builder.start().await.unwrap();
        println!("{LISTENS}");
        let (send, mut lines) = unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin().lines().map_while(Result::ok).for_each(|line| drop(send.send(line)));
            std::process::exit(0);
        });
        loop {
            tokio::select! {
                Some(line) = lines.recv() => agent.play_always(read(&line)),
                _ = signals.received() => break,
            }
        }
        agent.shutdown().await;
        ExitCode::SUCCESS
    })
}

/// The script that a line names.
fn read(line: &str) -> FakeScript {
    let (name, value) = line.split_once(' ').unwrap_or((line, "0"));
    let value: u16 = value.parse().unwrap();
    let answer = || Answer::new(value).unwrap();
    match name {
        "import" => FakeScript::Import,
        "silence" => FakeScript::Close.behind(&Latch::default()),
        "close" => FakeScript::Close,
        "close-in-body" => FakeScript::CloseInBody,
        "import-then-close" => FakeScript::ImportThenClose,
        "answer" => FakeScript::Answer(answer()),
        "import-then-answer" => FakeScript::ImportThen(answer()),
        "slow" => FakeScript::Import.after(Duration::from_millis(value.into())),
        other => panic!("no script {other}"),
    }
}

const LISTENS: &str = "listens";
