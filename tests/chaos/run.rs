//! A run from its start to its verdict.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use podstamp::lifecycle::Signals;

use crate::client::Clients;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::options::{Options, Queue};
use crate::podstamp::sum;
use crate::process::Held;
use crate::report::{Measured, Report};
use crate::schedule::{Schedule, Script, Step, Stroke};
use crate::verdict::Evidence;
use crate::world::World;

pub(crate) fn run(options: &Options) -> ExitCode {
    let folder = match prepare(options) {
        Ok(folder) => folder,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(64);
        }
    };
    println!("chaos: seed {}, queue: {}, logs in {}", options.seed, options.queue.name(), folder.display());
    if !options.inside {
        println!("skipped: a moving name and a full disk; they take Linux, root, `unshare` and `ip`");
    }
    end_with_signals();
    let mut world = World::start(options, &folder);
    // Most of the time podstamp's process ends again and again. Then one has to endure all else until the end.
    let schedule = |part, restarts| Schedule::new(options.seed, part, world.means, restarts);
    let (ending, enduring) = (options.time.mul_f64(0.7), options.time.mul_f64(0.3));
    let parts = [schedule(1, true).steps(ending), schedule(2, false).steps(enduring)];
    write_schedule(&folder, &parts);

    let ledger = Arc::<Ledger>::default();
    let clients = Clients::start(world.podstamp.doors, &ledger, options.seed, options.rate);
    let began = Instant::now();
    if options.lie {
        lie(&mut world);
    }
    play(&mut world, &parts[0], ending, |_| ());

    world.podstamp.strike(Stroke::Terminate);
    world.podstamp.start();
    thread::sleep(options.time.mul_f64(0.05).clamp(Duration::from_secs(2), Duration::from_secs(15)));
    let mut complaints = Vec::new();
    let before = settle(&world, &clients, &mut complaints);
    clients.resume();
    let mut most = before.resident;
    play(&mut world, &parts[1], enduring, |world| {
        most = world.podstamp.held().map_or(most, |held| most.max(held.resident));
    });
    let faults = began.elapsed();

    if !clients.stop(PATIENCE) {
        complaints.push(format!("{} s after the last fault clients are still refused", PATIENCE.as_secs()));
    }
    if let Err(complaint) = world.podstamp.wait_for_zeros(GAUGES, PATIENCE) {
        complaints.push(complaint);
    }
    let after = held_again(&world, before, &mut complaints);
    let metrics = world.podstamp.metrics().unwrap_or_default();
    fs::write(folder.join("metrics.txt"), &metrics).unwrap();
    world.podstamp.strike(Stroke::Terminate);
    world.agents.iter_mut().for_each(|agent| agent.strike(Stroke::Terminate));

    if options.queue != Queue::None && sum(&metrics, "podstamp_queue_capacity").is_none() {
        complaints.push("podstamp has no queue, though its configuration says so".to_owned());
    }
    complaints.append(&mut world.podstamp.complaints);
    let log = world.podstamp.log();
    world.podstamp.read_log();
    complaints.extend(log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned));
    let evidence = Evidence {
        queue: options.queue,
        attempts: ledger.attempts(),
        journal: read(&world, options.seed as u32),
        events: world.events.clone(),
        podstamp: world.podstamp.lives.clone(),
        agents: world.agents.iter().map(|agent| agent.lives.clone()).collect(),
    };
    write_events(&folder, &evidence);
    let measured = Measured {
        before,
        most,
        after,
        starts: world.podstamp.starts.clone(),
        queued: world.podstamp.queued,
        faults,
    };
    let report = Report { options, evidence: &evidence, verdict: evidence.verdict(), measured, complaints };
    let text = report.text();
    fs::write(folder.join("report.md"), &text).unwrap();
    println!("\n{text}");
    if report.is_sound() {
        forget_records(&world);
        return ExitCode::SUCCESS;
    }
    println!("{}", report.violations());
    fs::write(folder.join("violations.txt"), report.violations()).unwrap();
    println!("seed {}: violated; the logs of all processes are in {}", options.seed, folder.display());
    ExitCode::FAILURE
}

/// Ends this process with SIGINT and SIGTERM: the first process of a namespace has to ask for that.
fn end_with_signals() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Signals::catch().unwrap().received().await });
        std::process::exit(130)
    });
}

/// An empty folder. That of an earlier run is emptied.
fn prepare(options: &Options) -> Result<PathBuf, String> {
    let folder = options.folder.clone().unwrap_or_else(|| format!("target/chaos/{}", options.seed).into());
    if folder.exists() && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        if !folder.join(SCHEDULE).exists() {
            return Err(format!("--folder {}: it is not empty, and not of an earlier run", folder.display()));
        }
        fs::remove_dir_all(&folder).map_err(|error| format!("--folder {}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("--folder {}: {error}", folder.display()))?;
    fs::canonicalize(&folder).map_err(|error| format!("--folder {}: {error}", folder.display()))
}

/// What this program is to find out.
fn lie(world: &mut World) {
    thread::sleep(Duration::from_secs(1));
    world.agents.iter_mut().for_each(|agent| agent.play(Some(Script::Answer(200))));
    thread::sleep(Duration::from_secs(1));
    world.agents.iter_mut().for_each(|agent| agent.play(None));
}

fn write_schedule(folder: &Path, parts: &[Vec<Step>]) {
    let mut file = File::create(folder.join(SCHEDULE)).unwrap();
    for (part, steps) in parts.iter().enumerate() {
        writeln!(file, "part {}", part + 1).unwrap();
        steps.iter().for_each(|step| writeln!(file, "{step}").unwrap());
    }
}

fn write_events(folder: &Path, evidence: &Evidence) {
    let mut file = File::create(folder.join("events.txt")).unwrap();
    for event in &evidence.events {
        let (from, to) = (event.from, event.to);
        writeln!(file, "{from} {to} {} {:?}", event.kind, event.agent).unwrap();
    }
    for life in &evidence.podstamp {
        writeln!(file, "{} {} podstamp {life:?}", life.from, life.told).unwrap();
    }
}

fn play(world: &mut World, steps: &[Step], time: Duration, mut each: impl FnMut(&World)) {
    let until = Instant::now() + time;
    let mut told = Instant::now();
    for (number, step) in steps.iter().enumerate() {
        if Instant::now() >= until {
            break;
        }
        world.play(step);
        each(world);
        if told.elapsed() > BETWEEN_LINES {
            told = Instant::now();
            let left = until.saturating_duration_since(told).as_secs();
            eprintln!("step {number}: {} faults so far, {left} s to go in this part", world.events.len());
        }
    }
}

/// What podstamp holds when nothing is under way and nobody is connected.
fn settle(world: &World, clients: &Clients, complaints: &mut Vec<String>) -> Held {
    if !clients.pause(PATIENCE) {
        complaints.push("clients are still refused long after the last fault".to_owned());
    }
    if let Err(complaint) = world.podstamp.wait_for_zeros(GAUGES, PATIENCE) {
        complaints.push(complaint);
    }
    world.podstamp.held().unwrap_or_default()
}

/// Waits until podstamp holds no more than before, or for so long that it never will.
fn held_again(world: &World, before: Held, complaints: &mut Vec<String>) -> Held {
    let until = Instant::now() + PATIENCE;
    loop {
        let held = world.podstamp.held().unwrap_or_default();
        let found = [
            (held.resident > before.resident * 1.25 + 64.0, "MiB", before.resident, held.resident),
            (
                held.descriptors > before.descriptors + world.agents.len(),
                "descriptors",
                before.descriptors as f64,
                held.descriptors as f64,
            ),
            (held.threads > before.threads + BLOCKING, "threads", before.threads as f64, held.threads as f64),
        ];
        if found.iter().all(|(more, ..)| !more) {
            return held;
        }
        if Instant::now() >= until {
            let found = found.iter().filter(|(more, ..)| *more);
            complaints.extend(found.map(|(_, what, before, now)| {
                format!("podstamp held {before:.0} {what} before the faults, and {now:.0} long after them")
            }));
            return held;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn read(world: &World, run: u32) -> Journal {
    let mut journal = Journal::default();
    for (number, agent) in world.agents.iter().enumerate() {
        for life in 0..agent.lives.len() {
            journal.read(run, number, life, &agent.records(life));
        }
    }
    journal
}

/// Deletes what takes gigabytes and says nothing more.
fn forget_records(world: &World) {
    for agent in &world.agents {
        (0..agent.lives.len()).for_each(|life| drop(fs::remove_file(agent.records(life))));
    }
}

/// Threads that come and go: names are looked up and files are read by threads that end when nothing of that is to be done.
const BLOCKING: usize = 16;

/// By which it is seen that nothing is under way.
const GAUGES: &[&str] = &[
    "podstamp_requests_in_flight",
    "podstamp_in_flight_bytes",
    "podstamp_bodies_on_their_way",
    "podstamp_upstream_waiting",
    "podstamp_queue_size",
    "podstamp_connections",
];

/// Nothing takes that long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

const BETWEEN_LINES: Duration = Duration::from_secs(30);

const SCHEDULE: &str = "schedule.txt";
