//! A start, and memory: from the program's start until it is ready and until the first request is answered, and what is resident at
//! rest and under load; podstamp beside an OpenTelemetry Collector and rotel, each with the job that it has in the part `collector`.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use podstamp_test_support::{bodies, runtime};
use serde_json::{Value, json};

use crate::collector::{Setup, Side};
use crate::load;
use crate::process::{Memory, Process};
use crate::sample::median;

pub(crate) fn run(quick: bool) -> Value {
    println!(
        "\nA start, on all cores: until it is ready, and until it has answered a request. MiB: the peak of the start, {} s after \
         it, the most during a load of {CONNECTIONS} connections, and the program's file.\n",
        REST.as_secs()
    );
    println!(
        "{:>10} {:>10} {:>10} {:>12} {:>8} {:>8} {:>22} {:>8} {:>10}",
        "", "ready ms", "answer ms", "CPU ms", "peak", "rest", "anonymous/files", "load", "binary"
    );
    let sink = Process::start(&["--upstream"]);
    let (collector, rotel) = (runtime::otelcol(), runtime::rotel());
    let podstamp = std::env::current_exe().unwrap().with_file_name("podstamp");
    let mut programs: Vec<Program<'_>> =
        vec![Program::new("podstamp", &podstamp, || Setup::podstamp(sink.address, "none"))];
    programs.extend(
        collector.as_deref().map(|binary| {
            Program::new("Collector", binary, || Setup::collector(binary, sink.address, "none"))
        }),
    );
    programs.extend(
        rotel
            .as_deref()
            .map(|binary| Program::new("rotel", binary, || Setup::rotel(binary, sink.address, "none"))),
    );
    for _ in 0..if quick { 3 } else { 9 } {
        for program in &mut programs {
            program.starts.push(Start::measure((program.setup)()));
        }
    }
    json!(programs.iter().map(|program| program.row(quick)).collect::<Vec<_>>())
}

/// A program that is started again and again.
struct Program<'a> {
    name: &'static str,
    mebibytes: f64,
    setup: Box<dyn Fn() -> Setup + 'a>,
    starts: Vec<Start>,
}

/// One start.
struct Start {
    /// Seconds until it said that it is ready, where it says so.
    ready: Option<f64>,
    /// Seconds until it had answered a request.
    answered: f64,
    /// Of the processor, until then.
    cpu: f64,
    memory: Memory,
}

impl Start {
    fn measure(setup: Setup) -> Self {
        let mut starting = setup.spawn(plain);
        let ready = starting.wait_until_ready().map(|time| time.as_secs_f64());
        let answered = starting.wait_until_taken().as_secs_f64();
        let side = starting.into_side();
        Self { ready, answered, cpu: side.process.cpu_seconds(), memory: side.process.memory() }
    }
}

impl<'a> Program<'a> {
    fn new(name: &'static str, binary: &Path, setup: impl Fn() -> Setup + 'a) -> Self {
        let mebibytes = std::fs::metadata(binary).unwrap().len() as f64 / f64::from(1 << 20);
        Self { name, mebibytes, setup: Box::new(setup), starts: Vec::new() }
    }

    /// Starts it once more for what it keeps, and prints its row.
    fn row(&self, quick: bool) -> Value {
        let of = |read: fn(&Start) -> Option<f64>| {
            let known: Option<Vec<f64>> = self.starts.iter().map(read).collect();
            known.map(median)
        };
        let ready = of(|start| start.ready).map(|seconds| seconds * 1e3);
        let answered = of(|start| Some(start.answered * 1e3)).unwrap_or(f64::NAN);
        let cpu = of(|start| Some(start.cpu * 1e3)).unwrap_or(f64::NAN);
        let peak = of(|start| Some(start.memory.peak)).unwrap_or(f64::NAN);
        let side = (self.setup)().start_by(plain);
        std::thread::sleep(REST);
        let rest = side.process.memory();
        let loaded = under_load(&side, if quick { 2 } else { 8 });
        println!(
            "{:>10} {:>10} {answered:>10.0} {cpu:>12.0} {peak:>8.1} {:>8.1} {:>11.1}/{:>10.1} {loaded:>8.1} {:>10.1}",
            self.name,
            ready.map_or_else(|| "-".to_owned(), |ready| format!("{ready:.0}")),
            rest.resident,
            rest.anonymous,
            rest.file,
            self.mebibytes,
        );
        json!({
            "program": self.name, "ready_ms": ready, "answered_ms": answered, "cpu_ms": cpu, "peak_mib": peak,
            "rest_mib": {"resident": rest.resident, "anonymous": rest.anonymous, "file": rest.file},
            "load_mib": loaded, "binary_mib": self.mebibytes,
        })
    }
}

/// The most that was resident while it was busy, in MiB.
fn under_load(side: &Side, seconds: u64) -> f64 {
    let request = load::request(&bodies::recent_spans(SPANS), "application/x-protobuf", false);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most: f64 = 0.0;
            while !is_done.load(Ordering::Relaxed) {
                most = most.max(side.process.resident_mib());
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        load::run(side.process.address, &request, CONNECTIONS, Duration::from_secs(seconds));
        is_done.store(true, Ordering::Relaxed);
        watching.join().unwrap()
    })
}

/// Anywhere.
fn plain(binary: &Path) -> Command {
    Command::new(binary)
}

/// Until what the start left over has been given back.
const REST: Duration = Duration::from_secs(3);

const CONNECTIONS: usize = 16;

/// 64 KiB, as a batch of an SDK or a Collector may be.
const SPANS: usize = 130;
